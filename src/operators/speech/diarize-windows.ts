import { clusterMeans, clusterVectors, nearestCluster, type ClusterStop } from "../../math/cluster-vectors.js";
import type { SpeakerWindow } from "../../math/speaker-turns.js";
import type { SegmentationLayout } from "../../models/families/speakers.js";

/** A local speaker of a window needs so much speech of his own for a vector that founds a cluster … */
const FOUNDING_SECONDS = 0.4;
/** … and so much speech at all for one that joins the nearest. */
const JOINING_SECONDS = 0.1;

interface Voice {
  window: number;
  local: number;
  founds: boolean;
  vector: Float32Array;
}

/** Collects what the windows of one sound say, then names their speakers across windows. Memory: a few bytes per frame and a vector per speaker and window. */
export class DiarizationWindows {
  readonly #windows: { firstFrame: number; active: Uint8Array }[] = [];
  readonly #voices: Voice[] = [];

  constructor(
    readonly layout: SegmentationLayout,
    readonly embed: (sound: Float32Array) => Promise<Float32Array>,
  ) {}

  /** `active`: [frames, speakers]; `samples`: the window's sound, of which `valid` are no padding. */
  async add(startSample: number, samples: Float32Array, valid: number, active: Uint8Array): Promise<void> {
    const { speakers, stepSamples } = this.layout;
    const frames = Math.min(active.length / speakers, Math.ceil(valid / stepSamples));
    const seen = active.subarray(0, frames * speakers);
    const window = this.#windows.length;
    this.#windows.push({ firstFrame: Math.round(startSample / stepSamples), active: seen.slice() });
    for (let local = 0; local < speakers; local++) {
      const alone: number[] = [];
      const any: number[] = [];
      for (let f = 0; f < frames; f++) {
        const row = seen.subarray(f * speakers, (f + 1) * speakers);
        if (row[local] === 0) continue;
        any.push(f);
        if (row.reduce((sum, x) => sum + x, 0) === 1) alone.push(f);
      }
      const founds = this.#seconds(alone) >= FOUNDING_SECONDS;
      const chosen = founds ? alone : any;
      if (this.#seconds(chosen) >= JOINING_SECONDS) this.#voices.push({ window, local, founds, vector: await this.embed(this.#sound(samples, chosen)) });
    }
  }

  /** Windows with the clusters of their speakers, clusters numbered from 0. */
  named(stop: ClusterStop): { windows: SpeakerWindow[]; clusters: number } {
    // Where nobody has enough speech of his own, everybody counts.
    const enough = this.#voices.some((voice) => voice.founds);
    const founders = this.#voices.filter((voice) => voice.founds || !enough);
    const labels = clusterVectors(founders.map((voice) => voice.vector), stop);
    const means = clusterMeans(founders.map((voice) => voice.vector), labels);
    const names = new Map(founders.map((voice, i) => [voice, labels[i]!]));
    const windows = this.#windows.map((window): SpeakerWindow & { clusters: number[] } => ({ ...window, clusters: new Array<number>(this.layout.speakers).fill(-1) }));
    for (const voice of this.#voices) windows[voice.window]!.clusters[voice.local] = names.get(voice) ?? nearestCluster(voice.vector, means);
    return { windows, clusters: means.length };
  }

  #seconds(frames: readonly number[]): number {
    return (frames.length * this.layout.stepSamples) / this.layout.sampleRate;
  }

  /** The samples at the middle of each frame, one after the other. */
  #sound(samples: Float32Array, frames: readonly number[]): Float32Array {
    const { stepSamples, leadSamples: lead } = this.layout;
    const sound = new Float32Array(frames.length * stepSamples);
    frames.forEach((frame, i) => sound.set(samples.subarray(lead + frame * stepSamples, lead + (frame + 1) * stepSamples), i * stepSamples));
    return sound;
  }
}
