/** Frames of a scene for models that look at it as a whole: how many, how large, and from where. */
import type { Interval, MediumInfo, ModelManifest } from "../../contracts/index.js";
import { displaySize } from "../../media/output-size.js";
import { readFrames, type FramesWanted, type ReadFrame } from "../../media/read-frames.js";

export interface Sampling {
  /** Frames a second, where neither bound is reached. */
  fps: number;
  min: number;
  max: number;
  /** The count is a multiple of this: Qwen2-VL reads frames in pairs. */
  step: number;
}

/** Frames of a scene of this length: at `fps`, within the bounds (a long scene is sampled more thinly), rounded down to a multiple of `step`. */
export function sampleCount(durationUs: number, { fps, min, max, step }: Sampling): number {
  const wanted = Math.min(max, Math.max(min, (durationUs / 1e6) * fps));
  return Math.max(step, Math.floor(wanted / step) * step);
}

/**
 * [width, height] of a frame for a model of patches: sides that are multiples of `factor`, an area between the bounds, the aspect ratio as near as that
 * allows (smart_resize of Qwen's qwen_vl_utils).
 */
export function patchedSize(width: number, height: number, factor: number, minPixels: number, maxPixels: number): [number, number] {
  const round = (length: number): number => Math.max(factor, Math.round(length / factor) * factor);
  const [w, h] = [round(width), round(height)];
  if (w * h > maxPixels) {
    const beta = Math.sqrt((width * height) / maxPixels);
    const down = (length: number): number => Math.max(factor, Math.floor(length / beta / factor) * factor);
    return [down(width), down(height)];
  }
  if (w * h < minPixels) {
    const beta = Math.sqrt(minPixels / (width * height));
    const up = (length: number): number => Math.ceil((length * beta) / factor) * factor;
    return [up(width), up(height)];
  }
  return [w, h];
}

/** Qwen2-VL's side of a merged patch, and what S1.3 and qwen_vl_utils allow a video's frame: 128·28·28 to 360·420 pixels. */
const QWEN = { factor: 28, minPixels: 128 * 28 * 28, maxPixels: 360 * 420 };

/**
 * How frames for this model are decoded: in the very size that its processor wants (`settings.size`; whole patches for Qwen2-VL), so that the library
 * scales nothing: scaling up, it darkens edges. Else a longer side of `settings.longest` (640).
 */
export function frameSize(info: MediumInfo, { family, settings }: ModelManifest): FramesWanted["size"] {
  const number = (name: string, otherwise: number): number => (typeof settings[name] === "number" ? settings[name] : otherwise);
  const { size } = settings;
  if (Array.isArray(size) && size.length === 2 && size.every((side) => Number.isInteger(side) && side > 0)) return [size[0] as number, size[1] as number];
  if (family !== "qwen2-vl" || info.video === null) return { longest: number("longest", 640) };
  const [width, height] = displaySize(info.video);
  const shrunk = patchedSize(width, height, QWEN.factor, number("frameMinPixels", QWEN.minPixels), number("frameMaxPixels", QWEN.maxPixels));
  // The processor's own limits come second, as in the seed's pipeline.
  return patchedSize(...shrunk, QWEN.factor, number("minPixels", 0), number("maxPixels", Infinity));
}

/** Frames of the scene at even distances, as many as the sampling says. Fewer than a multiple of `step`: the last one stands in for those that miss. */
export async function sceneFrames(info: MediumInfo, interval: Interval, sampling: Sampling, size: FramesWanted["size"]): Promise<ReadFrame[]> {
  const count = sampleCount(interval.endUs - interval.startUs, sampling);
  const frames: ReadFrame[] = [];
  for await (const frame of readFrames(info, interval, { which: { count }, size, geometry: "display", limit: count })) frames.push(frame);
  const last = frames.at(-1);
  while (last && frames.length % sampling.step !== 0) frames.push(last);
  return frames;
}

/** Frames of the scene that stand at these times. */
export async function framesAt(info: MediumInfo, interval: Interval, at: readonly number[], size: FramesWanted["size"]): Promise<ReadFrame[]> {
  const frames: ReadFrame[] = [];
  for await (const frame of readFrames(info, interval, { which: { at }, size, geometry: "display", limit: at.length })) frames.push(frame);
  return frames;
}
