import { readFileSync } from "node:fs";
import { FlowError, type ModelManifest } from "../../contracts/index.js";

const read = new Map<string, readonly string[]>();

/**
 * Names of a model's classes, by index: `settings.classes`, or those of its labels file from `settings.labelOffset` on: a name a line, the
 * last column of a CSV with a heading (AudioSet), or `id2label` of a checkpoint's config.json. A stand-in has none. Throws MODEL_MISSING or MODEL_MANIFEST.
 */
export function labelsOf(manifest: ModelManifest): readonly string[] {
  if (manifest.mock) return [];
  const { classes, labelOffset } = manifest.settings;
  if (Array.isArray(classes)) return classes as string[];
  const file = manifest.files.find(({ path }) => path === manifest.labels);
  if (!file) {
    throw new FlowError("MODEL_MANIFEST", `model ${manifest.id} names no classes`, { hint: `Give ${manifest.origin} \`labels: FILE\` or \`settings: { classes: […] }\`.`, permanent: true });
  }
  const key = `${file.at} ${String(labelOffset)}`;
  let labels = read.get(key);
  if (!labels) read.set(key, (labels = readLabels(file.at, manifest).slice(typeof labelOffset === "number" ? labelOffset : 0)));
  return labels;
}

/** Every name in a file of labels. */
export function readLabels(path: string, manifest: ModelManifest): string[] {
  try {
    const text = readFileSync(path, "utf8").split(/\r?\n/).map((line) => line.trim());
    while (text.at(-1) === "") text.pop();
    if (path.endsWith(".csv")) return text.slice(1).map(lastColumn);
    return path.endsWith(".json") ? idsToLabels(JSON.parse(text.join("\n")) as { id2label?: Record<string, string> }) : text;
  } catch (cause) {
    throw new FlowError("MODEL_MISSING", `model ${manifest.id}: ${path} cannot be read`, { hint: `flow models pull ${manifest.id}`, cause });
  }
}

/** `3,/m/02qldy,"Narration, monologue"` → Narration, monologue. */
function lastColumn(row: string): string {
  const quoted = /,"((?:[^"]|"")*)"$/.exec(row);
  return quoted ? quoted[1]!.replaceAll('""', '"') : row.slice(row.lastIndexOf(",") + 1);
}

function idsToLabels({ id2label = {} }: { id2label?: Record<string, string> }): string[] {
  const labels: string[] = [];
  for (const [id, label] of Object.entries(id2label)) labels[Number(id)] = label;
  return labels;
}
