import { FlowError } from "../contracts/errors.js";

export interface DecodeStats {
  /** Source frames of the densest output, pre-roll included. */
  framesDecoded: number;
  rawBytes: number;
  /** Deliveries sent, and those not released yet: not 0 after the end is a leak. */
  delivered: number;
  leased: number;
  /** Time the rings were full: consumers slower than the decoder. */
  starvedMs: number;
  ffmpegMs: number;
  /** Runs of ffmpeg: more than 1 when a resume had to seek further back. */
  attempts: number;
}

export function newStats(): DecodeStats {
  return { framesDecoded: 0, rawBytes: 0, delivered: 0, leased: 0, starvedMs: 0, ffmpegMs: 0, attempts: 0 };
}

/** A function that gives a lease back the first time and throws LEASE_DOUBLE_RELEASE after that. */
export function onceReleased(output: string, ptsUs: number, stats: DecodeStats, giveBack: () => boolean): () => void {
  let released = false;
  stats.delivered++;
  stats.leased++;
  return () => {
    if (released || !giveBack()) {
      throw new FlowError("LEASE_DOUBLE_RELEASE", `The lease of ${output} at ${ptsUs} µs was released twice.`, {
        hint: "This is a defect of flow or of a plugin: please report it with the graph.",
      });
    }
    released = true;
    stats.leased--;
  };
}
