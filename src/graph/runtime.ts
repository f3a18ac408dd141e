import { parseDurationUs } from "../contracts/index.js";
import type { Reporter } from "./problems.js";
import { describe, type At, type ScalarTree, type Tree } from "./tree.js";

export interface RuntimeSyntax {
  workers: number | null;
  mediaInFlight: number | null;
  scenesInFlight: number | null;
  slots: { value: number; at: At } | null;
  blockUs: number | null;
  rssBytes: { value: number; at: At } | null;
}

type Read = (tree: ScalarTree) => string | null;
type Shape = { [key: string]: Read | Shape };

const BYTES: Readonly<Record<string, number>> = { KB: 1e3, MB: 1e6, GB: 1e9, KIB: 1024, MIB: 1024 ** 2, GIB: 1024 ** 3 };

/** "2GB", "512MiB" or a number of bytes; null when it is neither. */
export function parseBytes(value: unknown): number | null {
  if (typeof value === "number") return Number.isInteger(value) && value > 0 ? value : null;
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]i?b)$/i.exec(String(value));
  return match ? Math.round(Number(match[1]) * (BYTES[(match[2] ?? "").toUpperCase()] ?? 0)) : null;
}

export function readRuntime(tree: Tree | null, report: Reporter): RuntimeSyntax {
  const runtime: RuntimeSyntax = { workers: null, mediaInFlight: null, scenesInFlight: null, slots: null, blockUs: null, rssBytes: null };
  const integer = (max: number, take: (value: number, at: At) => void): Read => ({ value, at }) => {
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > max) return `an integer from 1 to ${max}`;
    take(value, at);
    return null;
  };
  if (tree) {
    readShape(tree, "runtime", {
      workers: integer(256, (value) => (runtime.workers = value)),
      media_in_flight: integer(64, (value) => (runtime.mediaInFlight = value)),
      scenes_in_flight: integer(4096, (value) => (runtime.scenesInFlight = value)),
      slots: integer(65_536, (value, at) => (runtime.slots = { value, at })),
      block: ({ value }) => {
        const us = parseDurationUs(value);
        if (us === null || us < 1_000_000 || us > 600_000_000) return 'a duration from "1s" to "10m"';
        runtime.blockUs = us;
        return null;
      },
      limits: {
        rss: ({ value, at }) => {
          const bytes = value === "auto" ? null : parseBytes(value);
          if (value !== "auto" && bytes === null) return '"2GB", "512MiB" or auto';
          if (bytes !== null) runtime.rssBytes = { value: bytes, at };
          return null;
        },
        vram: ({ value, at }) => {
          if (value !== "auto") report.add("NOT_SUPPORTED", at, "Models run on the CPU, so a limit of video memory has nothing to limit.", { found: String(value), expected: "auto", hint: "Write vram: auto or leave it out." });
          return null;
        },
      },
      pools: { inference: { workers: integer(256, (value) => (runtime.workers = value)) } },
      schedule: ({ value, at }) => {
        if (value === "stages") report.add("NOT_SUPPORTED", at, "Running in passes (one model at a time) comes later.", { found: "stages", expected: "stream", hint: "Write schedule: stream or leave it out." });
        else if (value !== "stream") return "stream";
        return null;
      },
    }, report);
  }
  return runtime;
}

function readShape(tree: Tree, what: string, shape: Shape, report: Reporter): void {
  if (tree.kind !== "map") {
    report.add("NOT_A_MAP", tree.at, `\`${what}:\` is a mapping, not ${describe(tree)}.`, { found: describe(tree), expected: `{ ${Object.keys(shape).join(", ")} }` });
    return;
  }
  for (const [key, entry] of tree.entries) {
    const read = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (!read) report.add("UNKNOWN_KEY", entry.keyAt, `\`${what}:\` has no key ${key}.`, { found: key, among: Object.keys(shape) });
    else if (typeof read !== "function") readShape(entry.value, `${what}.${key}`, read, report);
    else if (!(entry.value.kind === "scalar" && entry.value.broken)) {
      const expected = entry.value.kind === "scalar" ? read(entry.value) : "a single value";
      if (expected !== null) report.add("WRONG_TYPE", entry.value.at, `${what}.${key} cannot be ${describe(entry.value)}.`, { found: describe(entry.value), expected });
    }
  }
}
