import { createHash } from "node:crypto";
import type { DecodeSpec, Delivery, MediumInfo, TapRef } from "../../src/contracts/media.js";
import { openDecode, type DecodeStats } from "../../src/media/index.js";

export interface SeenItem {
  output: string;
  ptsUs: number;
  frame: number;
  adler: number;
  samples: number;
  hash: string;
}

export interface SeenRow {
  ptsUs: number;
  adler: number | null;
  values: number[];
}

export interface Seen {
  items: SeenItem[];
  rows: Record<string, SeenRow[]>;
  ends: Record<string, { endUs: number; items: number }>;
  watermarks: Record<string, number[]>;
  health: string[];
  starving: number;
  stats: DecodeStats;
  /** Items that came behind the watermark of their output. */
  late: number;
}

export const tapRef = (name: string): TapRef => ({ module: new URL("./probe-taps.js", import.meta.url).href, export: name, config: null });

export const hashOf = (delivery: Delivery): string =>
  createHash("sha1").update(new Uint8Array(delivery.slot.buffer, delivery.slot.byteOffset, delivery.slot.byteLength)).digest("hex");

/** Every frame small for a tap, fps samples and 5 s sound windows as deliveries. */
export function usualSpec(fps = 2): DecodeSpec {
  return {
    video: [
      { key: "scores", demand: { size: { longest: 128 }, fps: "all", geometry: "coded" }, slots: 2, deliver: false, taps: [{ key: "mean", tap: tapRef("meanTap") }] },
      { key: "embed", demand: { size: [64, 64], fps, geometry: "display" }, slots: 4, deliver: true, taps: [] },
    ],
    audio: [
      { key: "sound", demand: { sampleRate: 16000, channels: 1, windowUs: 1_000_000, hopUs: 1_000_000 }, slots: 3, deliver: true, taps: [{ key: "energy", tap: tapRef("energyTap") }] },
    ],
  };
}

/** Runs a decode to its end. `hold` may keep a delivery and release it later (`starved` tells when it must); without it each is released at once. */
export async function collect(info: MediumInfo, spec: DecodeSpec, hold?: (delivery: Delivery) => void, starved?: (output: string) => void): Promise<Seen> {
  const decode = openDecode(info, spec);
  const seen: Seen = { items: [], rows: {}, ends: {}, watermarks: {}, health: [], starving: 0, stats: decode.stats as DecodeStats, late: 0 };
  const reached = new Map<string, number>();
  const check = (output: string, ptsUs: number): void => void (ptsUs < (reached.get(output) ?? -Infinity) && seen.late++);
  await new Promise<void>((resolve, reject) => {
    decode.events.subscribe({
      next: (event) => {
        if (event.type === "delivery") {
          const { delivery } = event;
          const { output, ptsUs, frame, adler, samples } = delivery;
          check(output, ptsUs);
          seen.items.push({ output, ptsUs, frame, adler, samples, hash: hashOf(delivery) });
          if (hold) hold(delivery);
          else delivery.release();
        } else if (event.type === "rows") {
          const rows = (seen.rows[event.tap] ??= []);
          const width = event.columns.length;
          for (const [i, ptsUs] of event.ptsUs.entries()) {
            check(event.output, ptsUs);
            rows.push({ ptsUs, adler: event.adler?.[i] ?? null, values: [...event.data.subarray(i * width, (i + 1) * width)] });
          }
        } else if (event.type === "watermark") {
          reached.set(event.output, event.ptsUs);
          (seen.watermarks[event.output] ??= []).push(event.ptsUs);
        } else if (event.type === "end") seen.ends[event.output] = { endUs: event.endUs, items: event.items };
        else if (event.type === "health") seen.health.push(event.message);
        else if (event.type === "starving") {
          seen.starving++;
          starved?.(event.output);
        }
      },
      error: reject,
      complete: resolve,
    });
  });
  return seen;
}
