import type { Device, DeviceOrder, EachInputs, FlowErrorData, GridItem, Interval, MediumInfo, ModelManifest } from "../contracts/index.js";

/** One item of an `each` / `eachBatch` call. */
export interface EachItem {
  inputs: EachInputs;
  medium: MediumInfo;
  interval: Interval;
}

/** Where a call runs. Left out: the CPU, in the pool's kind of worker. */
export interface CallRuntime {
  /** Role → what to try, in order; a role that is not named runs on the CPU. */
  devices?: Readonly<Record<string, DeviceOrder>>;
  /** Largest difference from the CPU that another device may show at its start, relative to max(1, |value|); null: not compared. Default {@link DEFAULT_CHECK}. */
  check?: number | null;
  isolation?: "thread" | "process";
  /** After this long a call of `isolation: process` is killed. null: never. */
  timeoutMs?: number | null;
}

interface CallBase {
  /** `OperatorDefinition.module`: the file: URL that the worker imports. */
  module: string;
  /** Name of the operator defined there. */
  operator: string;
  node: string;
  /** Parsed by the operator's schema; structured-clone safe. */
  config: unknown;
  /** Role → manifest. */
  models: Record<string, ModelManifest>;
  runtime?: CallRuntime;
}

/** What the engine asks of the pool: one call of one node. Pixels stay where they are: a GridItem carries a SlotRef only. */
export type PoolCall =
  | (CallBase & { kind: "batch"; items: GridItem[] })
  | (CallBase & { kind: "each" | "eachBatch"; items: EachItem[] });

/** Result i belongs to item i. `value`: Float32Array | Uint8Array (batch), OutputValues | Skip (each, eachBatch). */
export type PoolResult = { ok: true; value: unknown } | { ok: false; error: FlowErrorData; permanent: boolean };

/** A manifest as it crosses: one string, parsed once per worker (a clone of the object would cost every call). */
export interface ModelWire {
  key: string;
  json: string;
  device: Device;
  /** Rows of one run that are known to fit into memory; null: no run has failed. */
  maxRows: number | null;
  /** Rows of one run that the model's share of `limits: { rss }` has room for; null: there is no limit. */
  share: number | null;
}

export type WorkerTask =
  | { type: "call"; call: Omit<PoolCall, "models" | "items" | "runtime"> & { items: (GridItem | EachItem)[] }; models: Record<string, ModelWire> }
  /** Opens sessions. `gate`: workers that have arrived; each waits for `count`, so that every worker takes exactly one. */
  | { type: "warm"; models: ModelWire[]; gate?: Int32Array; count?: number }
  /** `shape`: the file is opened and its names and shapes are compared, not only its bytes; `reads`: outputs that the graph names. `release`: the session that it opens is closed again. */
  | { type: "verify"; model: ModelWire; shape: boolean; reads: readonly string[]; release: boolean }
  /** Finds out what a run of so many rows takes, in a process that has done nothing else; the one result is a Trial. */
  | { type: "measure"; model: ModelWire; rows: number }
  /**
   * Opens the model on its device, runs it once and compares it with the CPU; the one result is a {@link Prepared}. `against`: so many workers of the CPU it has to be
   * faster than; null: no matter.
   */
  | { type: "prepare"; model: ModelWire; check: number | null; against: number | null };

/** What `prepare` found out. `reason`: why the device is not used. */
export type Prepared = { ok: true; difference: number | null; note: string | null } | { ok: false; reason: string };

/** What one task cost and taught. */
export interface Spent {
  /** Rows by model id. */
  rows: Record<string, number>;
  /** Sessions made, by model id. */
  loads: Record<string, number>;
  /** `sha256:device` → rows that fit, when a run had to be halved for want of memory. */
  limits: Record<string, number>;
  busyMs: number;
  worker: number;
}

/** Errors travel as values: a structured clone of a FlowError would lose its fields. */
export type WorkerReply = ({ ok: true; results: PoolResult[] } & Spent) | ({ ok: false; error: FlowErrorData; permanent: boolean } & Spent);

/** What each worker gets at its start. */
export interface WorkerSetup {
  /** [0] ≠ 0: run nothing more. A process has its own and is told by message. */
  stop: Int32Array;
  intraOpThreads: number;
}

/** Agreement with the CPU that results under one memo key may rely on (DESIGN §5: GPUs within 1e-3 of the CPU). */
export const DEFAULT_CHECK = 1e-3;
