import { setFlagsFromString } from "node:v8";

/**
 * V8 collects a heap when that pays in time, not in memory: a young one may take hundreds of MB before its first full collection, an old one
 * four times what lives in it, buffers counted, and each thread has its own. What a run holds for seconds of a medium (rows, vectors, pictures
 * of the open blocks) is old by then, so that it lay there until an hour of film had passed. For the process whose run it is, not for a library to call.
 */
export function tightHeaps(): void {
  // Read at every full collection of every heap: the next one is due when it has grown by this much (V8's own choice is up to 300 %).
  setFlagsFromString("--heap-growing-percent=40");
  // Read at every collection too: pages that are a fifth free are compacted, not only those that are nearly empty, and the young generation grows
  // only as far as it has to. An hour of ego: 310 MB at most without it, 250 MB with it, and 0.5 MB per 10 minutes instead of 1.9 after minute 2, in the
  // same time; the main thread computes a tenth longer.
  setFlagsFromString("--optimize-for-size");
  // Read when a heap is made, that is by workers from now on: MB before the first one.
  setFlagsFromString("--initial-old-space-size=8");
}
