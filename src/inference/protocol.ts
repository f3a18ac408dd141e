import type { EachInputs, FlowErrorData, GridItem, Interval, MediumInfo, ModelManifest } from "../contracts/index.js";

/** One item of an `each` / `eachBatch` call. */
export interface EachItem {
  inputs: EachInputs;
  medium: MediumInfo;
  interval: Interval;
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
}

export type WorkerTask =
  | { type: "call"; call: Omit<PoolCall, "models" | "items"> & { items: (GridItem | EachItem)[] }; models: Record<string, ModelWire> }
  /** `gate`: workers that have arrived; each waits for `count`, so that every worker takes exactly one. */
  | { type: "warm"; models: ModelWire[]; gate: Int32Array; count: number }
  | { type: "verify"; model: ModelWire };

/** Errors travel as values: a structured clone of a FlowError would lose its fields. */
export type WorkerReply =
  | { ok: true; results: PoolResult[]; rows: Record<string, number>; busyMs: number; worker: number }
  | { ok: false; error: FlowErrorData; permanent: boolean; busyMs: number; worker: number };

/** What `Piscina` hands to each worker at its start. */
export interface WorkerSetup {
  /** [0] ≠ 0: run nothing more. */
  stop: Int32Array;
  intraOpThreads: number;
}
