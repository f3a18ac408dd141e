/**
 * ONNX Runtime sessions of one worker: one per model hash, made at first use, kept until the worker ends (create/release leaks).
 * `session.run()` blocks this thread and must never be aborted (SIGABRT of the whole process): the stop flag is read between runs.
 */
import { stat } from "node:fs/promises";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { EXIT, FlowError, type ModelHandle, type ModelManifest, type TensorInfo } from "../contracts/index.js";
import { mockRun } from "../models/mock.js";

type Feeds = Parameters<ModelHandle["run"]>[0];
type Fetched = Awaited<ReturnType<ModelHandle["run"]>>;

export interface SessionOptions {
  /** 1 keeps rows bit-identical at every batch size. */
  intraOpThreads: number;
  /** Throws when the pool is stopping. */
  checkStop(): void;
  /** Told after each successful run: rows that were asked for, padding not counted. */
  counted(model: string, rows: number): void;
}

/** All sessions of this worker. */
export class Sessions {
  readonly #options: SessionOptions;
  readonly #sessions = new Map<string, Promise<InferenceSession>>();
  #runtime: Promise<typeof import("onnxruntime-node")> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** The model's handle; opens its session if this worker has none for its hash. Throws MODEL_MISSING or MODEL_CORRUPT. */
  async handle(manifest: ModelManifest): Promise<ModelHandle> {
    if (manifest.mock) return this.#standIn(manifest);
    if (manifest.runtime === "transformers") return this.#checkpoint(manifest);
    const session = await this.#session(manifest);
    const runtime = await this.#loadRuntime();
    return {
      manifest,
      mock: false,
      device: "cpu",
      count: (rows) => this.#options.counted(manifest.id, rows),
      run: async (feeds) => {
        const fixed = fixedBatch(session, feeds);
        const fetched = fixed ? await this.#loop(runtime, session, feeds, fixed) : await this.#once(runtime, session, feeds);
        this.#options.counted(manifest.id, fixed?.rows ?? Object.values(feeds)[0]?.dims[0] ?? 1);
        return fetched;
      },
    };
  }

  #standIn(manifest: ModelManifest): ModelHandle {
    return {
      manifest,
      mock: true,
      device: "cpu",
      count: (rows) => this.#options.counted(manifest.id, rows),
      run: async (feeds) => {
        this.#options.checkStop();
        const rows = Object.values(feeds)[0]?.dims[0] ?? 1;
        this.#options.counted(manifest.id, rows);
        return mockRun(manifest, feeds);
      },
    };
  }

  /** The operator opens it by itself (src/models/transformers.ts): only the count is ours. */
  #checkpoint(manifest: ModelManifest): ModelHandle {
    return {
      manifest,
      mock: false,
      device: "cpu",
      count: (rows) => this.#options.counted(manifest.id, rows),
      run: () => {
        throw new FlowError("MODEL_TASK", `model ${manifest.id} is a checkpoint for @huggingface/transformers, not one ONNX graph`, {
          hint: "Give the role a model whose manifest says `runtime: onnx`.",
          permanent: true,
        });
      },
    };
  }

  /** What the file declares. */
  async describe(manifest: ModelManifest): Promise<{ inputs: TensorInfo[]; outputs: TensorInfo[] }> {
    const session = await this.#session(manifest);
    return { inputs: session.inputMetadata.map(info), outputs: session.outputMetadata.map(info) };
  }

  #session(manifest: ModelManifest): Promise<InferenceSession> {
    let session = this.#sessions.get(manifest.sha256);
    if (!session) {
      session = this.#create(manifest);
      this.#sessions.set(manifest.sha256, session);
      session.catch(() => this.#sessions.delete(manifest.sha256));
    }
    return session;
  }

  #loadRuntime(): Promise<typeof import("onnxruntime-node")> {
    this.#runtime ??= import("onnxruntime-node");
    return this.#runtime;
  }

  async #create(manifest: ModelManifest): Promise<InferenceSession> {
    if (!(await stat(manifest.file).catch(() => null))?.isFile()) {
      throw new FlowError("MODEL_MISSING", `model ${manifest.id}: ${manifest.file} does not exist`, {
        hint: "Restore the file, then check with `flow doctor`.",
        exit: EXIT.environment,
      });
    }
    const runtime = await this.#loadRuntime();
    try {
      return await runtime.InferenceSession.create(manifest.file, {
        executionProviders: ["cpu"],
        intraOpNumThreads: this.#options.intraOpThreads,
        interOpNumThreads: 1,
        executionMode: "sequential",
        graphOptimizationLevel: "all",
        logSeverityLevel: 3,
        // A spinning thread takes its core from the decoder beside it.
        extra: { session: { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } } },
      });
    } catch (cause) {
      throw new FlowError("MODEL_CORRUPT", `model ${manifest.id}: ${manifest.file} does not open: ${messageOf(cause)}`, {
        hint: "The file is damaged or not an ONNX model of a supported opset; restore it, then check with `flow doctor`.",
        exit: EXIT.environment,
        cause,
      });
    }
  }

  async #once(runtime: typeof import("onnxruntime-node"), session: InferenceSession, feeds: Feeds): Promise<Fetched> {
    this.#options.checkStop();
    const tensors: Record<string, Tensor> = {};
    for (const [name, { data, dims }] of Object.entries(feeds)) {
      tensors[name] =
        data instanceof Float32Array
          ? new runtime.Tensor("float32", data, dims)
          : data instanceof Int32Array
            ? new runtime.Tensor("int32", data, dims)
            : new runtime.Tensor("int64", data, dims);
    }
    const outputs = await session.run(tensors);
    const fetched: Fetched = {};
    for (const [name, tensor] of Object.entries(outputs)) {
      const data = tensor.data;
      fetched[name] = {
        data: data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number | bigint>, Number),
        dims: [...tensor.dims],
      };
    }
    return fetched;
  }

  /** Chunks of the model's fixed batch, the last one padded with zeros; outputs joined along their first dimension. */
  async #loop(runtime: typeof import("onnxruntime-node"), session: InferenceSession, feeds: Feeds, fixed: FixedBatch): Promise<Fetched> {
    const parts: Fetched[] = [];
    for (let start = 0; start < fixed.rows; start += fixed.batch) {
      const chunk: Feeds = {};
      for (const [name, feed] of Object.entries(feeds)) {
        chunk[name] = fixed.names.has(name) ? cutRows(feed, start, fixed.batch) : feed;
      }
      parts.push(await this.#once(runtime, session, chunk));
    }
    return joinRows(parts, fixed.rows);
  }
}

interface FixedBatch {
  rows: number;
  batch: number;
  names: Set<string>;
}

/** Inputs whose first dimension the file fixes at another size than the rows offered. */
function fixedBatch(session: InferenceSession, feeds: Feeds): FixedBatch | null {
  const names = new Set<string>();
  let rows = 0;
  let batch = 0;
  for (const meta of session.inputMetadata) {
    const feed = feeds[meta.name];
    const first = meta.isTensor ? meta.shape[0] : undefined;
    if (!feed || typeof first !== "number" || first < 1 || feed.dims[0] === undefined || feed.dims[0] === first) continue;
    names.add(meta.name);
    rows = feed.dims[0];
    batch = first;
  }
  return names.size > 0 ? { rows, batch, names } : null;
}

function cutRows(feed: Feeds[string], start: number, count: number): Feeds[string] {
  const rows = feed.dims[0] ?? 1;
  const stride = feed.data.length / rows;
  const dims = [count, ...feed.dims.slice(1)];
  if (start + count <= rows) return { data: feed.data.slice(start * stride, (start + count) * stride), dims };
  const Data = feed.data.constructor as new (length: number) => Float32Array;
  const padded = new Data(count * stride);
  padded.set((feed.data as Float32Array).subarray(start * stride), 0);
  return { data: padded, dims };
}

function joinRows(parts: Fetched[], rows: number): Fetched {
  const joined: Fetched = {};
  for (const [name, first] of Object.entries(parts[0] ?? {})) {
    const stride = first.data.length / (first.dims[0] ?? 1);
    const data = new Float32Array(rows * stride);
    let offset = 0;
    for (const part of parts) {
      const from = part[name]?.data ?? new Float32Array(0);
      data.set(from.subarray(0, Math.min(from.length, data.length - offset)), offset);
      offset += from.length;
    }
    joined[name] = { data, dims: [rows, ...first.dims.slice(1)] };
  }
  return joined;
}

function info(meta: InferenceSession.ValueMetadata): TensorInfo {
  return meta.isTensor ? { name: meta.name, type: meta.type, dims: meta.shape } : { name: meta.name, type: "not a tensor", dims: [] };
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
