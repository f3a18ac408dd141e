import { EXIT, FlowError } from "../../contracts/errors.js";
import type { HubListing } from "../../models/store/hub-listing.js";

/** Suffix of an ONNX file's name by precision, as @huggingface/transformers has it (utils/dtypes). */
const SUFFIXES: Record<string, string> = { fp32: "", fp16: "_fp16", q8: "_quantized", int8: "_int8", uint8: "_uint8", q4: "_q4", q4f16: "_q4f16", bnb4: "_bnb4" };

/** Configuration that processors and tokenizers of a checkpoint read. */
const CONFIGURATION = /^(config|generation_config|preprocessor_config|processor_config|video_preprocessor_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|chat_template|vocab|quantize_config)\.(json|jinja|txt)$|^merges\.txt$/;

export interface HubChoice {
  runtime: "onnx" | "transformers";
  dtype: string;
  /** onnx: the file to run. */
  main: string;
  files: HubListing["files"];
}

/** Which files of a repository make the model: one ONNX file, or the several of a checkpoint, in one precision, and the configuration. */
export function chooseHubFiles(listing: HubListing, options: { file?: string; dtype?: string }): HubChoice {
  const onnx = listing.files.filter(({ path }) => path.endsWith(".onnx"));
  if (onnx.length === 0) throw new FlowError("MODEL_NO_ONNX", "The repository holds no ONNX file.", { hint: "Look for a conversion (Xenova/…, onnx-community/…), or export it: models/export.", exit: EXIT.badInput });
  const dtype = options.dtype ?? (onnx.some(({ path }) => path.endsWith("_quantized.onnx")) ? "q8" : "fp32");
  const suffix = SUFFIXES[dtype];
  if (suffix === undefined) throw new FlowError("BAD_ARGUMENTS", `There is no dtype ${dtype}.`, { hint: `One of ${Object.keys(SUFFIXES).join(", ")}.`, exit: EXIT.badInput });
  const known = new RegExp(`(${Object.values(SUFFIXES).filter(Boolean).join("|")})$`);
  const ofDtype = onnx.filter(({ path }) => {
    const stem = path.replace(/\.onnx$/, "");
    return suffix === "" ? !known.test(stem) : stem.endsWith(suffix);
  });
  const configuration = listing.files.filter(({ path }) => CONFIGURATION.test(path));
  const external = (path: string): HubListing["files"] => listing.files.filter((file) => file.path.startsWith(`${path}_data`) || file.path === `${path}.data`);
  const single = options.file === undefined ? undefined : onnx.find(({ path }) => path === options.file);
  if (options.file !== undefined && !single) throw missing(options.file, onnx);
  const whole = single ?? ofDtype.find(({ path }) => /(^|\/)model[^/]*\.onnx$/.test(path)) ?? (onnx.length === 1 ? onnx[0] : undefined);
  const parts = ofDtype.filter(({ path }) => !/(^|\/)model[^/]*\.onnx$/.test(path));
  // An encoder and a decoder make one checkpoint; a whole model beside its two towers (CLIP) is the model.
  if (single || (whole && !parts.some(({ path }) => /decoder/.test(path)))) {
    const main = (single ?? whole)!;
    return { runtime: "onnx", dtype, main: main.path, files: [main, ...external(main.path), ...configuration] };
  }
  if (parts.length === 0) throw missing(`of dtype ${dtype}`, onnx);
  // Without it the library cannot tell what the parts are of.
  if (!configuration.some(({ path }) => path === "config.json")) throw missing("that is the model: there are several and no config.json", onnx);
  // The merged decoder is what the library runs; the two it was merged from are three times the download.
  const merged = parts.some(({ path }) => /decoder_model_merged/.test(path));
  const needed = parts.filter(({ path }) => !merged || !/decoder(_with_past)?_model(?!_merged)/.test(path));
  return { runtime: "transformers", dtype, main: needed[0]!.path, files: [...needed.flatMap((file) => [file, ...external(file.path)]), ...configuration] };
}

function missing(what: string, onnx: HubListing["files"]): FlowError {
  return new FlowError("MODEL_NO_ONNX", `The repository has no ONNX file ${what}.`, { hint: `It has ${onnx.map(({ path }) => path).join(", ")}: choose with --file or --dtype.`, exit: EXIT.badInput });
}

export interface Fetched {
  /** Path → where it is. */
  at: ReadonlyMap<string, string>;
  /** Gives the files to the model of that name. */
  install: (id: string) => Promise<void>;
  /** Ends the waiting: afterwards only models hold them. */
  settle: () => Promise<void>;
}

/** Downloads some of a repository's files into the cache, for a model that has no name yet: what is asked next may end the command, and the next one finds them. */
export async function fetchHub(repo: string, files: readonly Record<string, unknown>[], source: Record<string, unknown>, paths: readonly string[]): Promise<Fetched> {
  const [{ manifestOf }, { cacheFolder, createLocate, endPending, layout, pendingId, pull, startPending }, { linkModel }, { onDisk }] = await Promise.all([import("../../models/manifest.js"), import("../../models/store/index.js"), import("../../models/store/install.js"), import("../../models/store/disk.js")]);
  const [cache, id] = [cacheFolder(), pendingId(repo)];
  const wanted = files.filter((file) => paths.includes(String(file["path"])));
  const value = { id, task: "none", summary: repo, runtime: "transformers", licence: "not read yet", source, files: wanted, limits: ["a download"] };
  await onDisk(layout.partial(cache), () => startPending(cache, repo));
  const { failed } = await pull([manifestOf(value, `/${id}.yaml`, createLocate())]);
  if (failed[0]) throw failed[0].error;
  const found = manifestOf(value, `/${id}.yaml`, createLocate()).files;
  const taken = found.filter(({ at, sha256 }) => at.startsWith(cache) && sha256 !== null);
  return {
    at: new Map(found.map((file) => [file.path, file.at])),
    install: async (named) => {
      for (const { path, sha256 } of taken) linkModel(cache, named, path, sha256!);
    },
    settle: () => endPending(cache, repo, taken.length),
  };
}
