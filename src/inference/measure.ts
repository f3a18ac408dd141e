/** What a model takes in memory, found out by running it on made-up values in a process that has done nothing else. */
import { readFileSync, writeFileSync } from "node:fs";
import type { ModelManifest, ModelMemory, TensorInfo } from "../contracts/index.js";
import { sampleFeeds } from "./agreement.js";
import { freeRows, inParts, rowsAtOnce, sameBits, type Feeds, type Fetched } from "./feeds.js";

/** One and two rows, each in a process of its own: an arena grows by what was run before. `bytes` null: its inputs cannot be made up. */
export interface Trial extends Omit<ModelMemory, "rows"> {
  bytes: number | null;
}

/** An open session. */
export interface Tried {
  inputs: Parameters<typeof freeRows>[0];
  infos: readonly TensorInfo[];
  run(feeds: Feeds): Promise<Fetched>;
}

/** Feeds of so many rows, as large as the model takes them. */
export const largestFeeds = (manifest: ModelManifest, infos: readonly TensorInfo[], rows: number): Feeds | null =>
  sampleFeeds(manifest, infos, rows, manifest.preprocess.kind === "text" ? manifest.preprocess.maxTokens : undefined);

/** Opens the model and runs it. Rejects with what `open` rejects with, and with a run's want of memory. */
export async function tryRows(manifest: ModelManifest, rows: number, open: () => Promise<Tried>, isOutOfMemory: (thrown: unknown) => boolean): Promise<Trial> {
  const before = process.memoryUsage.rss();
  const session = await open();
  const floor = process.memoryUsage.rss();
  const residentBytes = Math.max(0, floor - before);
  const opened: Trial = { residentBytes, loadBytes: Math.max(residentBytes, peakBytes() - before), bytes: null, ioBytes: 0, atOnce: 1, least: 1 };
  const feeds = largestFeeds(manifest, session.infos, rows);
  if (!feeds) return opened;
  try {
    forgetPeak();
    await session.run(feeds);
    const fetched = await session.run(feeds);
    const bytes = Math.max(0, peakBytes() - floor);
    const ioBytes = [...Object.values(feeds), ...Object.values(fetched)].reduce((sum, { data }) => sum + data.byteLength, 0) / rows;
    const free = freeRows(session.inputs, feeds);
    if (!free) return { ...opened, bytes, ioBytes };
    const atOnce = rowsAtOnce(feeds, free);
    const alone = rows === 1 || atOnce === 1 || sameBits(fetched, await inParts(feeds, { rows, batch: 1, names: free.names }, false, (part) => session.run(part)));
    return { ...opened, bytes, ioBytes, atOnce, least: alone ? 1 : 2 };
  } catch (thrown) {
    if (isOutOfMemory(thrown)) throw thrown;
    return opened; // It refuses made-up values: nothing is known of its runs.
  }
}

/** Of this process so far, or since `forgetPeak`. */
function peakBytes(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0) * 1024;
}

/** Linux alone can; elsewhere the peak of opening a model hides what its runs take below it. */
function forgetPeak(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Not Linux, or not allowed.
  }
}
