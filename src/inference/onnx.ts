/** ONNX Runtime in this thread: opening files and running them. `session.run()` blocks the thread and must never be aborted (SIGABRT of the whole process). */
import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { Device } from "../contracts/index.js";
import { providersOf } from "./devices.js";
import { elementsOf, floatsOf, typeOf } from "./element-types.js";
import type { Feeds, Fetched, Metadata } from "./feeds.js";

/** What is opened, and for what. `tight`: as little memory as it goes; such a session keeps no pattern of memory per shape. */
export interface SessionRequest {
  /** Absolute path. */
  at: string;
  device: Device;
  tight: boolean;
}

/** An open file. */
export interface Session {
  inputs: Metadata;
  outputs: Metadata;
  /** Whether it was made for this request. */
  made: boolean;
  run(feeds: Feeds): Promise<Fetched>;
  /** Nothing runs in it any more. */
  release(): Promise<void>;
}

/** Where the sessions of a worker live. Rejects with what ONNX Runtime says. */
export interface Runtime {
  open(request: SessionRequest): Promise<Session>;
}

/** Tensors by name, as the file has them: what goes to ONNX Runtime and what comes from it. */
export type Elements = Record<string, { type: Tensor.Type; data: Tensor["data"]; dims: readonly number[] }>;

export class OnnxRuntime implements Runtime {
  readonly #intraOpThreads: number;

  constructor(intraOpThreads: number) {
    this.#intraOpThreads = intraOpThreads;
  }

  async open(request: SessionRequest): Promise<Session> {
    const session = await openSession(request, this.#intraOpThreads);
    const { inputMetadata: inputs, outputMetadata: outputs } = session;
    return { inputs, outputs, made: true, run: async (feeds) => fetchedOf(await runSession(session, elementsFor(feeds, inputs))), release: () => session.release() };
  }
}

export async function openSession({ at, device, tight }: SessionRequest, intraOpThreads: number): Promise<InferenceSession> {
  const runtime = await import("onnxruntime-node");
  return runtime.InferenceSession.create(at, {
    executionProviders: providersOf(device),
    intraOpNumThreads: intraOpThreads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    enableMemPattern: !tight,
    logSeverityLevel: 3,
    // A spinning thread takes its core from the decoder beside it.
    extra: { session: { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } } },
  });
}

export async function runSession(session: InferenceSession, elements: Elements): Promise<Elements> {
  const runtime = await import("onnxruntime-node");
  const tensors: Record<string, Tensor> = {};
  for (const [name, { type, data, dims }] of Object.entries(elements)) {
    // As uint16 by another name: of a Float16Array, which Tensor makes of halves where there is one (Node 24), the binding reads no bytes (onnxruntime-node 1.30).
    if (type === "float16") tensors[name] = Object.assign(new runtime.Tensor("uint16", data as Uint16Array, dims), { type });
    else tensors[name] = new runtime.Tensor(type as "float32", data as Float32Array, dims);
  }
  return (await session.run(tensors)) as unknown as Elements;
}

/** Feeds in the types that the file's inputs have. */
export function elementsFor(feeds: Feeds, inputs: Metadata): Elements {
  const elements: Elements = {};
  for (const [name, { data, dims }] of Object.entries(feeds)) {
    const meta = inputs.find((input) => input.name === name);
    const type = meta?.isTensor ? meta.type : typeOf(data);
    elements[name] = { type, data: elementsOf(data, type) as Tensor["data"], dims };
  }
  return elements;
}

/** What a run gave, as floats. */
export function fetchedOf(elements: Elements): Fetched {
  const fetched: Fetched = {};
  for (const [name, { type, data, dims }] of Object.entries(elements)) fetched[name] = { data: floatsOf(type, data), dims: [...dims] };
  return fetched;
}
