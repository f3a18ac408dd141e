import type { GridItem } from "../../../src/contracts/index.js";
import { collectAudio, wholeMedium } from "../../../src/media/read-clip.js";
import { audioRing } from "../../inference/fixtures.js";
import { openMedium } from "../../media/media-files.js";

/** The windows of a whole medium on its grid, as the decoder would lend them. */
export async function soundItems(path: string, sampleRate: number, windowSeconds: number, hopSeconds: number): Promise<GridItem[]> {
  const samples = await collectAudio(await openMedium(path), wholeMedium, { sampleRate });
  const length = Math.round(windowSeconds * sampleRate);
  const hop = hopSeconds * sampleRate;
  const starts = Array.from({ length: Math.max(1, Math.ceil(samples.length / hop)) }, (_, k) => Math.round(k * hop)).filter((start) => start < samples.length);
  const items = audioRing(starts.map((start) => ({ length, valid: Math.min(length, samples.length - start) })), (k, n) => samples[starts[k]! + n]!);
  return items.map((item, k) => ({ ...item, ptsUs: Math.round(k * hopSeconds * 1e6) }));
}

/** The same items in calls of `size`, answers in order. */
export async function inBatches<T>(items: readonly GridItem[], size: number, call: (items: GridItem[]) => Promise<T[]>): Promise<T[]> {
  const answers: T[] = [];
  for (let at = 0; at < items.length; at += size) answers.push(...(await call(items.slice(at, at + size))));
  return answers;
}
