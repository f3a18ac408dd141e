import { DEVICES, parseDurationUs, type Device, type DeviceOrder, type NodeRuntime } from "../contracts/index.js";
import type { Reporter } from "./problems.js";
import { describe, isBroken, type At, type ScalarTree, type Tree } from "./tree.js";

export interface RuntimeSyntax {
  workers: number | null;
  mediaInFlight: number | null;
  scenesInFlight: number | null;
  slots: { value: number; at: At } | null;
  blockUs: number | null;
  rssBytes: { value: number; at: At } | null;
  vramBytes: number | null;
  schedule: "stream" | "stages" | "auto";
  pool: WorkerSyntax;
}

/** What a graph, and any node of it, says of its workers; null: nothing. `check`: "off" compares nothing. */
export interface WorkerSyntax {
  device: DeviceOrder | null;
  check: number | "off" | null;
  isolation: NodeRuntime["isolation"] | null;
  timeout: { ms: number; at: At } | null;
}

type Read = (tree: ScalarTree) => string | null;
/** Reads a value that may be a list. */
type ReadTree = { tree: (tree: Tree) => string | null };
type Shape = { [key: string]: Read | ReadTree | Shape };

const BYTES: Readonly<Record<string, number>> = { KB: 1e3, MB: 1e6, GB: 1e9, KIB: 1024, MIB: 1024 ** 2, GIB: 1024 ** 3 };

/** "2GB", "512MiB" or a number of bytes; null when it is neither. */
export function parseBytes(value: unknown): number | null {
  if (typeof value === "number") return Number.isInteger(value) && value > 0 ? value : null;
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]i?b)$/i.exec(String(value));
  return match ? Math.round(Number(match[1]) * (BYTES[(match[2] ?? "").toUpperCase()] ?? 0)) : null;
}

export function readRuntime(tree: Tree | null, report: Reporter): RuntimeSyntax {
  const runtime: RuntimeSyntax = { workers: null, mediaInFlight: null, scenesInFlight: null, slots: null, blockUs: null, rssBytes: null, vramBytes: null, schedule: "auto", pool: noWorkers() };
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
        vram: ({ value }) => {
          const bytes = value === "auto" ? null : parseBytes(value);
          if (value !== "auto" && bytes === null) return '"8GB", "512MiB" or auto';
          runtime.vramBytes = bytes;
          return null;
        },
      },
      device: deviceOf(runtime.pool),
      check: checkOf(runtime.pool),
      pools: { inference: { workers: integer(256, (value) => (runtime.workers = value)), isolation: isolationOf(runtime.pool), timeout: timeoutOf(runtime.pool) } },
      schedule: ({ value }) => {
        if (value !== "stream" && value !== "stages" && value !== "auto") return "stream, stages or auto";
        runtime.schedule = value;
        return null;
      },
    }, report);
  }
  return runtime;
}

const noWorkers = (): WorkerSyntax => ({ device: null, check: null, isolation: null, timeout: null });

/** `runtime:` of a node. */
export function readNodeRuntime(tree: Tree | null, report: Reporter): WorkerSyntax {
  const syntax = noWorkers();
  if (tree) readShape(tree, "runtime", { device: deviceOf(syntax), check: checkOf(syntax), isolation: isolationOf(syntax), timeout: timeoutOf(syntax) }, report);
  return syntax;
}

/** A timeout ends a process; a thread in the middle of a run cannot be ended. */
export function checkTimeout(syntax: WorkerSyntax, isolation: NodeRuntime["isolation"], report: Reporter): void {
  if (!syntax.timeout || isolation === "process") return;
  report.add("TIMEOUT_NEEDS_PROCESS", syntax.timeout.at, "A run in a thread cannot be ended: a timeout needs a process of its own.", { found: "isolation: thread", expected: "isolation: process", hint: "Write isolation: process beside the timeout." });
}

const DEVICE_WORDS = `auto, ${DEVICES.join(", ")}`;

/** `auto`, a device (then the CPU, if it does not work) or a list in order of preference (then nothing else). Text: what was expected. */
export function readDevice(tree: Tree): DeviceOrder | string {
  const isDevice = (value: unknown): value is Device => DEVICES.includes(value as Device);
  if (tree.kind === "scalar") {
    if (tree.value === "auto") return "auto";
    if (isDevice(tree.value)) return tree.value === "cpu" ? ["cpu"] : [tree.value, "cpu"];
    return `EXPECTED ${DEVICE_WORDS}, or a list of them in order of preference`;
  }
  const items = tree.kind === "list" ? tree.items.map((item) => (item.kind === "scalar" ? item.value : null)) : [];
  if (items.length === 0 || !items.every(isDevice) || new Set(items).size !== items.length) return `EXPECTED a list of ${DEVICES.join(", ")}, each once`;
  return items;
}

export const isOrder = (read: DeviceOrder | string): read is DeviceOrder => typeof read !== "string" || read === "auto";
export const expectedOf = (read: string): string => read.replace(/^EXPECTED /, "");

const deviceOf = (syntax: WorkerSyntax): ReadTree => ({
  tree: (tree) => {
    const read = readDevice(tree);
    if (!isOrder(read)) return expectedOf(read);
    syntax.device = read;
    return null;
  },
});
const checkOf = (syntax: WorkerSyntax): Read => ({ value }) => {
  if (value !== "off" && !(typeof value === "number" && value >= 0 && value <= 1)) return "a number from 0 to 1, or off";
  syntax.check = value;
  return null;
};
const isolationOf = (syntax: WorkerSyntax): Read => ({ value }) => {
  if (value !== "thread" && value !== "process") return "thread or process";
  syntax.isolation = value;
  return null;
};
const timeoutOf = (syntax: WorkerSyntax): Read => ({ value, at }) => {
  const us = parseDurationUs(value);
  if (us === null || us < 100_000) return 'a duration of at least "100ms"';
  syntax.timeout = { ms: us / 1_000, at };
  return null;
};

function readShape(tree: Tree, what: string, shape: Shape, report: Reporter): void {
  if (isBroken(tree)) return;
  if (tree.kind !== "map") {
    report.add("NOT_A_MAP", tree.at, `\`${what}:\` is a mapping, not ${describe(tree)}.`, { found: describe(tree), expected: `{ ${Object.keys(shape).join(", ")} }` });
    return;
  }
  for (const [key, entry] of tree.entries) {
    const read = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (!read) report.add("UNKNOWN_KEY", entry.keyAt, `\`${what}:\` has no key ${key}.`, { found: key, among: Object.keys(shape) });
    else if (typeof read !== "function" && isReadTree(read)) {
      const expected = entry.value.kind === "scalar" && entry.value.broken ? null : read.tree(entry.value);
      if (expected !== null) report.add("WRONG_TYPE", entry.value.at, `${what}.${key} cannot be ${describe(entry.value)}.`, { found: describe(entry.value), expected });
    } else if (typeof read !== "function") readShape(entry.value, `${what}.${key}`, read, report);
    else if (!(entry.value.kind === "scalar" && entry.value.broken)) {
      const expected = entry.value.kind === "scalar" ? read(entry.value) : "a single value";
      if (expected !== null) report.add("WRONG_TYPE", entry.value.at, `${what}.${key} cannot be ${describe(entry.value)}.`, { found: describe(entry.value), expected });
    }
  }
}

const isReadTree = (read: ReadTree | Shape): read is ReadTree => typeof read["tree"] === "function";
