/** What `flow models add` refuses before anything is written, in the words of what was typed: a manifest that it writes can be run. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { stringify } from "yaml";
import { EXIT, FlowError } from "../../contracts/errors.js";
import { tensorText, unfedInputs, type ModelManifest, type TensorInfo } from "../../contracts/index.js";
import { cacheFolder, layout } from "../../models/store/folders.js";
import { modelFolders } from "../environment.js";
import { badArguments } from "../failure.js";

/** What goes into an ONNX file and comes out of it. */
export interface Signature {
  inputs: readonly TensorInfo[];
  outputs: readonly TensorInfo[];
}

/** The absolute path of the ONNX file that is meant. */
export function requireOnnx(word: string): string {
  const path = resolve(word);
  const info = statSync(path, { throwIfNoEntry: false });
  if (info?.isFile()) return path;
  if (!info?.isDirectory()) throw new FlowError("FILE_NOT_FOUND", `There is no file ${word}.`, { hint: "Name an .onnx file, or hf:ORG/NAME.", exit: EXIT.badInput });
  const inside = ["", "onnx"].flatMap((folder) => onnxIn(join(path, folder)).map((name) => join(word, folder, name)));
  throw badArguments(`${word} is a folder, and a model is added by its .onnx file.`, inside.length === 0 ? "None lies in it: name one, or hf:ORG/NAME." : `Name one of those in it: ${inside.slice(0, 5).join(", ")}${inside.length > 5 ? ", …" : ""}.`);
}

const onnxIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".onnx")).sort() : []);

/** The name that the model gets, and its manifest's path. */
export interface Place {
  id: string;
  manifest: string;
  /** What else has that name. */
  notes: readonly string[];
}

/** Known before anything is read or downloaded. `name`: the file's or the repository's. */
export function placeOf(name: string, { id: typed, out, force = false }: { id?: string; out?: string; force?: boolean }): Place {
  const id = typed ?? name.toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+/, "");
  requireId(id, typed);
  const manifest = join(out === undefined ? layout.manifests(cacheFolder()) : resolve(out), `${id}.yaml`);
  return { id, manifest, notes: requireUnused(id, manifest, force) };
}

/** `word`: the id as it was typed; undefined: it was made from a name. */
function requireId(id: string, word: string | undefined): void {
  if (/^[a-z0-9][a-z0-9._-]*$/.test(id)) return;
  throw badArguments(`${word === undefined ? "No id can be made of the file's name" : `--id ${word} is no id`}: it has lower-case letters, digits, . _ - and begins with a letter or digit.`, `Nothing was written: give ${word === undefined ? "one with --id" : "another one"}.`);
}

/** Throws where graphs mean another model by the id already, unless forced: then it gives what that means for them. */
function requireUnused(id: string, manifest: string, force: boolean): string[] {
  if (existsSync(manifest) && !force) throw badArguments(`${manifest} exists.`, "Give another --id, or --force to replace it.");
  const folders = modelFolders();
  const other = folders.flatMap((folder) => [join(folder, `${id}.yaml`), join(folder, `${id}.yml`)]).filter((path) => path !== manifest && existsSync(path)).at(-1);
  if (other === undefined) return [];
  // The cache's folder need not be there yet; it comes after the program's own.
  const order = [folders[0]!, layout.manifests(cacheFolder()), ...folders.slice(1)];
  const hides = order.lastIndexOf(dirname(manifest)) > order.lastIndexOf(dirname(other));
  if (force) return hides ? [`Graphs mean this one by ${id} from now on, and no longer ${other}.`] : [];
  throw badArguments(
    `There is a model ${id} already, ${other}: ${hides ? `${manifest} would hide it from every graph` : `graphs would go on to mean that one, and ${manifest} would share its files' place`}.`,
    `Nothing was written: give another --id, or --force ${hides ? "to have graphs mean the new one" : "to write it all the same"}.`,
  );
}

const KINDS = ["image", "audio", "text", "processor"];

/** `typed`: what --preprocess says; `preset`: the fields it stands for; `known`: what the file tells of its pictures, where it takes any; `made`: both together. */
export function requirePreprocess(typed: string, preset: Record<string, unknown> | undefined, known: Record<string, unknown> | undefined, made: Record<string, unknown>, inputs: readonly TensorInfo[]): void {
  const input = inputs.find(({ dims }) => dims.length === 4) ?? inputs[0];
  const found = input === undefined ? "no input" : tensorText(input);
  if (preset && known?.["kind"] !== "image") {
    throw badArguments(
      `--preprocess ${typed} makes pictures of 3 channels, and the file takes ${found}.`,
      input?.dims.length === 4
        ? "Nothing was written: pictures go into [n, 3, height, width] or [n, height, width, 3]. Export the model with such an input; what makes grey of the three channels can be its first layer."
        : 'Nothing was written: say what goes in as a YAML map, as in --preprocess "{ kind: audio, sampleRate: 16000, windowSeconds: 1 }".',
    );
  }
  if (!KINDS.includes(String(made["kind"]))) throw badArguments(`--preprocess ${typed} ${made["kind"] === undefined ? "has no kind" : `has the kind ${String(made["kind"])}`}; ${KINDS.join(", ")} are known.`, "Nothing was written: models/README.md has the fields of each.");
  if (made["kind"] !== "image" || made["size"] !== undefined) return;
  const size = known?.["size"] ?? [224, 224];
  throw badArguments(`--preprocess ${typed} does not say how large the pictures are${known?.["size"] === undefined ? `, and ${found} leaves it open` : ""}.`, `Nothing was written: give [width, height] as well, --preprocess "${stringify({ kind: "image", size, ...made }, { collectionStyle: "flow", lineWidth: 0 }).trim()}" for example.`);
}

/** The same look at the file as before a run, and whether an operator feeds all of its inputs. */
export async function requireFit(manifest: ModelManifest, { inputs, outputs }: Signature): Promise<void> {
  const [{ shapeProblems }, { catalogue }] = await Promise.all([import("../../models/verify-model.js"), import("../../operators/index.js")]);
  const problems = shapeProblems(manifest, inputs, outputs);
  if (problems.length > 0) {
    throw new FlowError("MODEL_SHAPE", `${basename(manifest.file)} is not what the manifest of ${manifest.id} would say: ${problems.join("; ")}`, {
      hint: "Nothing was written: correct the options. A vector is an output of float32 or float16, --dims its last dimension; other numbers are read by model.run, under a --task that ends in no -embedding.",
      exit: EXIT.badInput,
    });
  }
  const roles = [...catalogue.values()].flatMap((op) => Object.entries(op.models ?? {}).map(([name, role]) => ({ op: op.name, name, role })));
  const own = roles.filter(({ role }) => role.task === manifest.task);
  const candidates = (own.length > 0 ? own : roles.filter(({ role }) => role.task === "any")).map(({ op, name, role }) => ({ op, unfed: unfedInputs(role, name, { [name]: manifest }) }));
  if (candidates.some(({ unfed }) => unfed.length === 0)) return;
  const { op, unfed } = candidates[0]!;
  const fed = manifest.inputs.filter((input) => !unfed.includes(input)).map(({ name }) => name);
  throw new FlowError("MODEL_INPUTS", `${basename(manifest.file)} has ${manifest.inputs.length} inputs, and ${op} feeds ${fed.join(", ") || "none of them"}: nothing would go into ${unfed.map(tensorText).join(", ")}.`, {
    hint: `Nothing was written: export the file with a constant in ${unfed.length > 1 ? "their" : "its"} place. Which families have inputs of their own (--family) says \`inputs\` in models/README.md.`,
    exit: EXIT.badInput,
  });
}

/** Tasks whose first output has a score for each class. */
const CLASSIFIERS: Record<string, string> = { "image-classification": "image.tag", "audio-events": "audio.events" };

/** Throws where classes would go without a name; what else is to be known of them. `file`: where the names are read, null: nowhere. */
export async function requireLabels(manifest: ModelManifest, file: string | null): Promise<string[]> {
  const [output, reader] = [manifest.outputs[0], CLASSIFIERS[manifest.task]];
  if (!output || reader === undefined) return [];
  const classes = output.dims.at(-1);
  const named = manifest.settings["classes"];
  if (file === null && !Array.isArray(named)) return [`Nothing names its classes, and ${reader} needs names (model.run says \`class 0\`): --with labels.txt, a class a line, or \`settings: { classes: […] }\` in the manifest.`];
  const count = file === null ? (named as unknown[]).length : (await import("../../models/families/labels.js")).readLabels(file, manifest).length;
  if (typeof classes !== "number" || count === classes) return [];
  const text = `${file ?? "config.json"} names ${count} classes, and ${tensorText(output)} has ${classes}`;
  if (count < classes) throw badArguments(`${text}.`, `Nothing was written: give the file of this model, a class a line in the order of the output.`);
  return [`${text}: where the first names are of no class, the manifest says \`settings: { labelOffset: ${count - classes} }\`.`];
}
