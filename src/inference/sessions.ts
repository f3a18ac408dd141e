/**
 * ONNX Runtime sessions of one worker: one per file and device, made at first use, kept until the worker ends (create/release leaks).
 * A run is never aborted: the stop flag is read between runs.
 */
import { stat } from "node:fs/promises";
import type { InferenceSession } from "onnxruntime-node";
import { EXIT, FlowError, tensorText, type Device, type ModelHandle, type ModelManifest, type TensorInfo } from "../contracts/index.js";
import { mockRun } from "../models/mock.js";
import { joinRows } from "../models/rows.js";
import { canRelearn, relearn } from "../models/store/lock-change.js";
import { verifyModelShape } from "../models/verify-model.js";
import { difference, sampleFeeds } from "./agreement.js";
import { doubled, fixedBatch, freeRows, inParts, rowsAtOnce, sameBits, withoutFixed, type Feeds, type Fetched } from "./feeds.js";
import { largestFeeds, tryRows, type Trial, type Tried } from "./measure.js";
import type { Runtime, Session } from "./onnx.js";
import type { ModelWire, Prepared } from "./protocol.js";

export interface SessionOptions {
  runtime: Runtime;
  /** Throws when the pool is stopping. */
  checkStop(): void;
  /** Told after each successful run: rows that were asked for, padding not counted. */
  counted(model: string, rows: number): void;
  /** Told when a session has been made. */
  loaded(model: string): void;
  /** Told when a run was halved for want of memory: from now on so many rows at once. */
  limited(model: string, rows: number): void;
}

/** Rows of a batch that a device is timed with, and how often. */
const TIMED_ROWS = 16;
const TIMED_RUNS = 2;

/** Under what a model's limit of rows is remembered. */
export const limitKey = (manifest: Pick<ModelManifest, "sha256">, device: Device): string => `${manifest.sha256}:${device}`;

/** All sessions of this worker. */
export class Sessions {
  readonly #options: SessionOptions;
  readonly #sessions = new Map<string, Promise<Session>>();
  /** limitKey → rows that fit. */
  readonly #limits = new Map<string, number>();
  readonly #loners = new WeakMap<Session, Promise<boolean>>();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** The model's handle; opens its session if this worker has none for its file on this device. Throws MODEL_MISSING or MODEL_CORRUPT. */
  async handle(manifest: ModelManifest, { device = "cpu", maxRows = null, share = null }: Partial<Pick<ModelWire, "device" | "maxRows" | "share">> = {}): Promise<ModelHandle> {
    if (manifest.mock) return this.#standIn(manifest);
    if (manifest.runtime === "transformers") return this.#checkpoint(manifest);
    const limit = Math.min(maxRows ?? Number.POSITIVE_INFINITY, share ?? Number.POSITIVE_INFINITY, this.#limits.get(limitKey(manifest, device)) ?? Number.POSITIVE_INFINITY);
    if (Number.isFinite(limit)) this.#limits.set(limitKey(manifest, device), limit);
    const session = await this.#session(manifest, device, share);
    return {
      manifest,
      mock: false,
      device,
      count: (rows) => this.#options.counted(manifest.id, rows),
      checkStop: () => this.#options.checkStop(),
      run: async (feeds, { batched = false } = {}) => {
        requireFeeds(session, manifest, feeds);
        const fetched = await this.#run(session, manifest, device, feeds, batched);
        this.#options.counted(manifest.id, fixedBatch(session.inputs, feeds)?.rows ?? Object.values(feeds)[0]?.dims[0] ?? 1);
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
      checkStop: () => this.#options.checkStop(),
      run: async (feeds) => {
        this.#options.checkStop();
        this.#options.counted(manifest.id, Object.values(feeds)[0]?.dims[0] ?? 1);
        return mockRun(manifest, feeds);
      },
    };
  }

  /** The operator opens it by itself (src/models/transformers.ts): only the counts are ours. */
  #checkpoint(manifest: ModelManifest): ModelHandle {
    return {
      manifest,
      mock: false,
      device: "cpu",
      count: (rows) => this.#options.counted(manifest.id, rows),
      opened: () => this.#options.loaded(manifest.id),
      checkStop: () => this.#options.checkStop(),
      run: () => {
        throw new FlowError("MODEL_TASK", `model ${manifest.id} is a checkpoint for @huggingface/transformers, not one ONNX graph`, {
          hint: "Give the role a model whose manifest says `runtime: onnx`.",
          permanent: true,
        });
      },
    };
  }

  /** What the file declares. `release`: a session that was not there before does not stay. */
  async describe(manifest: ModelManifest, release = false): Promise<{ inputs: TensorInfo[]; outputs: TensorInfo[] }> {
    return this.#borrow(manifest, release, async (session) => ({ inputs: session.inputs.map(info), outputs: session.outputs.map(info) }));
  }

  /** What the model takes on the CPU. This process has opened no model before, and opens no other. */
  async measure(manifest: ModelManifest, rows: number): Promise<Trial> {
    const open = async (): Promise<Tried> => {
      const session = await this.#create(manifest, "cpu", true);
      return { inputs: session.inputs, infos: session.inputs.map(info), run: (feeds) => this.#once(session, feeds) };
    };
    return tryRows(manifest, rows, open, isOutOfMemory).catch((thrown: unknown) => {
      throw isOutOfMemory(thrown) ? outOfMemory(manifest, "cpu", `has not enough memory for ${rows === 1 ? "one row" : "two rows"}`, thrown) : thrown;
    });
  }

  /** The model's session on the CPU. */
  async #borrow<T>(manifest: ModelManifest, release: boolean, use: (session: Session) => Promise<T>): Promise<T> {
    const key = sessionKey(manifest, "cpu");
    const known = this.#sessions.has(key);
    const session = await this.#session(manifest, "cpu");
    try {
      return await use(session);
    } finally {
      if (release && !known) {
        this.#sessions.delete(key);
        await session.release();
      }
    }
  }

  /**
   * Opens the model on a device other than the CPU, runs it on made-up values and compares them with the CPU's. `check` null: does not compare. `against`: so many
   * workers of the CPU it has to be faster than. A device that is not to be used keeps nothing of the model.
   */
  async prepare(manifest: ModelManifest, device: Device, check: number | null, against: number | null = null): Promise<Prepared> {
    const found = await this.#tried(manifest, device, check, against).catch((thrown: unknown): Prepared => {
      // Another provider's refusal is a reason to take the next device; the model itself being missing is not.
      if (thrown instanceof FlowError && ["MODEL_MISSING", "MODEL_SHAPE", "CANCELLED"].includes(thrown.code)) throw thrown;
      return { ok: false, reason: firstLine(messageOf(thrown)) };
    });
    if (!found.ok) {
      const key = sessionKey(manifest, device);
      const session = await this.#sessions.get(key)?.catch(() => undefined);
      this.#sessions.delete(key);
      await session?.release();
    }
    return found;
  }

  async #tried(manifest: ModelManifest, device: Device, check: number | null, against: number | null): Promise<Prepared> {
    const session = await this.#session(manifest, device);
    verifyModelShape(manifest, session.inputs.map(info), session.outputs.map(info));
    const feeds = sampleFeeds(manifest, session.inputs.map(info));
    if (!feeds) return uncompared(manifest, check, "its inputs cannot be made up");
    const warm = await this.#run(session, manifest, device, feeds).catch((thrown: unknown) => toError(thrown));
    const working = { ok: true, difference: null, note: "not compared with the CPU" } as const;
    if (check === null && against === null && !(warm instanceof Error)) return working;
    let cpuMs = 0;
    const expected = await this.#borrow(manifest, true, async (reference) => {
      const fetched = await this.#run(reference, manifest, "cpu", feeds);
      if (against !== null) cpuMs = await this.#rowMs(reference, manifest, "cpu", feeds);
      return fetched;
    }).catch((thrown: unknown) => toError(thrown));
    // Values that the CPU refuses, too, say nothing of the device.
    if (expected instanceof Error) return uncompared(manifest, check, `it refuses made-up inputs (${firstLine(expected.message)})`);
    if (warm instanceof Error) throw warm;
    const apart = check === null ? null : difference(expected, warm);
    if (apart !== null && !(apart <= check!)) return { ok: false, reason: `${manifest.id} differs from the CPU by ${apart.toExponential(1)}, allowed are ${check!.toExponential(0)}` };
    const batch = against === null ? null : sampleFeeds(manifest, session.inputs.map(info), TIMED_ROWS);
    if (batch && cpuMs / against! < (await this.#rowMs(session, manifest, device, batch))) return { ok: false, reason: against === 1 ? "the CPU is faster" : `${against} workers of the CPU are faster` };
    return apart === null ? working : { ok: true, difference: apart, note: null };
  }

  /** The shortest of a few runs by its rows, after one that compiles what the device needs for this shape. */
  async #rowMs(session: Session, manifest: ModelManifest, device: Device, feeds: Feeds): Promise<number> {
    if (device !== "cpu") await this.#run(session, manifest, device, feeds);
    let least = Number.POSITIVE_INFINITY;
    for (let run = 0; run < TIMED_RUNS; run++) {
      const startedMs = performance.now();
      await this.#run(session, manifest, device, feeds);
      least = Math.min(least, performance.now() - startedMs);
    }
    return least / (freeRows(session.inputs, feeds)?.rows ?? 1);
  }

  #session(manifest: ModelManifest, device: Device, share: number | null = null): Promise<Session> {
    const key = sessionKey(manifest, device);
    let session = this.#sessions.get(key);
    if (!session) {
      session = share === null ? this.#create(manifest, device, false) : this.#createFilled(manifest, device, share);
      this.#sessions.set(key, session);
      session.catch(() => this.#sessions.delete(key));
    }
    return session;
  }

  /**
   * A session in a share of the memory. Its arena keeps what its runs took, and a larger run after smaller ones adds to what they left: rows of 1, 2, 4, 8 twice what eight
   * alone take, with a memory pattern per shape three times. After a run of all its rows everything fits into what that took.
   */
  async #createFilled(manifest: ModelManifest, device: Device, rows: number): Promise<Session> {
    const session = await this.#create(manifest, device, true);
    const feeds = largestFeeds(manifest, session.inputs.map(info), rows);
    if (feeds) {
      await this.#run(session, manifest, device, feeds).catch((thrown: unknown) => {
        if (thrown instanceof FlowError) throw thrown; // It refuses made-up values otherwise.
      });
    }
    return session;
  }

  async #create(manifest: ModelManifest, device: Device, tight: boolean): Promise<Session> {
    const { at } = fileOf(manifest, device);
    if (!(await stat(at).catch(() => null))?.isFile()) {
      throw new FlowError("MODEL_MISSING", `model ${manifest.id}: ${at} does not exist`, {
        hint: "Restore the file, then check with `flow doctor`.",
        exit: EXIT.environment,
      });
    }
    try {
      const session = await this.#options.runtime.open({ at, device, tight });
      if (session.made) this.#options.loaded(manifest.id);
      return session;
    } catch (cause) {
      if (isOutOfMemory(cause)) throw outOfMemory(manifest, device, "does not fit into memory", cause);
      if (device !== "cpu") throw cause;
      throw new FlowError("MODEL_CORRUPT", `model ${manifest.id}: ${at} does not open: ${messageOf(cause)}`, {
        hint: canRelearn(manifest)
          ? `Its hash was learned at the first download, which may not have been the model: ${relearn(manifest, manifest.id)}`
          : "The file is damaged or not an ONNX model of a supported opset; restore it, then check with `flow doctor`.",
        exit: EXIT.environment,
        cause,
      });
    }
  }

  /** One call: in runs of the file's fixed batch, of what fits into memory, or at once. */
  async #run(session: Session, manifest: ModelManifest, device: Device, feeds: Feeds, batched = false): Promise<Fetched> {
    const fixed = fixedBatch(session.inputs, feeds);
    if (fixed) return inParts(feeds, fixed, true, (part) => this.#once(session, part));
    const key = limitKey(manifest, device);
    const attempt = async (part: Feeds): Promise<Fetched> => {
      const rows = freeRows(session.inputs, part);
      const limit = Math.min(this.#limits.get(key) ?? Number.POSITIVE_INFINITY, rows && device === "cpu" ? rowsAtOnce(part, rows) : Number.POSITIVE_INFINITY);
      if (rows && rows.rows > limit) return inParts(part, { ...rows, batch: limit }, false, attempt);
      // What is left of a batch. Where rows run one by one anyway, all of them are alone.
      const left = rows?.rows === 1 && limit > 1 && device === "cpu" && (batched || part !== feeds);
      const twice = left && (await this.#differsAlone(session, manifest));
      try {
        if (twice) return joinRows([await this.#once(session, doubled(part, rows.names))], [2], 1);
        const fetched = await this.#once(session, part);
        if (rows || !batched) return fetched;
        // As many rows as the file fixes: they come back as they do when there are more.
        const count = Object.values(part)[0]?.dims[0] ?? 1;
        return joinRows([fetched], [count], count);
      } catch (cause) {
        if (!isOutOfMemory(cause)) throw cause;
        if (!rows || (rows.rows === 1 && !twice)) throw outOfMemory(manifest, device, "has not enough memory for one row", cause);
        this.#limit(key, Math.ceil(rows.rows / 2));
        return attempt(part);
      }
    };
    const fetched = await attempt(feeds);
    return batched && freeRows(session.inputs, feeds) ? withoutFixed(fetched, session.outputs) : fetched;
  }

  /**
   * Whether this file gives one row other bits than the same row among several: ONNX Runtime has other kernels for a matrix of one row, and sums
   * in another order where a dimension is 1 (about 1e-7). Found out once per session, on made-up values, so that no medium's content decides; four
   * rows' work. Two rows give what any number gives (test/inference/rows.test.ts).
   */
  #differsAlone(session: Session, manifest: ModelManifest): Promise<boolean> {
    const compare = async (): Promise<boolean> => {
      const feeds = sampleFeeds(manifest, session.inputs.map(info));
      const rows = feeds && freeRows(session.inputs, feeds);
      if (!feeds || rows?.rows !== 2) return true;
      try {
        const together = await this.#once(session, feeds);
        return !sameBits(together, await inParts(feeds, { ...rows, batch: 1 }, false, (part) => this.#once(session, part)));
      } catch (thrown) {
        if (thrown instanceof FlowError) throw thrown;
        return true; // It refuses made-up values: two rows are never wrong.
      }
    };
    let found = this.#loners.get(session);
    if (!found) {
      found = compare();
      this.#loners.set(session, found);
      found.catch(() => this.#loners.delete(session));
    }
    return found;
  }

  #limit(key: string, rows: number): void {
    if (rows >= (this.#limits.get(key) ?? Number.POSITIVE_INFINITY)) return;
    this.#limits.set(key, rows);
    this.#options.limited(key, rows);
  }

  #once(session: Session, feeds: Feeds): Promise<Fetched> {
    this.#options.checkStop();
    return session.run(feeds);
  }
}

/** ONNX Runtime's own refusal would read like a defect, and be tried again. */
function requireFeeds(session: Session, { id, origin }: ModelManifest, feeds: Feeds): void {
  const empty = session.inputs.filter(({ name }) => !Object.hasOwn(feeds, name)).map((meta) => tensorText(info(meta)));
  if (empty.length === 0) return;
  throw new FlowError("MODEL_INPUT", `model ${id}: nothing goes into ${empty.join(", ")}; the operator feeds ${Object.keys(feeds).join(", ")}`, {
    hint: `Use a file without ${empty.length > 1 ? "these inputs" : "this input"}, or one with a constant in ${empty.length > 1 ? "their" : "its"} place; ${origin} says which one runs.`,
    permanent: true,
  });
}

/** The ONNX file that this device runs. */
function fileOf(manifest: ModelManifest, device: Device): { at: string; sha256: string | null } {
  const own = manifest.precisions[device];
  const found = manifest.files.find((file) => (own === undefined ? file.at === manifest.file : file.path === own));
  return found ?? { at: manifest.file, sha256: null };
}

/** Two manifests of the same file share a session; labels and tokenizers beside it do not matter. */
function sessionKey(manifest: ModelManifest, device: Device): string {
  const { at, sha256 } = fileOf(manifest, device);
  return `${sha256 ?? at}:${device}`;
}

/** What ONNX Runtime, its providers and V8 say when an allocation fails. */
/** A device may compute something else without a word: Silero VAD on WebGPU (onnxruntime-node 1.30) hears a quarter less speech. */
function uncompared({ id }: ModelManifest, check: number | null, why: string): Prepared {
  if (check === null) return { ok: true, difference: null, note: `not compared with the CPU: ${why}` };
  return { ok: false, reason: `${id} cannot be compared with the CPU: ${why}; \`check: off\` uses it all the same` };
}

/** WebGPU has no word for a tensor that is larger than its largest buffer: the table of buffer sizes has no entry for it. */
function isOutOfMemory(thrown: unknown): boolean {
  return !(thrown instanceof FlowError) && /raw_hash_map<>::at|failed to allocate|out of (device )?memory|out_of_memory|bad_alloc|not enough memory|allocation failed/i.test(messageOf(thrown));
}

function outOfMemory(manifest: ModelManifest, device: Device, what: string, cause: unknown): FlowError {
  return new FlowError("OUT_OF_MEMORY", `model ${manifest.id} ${what} (${device}): ${firstLine(messageOf(cause))}`, {
    hint: "Fewer workers (`runtime: { workers: 1 }`), `schedule: stages`, or another device need less at once.",
    cause,
  });
}

function info(meta: InferenceSession.ValueMetadata): TensorInfo {
  return meta.isTensor ? { name: meta.name, type: meta.type, dims: meta.shape } : { name: meta.name, type: "not a tensor", dims: [] };
}

const toError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));
const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
/** The first line that says something, without the place in ONNX Runtime's source that found it. */
const firstLine = (text: string): string =>
  (text.split("\n").find((line) => line.trim() !== "") ?? text).trim().replace(/^\/\S+\.(cc|h):\d+ .*? was false\. /, "").slice(0, 300);
