import type { Interval } from "../../contracts/items.js";
import type { MediumInfo } from "../../contracts/media.js";
import { readAudio } from "../../media/read-clip.js";

export interface RegionOptions {
  /** Speech that is no further apart is decoded together: the pause between tells the model that a sentence ended. */
  joinUs: number;
  /** Joined speech is no longer than this, so that it fits into one window of the model. */
  longestUs: number;
}

/** The parts of an interval in which somebody speaks, in order; spans that are cut by its ends are cut there. */
export function speechRegions(spans: readonly Interval[], { startUs, endUs }: Interval, { joinUs, longestUs }: RegionOptions): Interval[] {
  const regions: Interval[] = [];
  for (const span of [...spans].sort((a, b) => a.startUs - b.startUs)) {
    const part = { startUs: Math.max(span.startUs, startUs), endUs: Math.min(span.endUs, endUs) };
    if (part.endUs <= part.startUs) continue;
    const last = regions.at(-1);
    if (last && part.startUs - last.endUs <= joinUs && part.endUs - last.startUs <= longestUs) last.endUs = Math.max(last.endUs, part.endUs);
    else regions.push(part);
  }
  return regions;
}

/** Samples of one interval in blocks that fit into memory, each with the time of its first sample. */
export interface SoundBlock {
  startUs: number;
  samples: Float32Array;
}

/** A block is cut where the last tenth of it is quietest, over 100 ms. */
export async function* soundBlocks(info: MediumInfo, interval: Interval, sampleRate: number, blockSeconds: number): AsyncGenerator<SoundBlock, void, void> {
  // One more than a short interval has: it is no block that has to be cut.
  const most = Math.min(blockSeconds * sampleRate, Math.ceil(((interval.endUs - interval.startUs) * sampleRate) / 1e6) + 1);
  const held = new Float32Array(most);
  let filled = 0;
  let given = 0;
  const block = (length: number): SoundBlock => {
    const samples = held.slice(0, length);
    const startUs = interval.startUs + Math.round((given * 1e6) / sampleRate);
    given += length;
    held.copyWithin(0, length, filled);
    filled -= length;
    return { startUs, samples };
  };
  for await (const part of readAudio(info, interval, { sampleRate })) {
    for (let at = 0; at < part.length; ) {
      const taken = part.subarray(at, at + most - filled);
      held.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled === most) yield block(quietest(held, Math.floor(most * 0.9), Math.round(sampleRate / 10)));
    }
  }
  if (filled > 0) yield block(filled);
}

/** Middle of the quietest stretch of `width` samples that begins at or after `from`. */
function quietest(samples: Float32Array, from: number, width: number): number {
  let least = Number.POSITIVE_INFINITY;
  let best = samples.length;
  for (let start = from; start + width <= samples.length; start += width) {
    let energy = 0;
    for (let i = start; i < start + width; i++) energy += samples[i]! * samples[i]!;
    if (energy < least) {
      least = energy;
      best = start + (width >> 1);
    }
  }
  return best;
}
