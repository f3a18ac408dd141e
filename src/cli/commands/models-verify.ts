import type { Command } from "commander";
import { stat } from "node:fs/promises";
import { EXIT, type FlowError } from "../../contracts/errors.js";
import type { ModelManifest } from "../../contracts/index.js";
import { act, withJson, type JsonOptions } from "../define.js";
import type { ModelsVerifyDocument } from "../json.js";
import { installedModels, readable } from "../open-graph.js";
import { canRelearn, relearn } from "../../models/store/lock-change.js";
import { colours, plural, print, printJson, table } from "../output.js";
import { modelOf, stateOf, subcommand, wordFor } from "./models-shared.js";

type Verified = ModelsVerifyDocument["models"][number];

export function verifyCommand(): Command {
  const verify = subcommand("verify", "Read the files of the models again and compare size, SHA-256, inputs and outputs.", {
    examples: [
      ["flow models verify", "every installed model, and those with a damaged file"],
      ["flow models verify yunet && echo right", "exit 3 when a file is missing or not what it should be"],
    ],
  }).argument("[id...]", "models or manifests (.yaml); every installed or damaged one unless named");
  return act<JsonOptions>(withJson(verify), async ([ids], options) => {
    const catalogue = await installedModels();
    const named = (ids ?? []) as string[];
    const models: ModelManifest[] = [];
    for (const word of named) models.push(await modelOf(word, catalogue));
    if (named.length === 0) for (const model of readable(catalogue)) if (["installed", "damaged"].includes((await stateOf(model)).state)) models.push(model);
    const verified: Verified[] = [];
    for (const model of models) verified.push(await verifyOne(model));
    const shapes = await verifyShapes(models.filter((model, i) => model.runtime === "onnx" && verified[i]!.ok));
    for (const row of verified) {
      const problem = shapes.get(row.id);
      if (problem !== undefined) Object.assign(row, { ok: false, problem: problem.message });
    }
    const unopened = new Set([...shapes].filter(([, { code }]) => code === "MODEL_CORRUPT").map(([id]) => id));
    for (const [i, row] of verified.entries()) if (await findPages(row, models[i]!)) unopened.add(row.id);
    const ok = verified.every((model) => model.ok);
    if (options.json) printJson({ ok, models: verified } satisfies ModelsVerifyDocument);
    else {
      const rows = verified.flatMap((model) => model.files.map((file) => [file.ok ? colours.green("ok") : colours.red("no"), `${model.id}/${file.path}`, file.problem ?? file.sha256?.slice(0, 12) ?? ""]));
      print(table(rows, { fit: false }));
      for (const model of verified) if (model.problem) print(`${colours.red("no")} ${model.problem}`);
      print(ok ? `${plural(verified.length, "model")} verified.` : next(verified, new Map(models.map((model) => [model.id, { model, word: wordFor(model, catalogue) }])), unopened));
    }
    return ok ? EXIT.ok : EXIT.environment;
  });
}

/** Files that are not what the manifest says are fetched again, as are those that do not open and whose hash was only learned; a manifest that its right files contradict is corrected. */
function next(verified: readonly Verified[], models: ReadonlyMap<string, { model: ModelManifest; word: string }>, unopened: ReadonlySet<string>): string {
  const wrong = verified.filter((model) => !model.ok);
  const learned = wrong.map(({ id }) => models.get(id)!).filter(({ model }) => unopened.has(model.id) && canRelearn(model));
  const rest = wrong.filter(({ id }) => !learned.some(({ model }) => model.id === id));
  const files = rest.filter((model) => model.files.some((file) => !file.ok)).map(({ id }) => id);
  const manifests = rest.filter(({ id }) => !files.includes(id)).map(({ id }) => models.get(id)!.model.origin);
  const published = (id: string): boolean => models.get(id)!.model.files.every((file) => file.source !== null);
  const words = (ids: readonly string[], between: string): string => ids.map((id) => models.get(id)!.word).join(between);
  const [fetched, local] = [files.filter(published), files.filter((id) => !published(id))];
  const steps = [...(fetched.length > 0 ? [`flow models pull ${words(fetched, " ")}`] : []), ...(local.length > 0 ? [`flow models import DIR --model ${words(local, ",")}`] : []), ...(manifests.length > 0 ? [`correct ${manifests.join(", ")}`] : [])];
  const changed = rest.filter(({ id, files: read }) => read.some(({ ok, sha256, path }) => !ok && sha256 !== null && models.get(id)!.model.files.find((file) => file.path === path)?.lock !== undefined)).map(({ id }) => id);
  steps.push(...learned.map(({ model, word }) => `${relearn(model, word)} (what came first was trusted, and is no model)`));
  if (changed.length > 0) steps.push(`flow models rm ${words(changed, " ")} --unlock accepts what has changed`);
  return `${colours.dim("next:")} ${steps.join("; ")}`;
}

async function verifyOne(model: ModelManifest): Promise<Verified> {
  const [{ hashFile }, { HashIndex }, { cacheFolder }, { changeText }] = await Promise.all([import("../../models/verify-model.js"), import("../../models/store/hash-index.js"), import("../../models/store/folders.js"), import("../../models/store/lock-change.js")]);
  const files: Verified["files"] = [];
  for (const file of model.files) {
    const { path, at, sizeBytes, sha256 } = file;
    const info = await stat(at).catch(() => null);
    // What a lock file states is told with both hashes: the user is to decide between two files.
    const found = info === null || (sizeBytes !== null && info.size !== sizeBytes && file.lock === undefined) ? null : await hashFile(at);
    const problem =
      info === null ? `missing: ${at}` : file.lock !== undefined && found !== null && found !== sha256 ? changeText(file, { size: info.size, sha256: found }) : found === null ? `damaged: found ${info.size} bytes, expected ${sizeBytes}` : sha256 !== null && found !== sha256 ? `found sha256 ${found}, expected ${sha256}` : null;
    // What the disk did to a file without a new time of change, the pull that comes next has to know.
    if (info !== null && found !== null && problem !== null) new HashIndex(cacheFolder()).remember(at, { size: info.size, mtimeMs: info.mtimeMs, sha256: found });
    files.push({ path, at, ok: problem === null, sha256: found, ...(problem === null ? {} : { problem }) });
  }
  return { id: model.id, ok: files.every((file) => file.ok), files };
}

/** Marks what was trusted at its first download and is no such file: its hash is right, and proves nothing. */
async function findPages(row: Verified, { files }: ModelManifest): Promise<boolean> {
  const { notWhatItIs } = await import("../../models/store/page.js");
  let found = false;
  for (const [i, read] of row.files.entries()) {
    const what = read.ok && files[i]!.lock !== undefined ? await notWhatItIs(read.at, read.path) : null;
    if (what === null) continue;
    Object.assign(read, { ok: false, problem: `is ${what}, as it came first` });
    row.ok = false;
    found = true;
  }
  return found;
}

/** Names, dimensions and types of the ONNX files against their manifests, in a process: a file that ends it is a problem to tell. */
async function verifyShapes(models: readonly ModelManifest[]): Promise<Map<string, FlowError>> {
  const problems = new Map<string, FlowError>();
  if (models.length === 0) return problems;
  const { InferencePool } = await import("../../inference/index.js");
  await using pool = new InferencePool({ workers: 1, isolation: "process" });
  for (const model of models) for (const error of await pool.verify([model])) problems.set(model.id, error);
  return problems;
}
