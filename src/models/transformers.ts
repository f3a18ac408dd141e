/**
 * @huggingface/transformers inside a pool worker: tokenizers, processors, models and pipelines from a model's own folder. Nothing is ever
 * fetched. The library is imported when a model first needs it, and what was opened stays until the worker ends.
 */
import { stat, readFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { EXIT, FlowError, type ModelHandle, type ModelManifest } from "../contracts/index.js";
import { canRelearn, relearn } from "./store/lock-change.js";
import { refuseTelemetry } from "./telemetry.js";
import { missingFiles } from "./verify-model.js";

export type Transformers = typeof import("@huggingface/transformers");
export type Tokenizer = import("@huggingface/transformers").PreTrainedTokenizer;
export type Processor = import("@huggingface/transformers").Processor;
export type FeatureExtractor = import("@huggingface/transformers").FeatureExtractor;
export type Model = import("@huggingface/transformers").PreTrainedModel;
type Loaders = { [K in keyof Transformers]: Transformers[K] extends { from_pretrained: (...args: never[]) => unknown } ? K : never }[keyof Transformers];
/** Name of a class of the library that opens a checkpoint: `AutoModelForVision2Seq`, `Florence2ForConditionalGeneration` … */
export type ModelClass = Loaders;

let library: Promise<Transformers> | undefined;

/** The library, set up once per worker: local files only, no caches of its own, silent. */
export function loadTransformers(): Promise<Transformers> {
  refuseTelemetry();
  library ??= import("@huggingface/transformers").then((loaded) => {
    const { env } = loaded;
    env.allowRemoteModels = false;
    env.allowLocalModels = true;
    env.useFSCache = false;
    env.useBrowserCache = false;
    env.useWasmCache = false;
    // A failed run would print whole tensors; its error says what is needed.
    env.logLevel = loaded.LogLevel.NONE;
    env.fetch = () => Promise.reject(new Error("flow fetches models with `flow models pull` only"));
    return loaded;
  });
  return library;
}

const opened = new Map<string, Promise<unknown>>();

/** One object per worker, files and kind: two manifests of the same files (a vision tower and the model around it) share it. A failed attempt is not kept. */
function once<T>(manifest: ModelManifest, kind: string, open: () => Promise<T>): Promise<T> {
  const key = `${kind}\n${manifest.sha256}\n${JSON.stringify(manifest.settings["dtype"] ?? null)}`;
  let found = opened.get(key) as Promise<T> | undefined;
  if (!found) {
    found = guarded(manifest, open);
    opened.set(key, found);
    found.catch(() => opened.delete(key));
  }
  return found;
}

/** The model's tokenizer (tokenizer.json, tokenizer_config.json), also of a model that runs in flow's own sessions. @throws FlowError MODEL_MISSING, MODEL_CORRUPT */
export function openTokenizer(manifest: ModelManifest): Promise<Tokenizer> {
  return once(manifest, "tokenizer", async () => {
    const folder = await folderOf(manifest, ["tokenizer.json", "tokenizer_config.json"]);
    return (await loadTransformers()).AutoTokenizer.from_pretrained(folder, { local_files_only: true });
  });
}

/** The model's processor (preprocessor_config.json, with its tokenizer where the class wants one). @throws FlowError MODEL_MISSING, MODEL_CORRUPT */
export function openProcessor(manifest: ModelManifest): Promise<Processor> {
  return once(manifest, "processor", async () => {
    const folder = await folderOf(manifest, ["preprocessor_config.json"]);
    return (await loadTransformers()).AutoProcessor.from_pretrained(folder, { local_files_only: true });
  });
}

/** The model's feature extractor alone (preprocessor_config.json): sound → features. @throws FlowError MODEL_MISSING, MODEL_CORRUPT */
export function openFeatureExtractor(manifest: ModelManifest): Promise<FeatureExtractor> {
  return once(manifest, "feature extractor", async () => {
    const folder = await folderOf(manifest, ["preprocessor_config.json"]);
    return (await loadTransformers()).AutoFeatureExtractor.from_pretrained(folder, { local_files_only: true });
  });
}

/** Whose checkpoint is opened, and who is told when it has been. */
type Opening = Pick<ModelHandle, "manifest" | "opened">;

/** The checkpoint by a class of the library. @throws FlowError MODEL_MISSING, MODEL_CORRUPT, MODEL_TASK (the library cannot run its architecture) */
export function openModel({ manifest, opened }: Opening, name: ModelClass): Promise<Model> {
  return once(manifest, `model ${name}`, async () => {
    const folder = await folderOf(manifest, ["config.json"]);
    const loader = (await loadTransformers())[name] as unknown as { from_pretrained(path: string, options: object): Promise<Model> };
    const model = await loader.from_pretrained(folder, openOptions(manifest));
    opened?.();
    return model;
  });
}

/** A pipeline of the library (`automatic-speech-recognition`, `image-to-text` …). @throws FlowError MODEL_MISSING, MODEL_CORRUPT, MODEL_TASK */
export function openPipeline<T extends Parameters<Transformers["pipeline"]>[0]>({ manifest, opened }: Opening, task: T): Promise<import("@huggingface/transformers").AllTasks[T]> {
  return once(manifest, `pipeline ${task}`, async () => {
    const folder = await folderOf(manifest, ["config.json"]);
    const pipeline = (await (await loadTransformers()).pipeline(task, folder, openOptions(manifest))) as import("@huggingface/transformers").AllTasks[T];
    opened?.();
    return pipeline;
  });
}

/** What `work` gives; what the library throws in it becomes MODEL_RUN with the model's name. `rows` are counted when it succeeds. */
export async function runTransformers<T>(model: ModelHandle, rows: number, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    model.count(rows);
    return result;
  } catch (cause) {
    if (cause instanceof FlowError) throw cause;
    throw new FlowError("MODEL_RUN", `model ${model.manifest.id}: ${firstLine(cause)}`, {
      hint: "The files of the checkpoint may not belong together: `flow models verify`, then pull it again.",
      cause,
    });
  }
}

/** dtype → what the hub's exports append to a file's name. */
const SUFFIXES: Record<string, string> = { fp16: "_fp16", q8: "_quantized", int8: "_int8", uint8: "_uint8", q4: "_q4", q4f16: "_q4f16", bnb4: "_bnb4", q2: "_q2", q2f16: "_q2f16", q1: "_q1", q1f16: "_q1f16" };

/**
 * How the library finds the manifest's files and runs them. Which precision each graph of the checkpoint has is read off its file's name
 * (`decoder_model_merged_quantized.onnx` → q8), or said by `settings.dtype`: one name, or a name per graph.
 */
export function openOptions(manifest: ModelManifest): { local_files_only: true; device: "cpu"; subfolder: string; dtype: never; use_external_data_format: Record<string, number>; session_options: object } {
  const graphs = manifest.files.map((file) => file.path).filter((path) => path.endsWith(".onnx"));
  const dtype: Record<string, string> = {};
  const chunks: Record<string, number> = {};
  for (const path of graphs) {
    const stem = posix.basename(path, ".onnx");
    const [name, suffix] = Object.entries(SUFFIXES).sort((a, b) => b[1].length - a[1].length).find(([, end]) => stem.endsWith(end)) ?? ["fp32", ""];
    dtype[stem.slice(0, stem.length - suffix.length)] ??= name;
    const data = manifest.files.filter((file) => file.path.startsWith(`${path}_data`)).length;
    if (data > 0) chunks[posix.basename(path)] = data;
  }
  return {
    local_files_only: true,
    device: "cpu",
    subfolder: graphs[0] === undefined || posix.dirname(graphs[0]) === "." ? "" : posix.dirname(graphs[0]),
    dtype: (manifest.settings["dtype"] ?? dtype) as never,
    use_external_data_format: chunks,
    session_options: {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: "sequential",
      logSeverityLevel: 3,
      extra: { session: { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } } },
    },
  };
}

/** The folder in which the named files lie side by side, after a look at whether all files of the model are there. */
async function folderOf(manifest: ModelManifest, names: readonly string[]): Promise<string> {
  const gone = [];
  for (const file of manifest.files) if (!(await stat(file.at).catch(() => null))?.isFile()) gone.push(file);
  if (gone.length > 0) throw missingFiles(manifest, gone);
  const folders = new Set<string>();
  for (const name of names) {
    const listed = manifest.files.find((file) => file.path === name);
    const at = listed?.at ?? join(manifest.dir, name);
    if (!listed && !(await stat(at).catch(() => null))?.isFile()) throw absent(manifest, name);
    folders.add(dirname(at));
  }
  if (folders.size === 1) return [...folders][0]!;
  throw new FlowError("MODEL_MISSING", `model ${manifest.id}: ${names.join(" and ")} lie in different folders (${[...folders].join(", ")})`, { hint: `flow models import FOLDER, so that they lie together.`, exit: EXIT.environment });
}

function absent(manifest: ModelManifest, name: string): FlowError {
  return new FlowError("MODEL_MISSING", `model ${manifest.id}: ${join(manifest.dir, name)} does not exist`, {
    hint: `Add ${name} to the files of ${manifest.origin}, then \`flow models pull ${manifest.id}\`.`,
    exit: EXIT.environment,
  });
}

/** The library's messages speak of its own options; ours name the model and the file. */
async function guarded<T>(manifest: ModelManifest, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (cause instanceof FlowError) throw cause;
    const message = firstLine(cause);
    const missing = /not found locally at "([^"]+)"|Local file missing at "([^"]+)"/.exec(message);
    if (missing) throw absent(manifest, nameIn(manifest, (missing[1] ?? missing[2])!));
    if (/^Unsupported (model type|pipeline)|Unknown (image_processor_type|feature_extractor_type)|No `image_processor_type`/.test(message)) {
      throw new FlowError("MODEL_TASK", `model ${manifest.id}: @huggingface/transformers cannot run it: ${message}`, { hint: "Give the role a model of an architecture that the library knows.", permanent: true, cause });
    }
    const file = /Load model from (.+?\.onnx)/.exec(message)?.[1] ?? (await brokenJson(manifest)) ?? manifest.dir;
    throw new FlowError("MODEL_CORRUPT", `model ${manifest.id}: ${file} does not open: ${message}`, {
      hint: canRelearn(manifest) ? relearn(manifest, manifest.id) : `flow models rm ${manifest.id} && flow models pull ${manifest.id}`,
      exit: EXIT.environment,
      cause,
    });
  }
}

async function brokenJson(manifest: ModelManifest): Promise<string | null> {
  for (const { path, at } of manifest.files) {
    if (!path.endsWith(".json")) continue;
    try {
      JSON.parse(await readFile(at, "utf8"));
    } catch {
      return at;
    }
  }
  return null;
}

const nameIn = ({ dir }: ModelManifest, path: string): string => (path.startsWith(dir) ? path.slice(dir.length) : path);
const firstLine = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown)).split("\n")[0]!.slice(0, 400);
