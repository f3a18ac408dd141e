import { readFileSync } from "node:fs";
import { FlowError, type ModelManifest } from "../../contracts/index.js";

const read = new Map<string, readonly string[]>();

/** Names of a model's classes, by index: `settings.classes`, or the lines of its labels file from `settings.labelOffset` on. Throws MODEL_MISSING or MODEL_MANIFEST. */
export function labelsOf(manifest: ModelManifest): readonly string[] {
  const { classes, labelOffset } = manifest.settings;
  if (Array.isArray(classes)) return classes as string[];
  const file = manifest.files.find(({ path }) => path === manifest.labels);
  if (!file) {
    throw new FlowError("MODEL_MANIFEST", `model ${manifest.id} names no classes`, { hint: `Give ${manifest.origin} \`labels: FILE\` or \`settings: { classes: […] }\`.`, permanent: true });
  }
  const key = `${file.at} ${String(labelOffset)}`;
  let labels = read.get(key);
  if (!labels) read.set(key, (labels = lines(file.at, manifest).slice(typeof labelOffset === "number" ? labelOffset : 0)));
  return labels;
}

function lines(path: string, manifest: ModelManifest): string[] {
  try {
    const text = readFileSync(path, "utf8").split(/\r?\n/).map((line) => line.trim());
    while (text.at(-1) === "") text.pop();
    return text;
  } catch (cause) {
    throw new FlowError("MODEL_MISSING", `model ${manifest.id}: ${path} cannot be read`, { hint: `flow models pull ${manifest.id}`, cause });
  }
}
