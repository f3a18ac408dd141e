import type { Command } from "commander";
import type { FlowRecord } from "../../contracts/index.js";
import { act, define, wholeNumber, withStore as withStoreOption, withSuperseded, type StoreOptions } from "../define.js";
import type { ShowDocument } from "../json.js";
import { standInsText, withStore } from "../open-store.js";
import { clock, colours, count, plural, print, printJson, table } from "../output.js";
import { fieldText, findMedia, findRecord, isAttributes, kindOption, shownRecords } from "../records.js";

interface Options extends StoreOptions {
  kind?: FlowRecord["kind"];
  in?: string;
  limit?: number;
  superseded?: boolean;
}

export function command(): Command {
  const show = define("show", {
    examples: [
      ["flow show", "media and their scenes"],
      ["flow show 3f2a", "everything known of one record (an id or its beginning)"],
      ["flow show --kind scene --in talk.mp4", "the scenes of one medium"],
      ["flow show --json | jq '.records[].fields.transcript'", "for a script"],
    ],
  })
    .argument("[id]", "id of a record, or its beginning")
    .addOption(kindOption("only records of one kind"))
    .option("--in <media>", "only one medium: the beginning of its name, URI or id")
    .option("--limit <n>", "at most n records", wholeNumber(1));
  return act<Options>(withStoreOption(withSuperseded(show)), ([id], options) =>
    withStore(options.store, (store) => {
      const { kind } = options;
      if (typeof id === "string") {
        const record = findRecord(store, id);
        return options.json ? printJson({ records: [record] } satisfies ShowDocument) : printRecord(record);
      }
      const media = options.in === undefined ? null : new Set(findMedia(store, options.in, options));
      const records: FlowRecord[] = [];
      for (const record of shownRecords(store, { superseded: options.superseded === true, ...(kind ? { kind } : {}) })) if (!media || media.has(record.media)) records.push(record);
      const shown = records.slice(0, options.limit);
      if (options.json) return printJson({ records: shown } satisfies ShowDocument);
      printList(shown, kind === undefined && shown.length === records.length);
      if (shown.length < records.length) print(colours.dim(`… and ${count(records.length - shown.length)} more`));
    }),
  );
}

/** `whole`: nothing was left out, so scenes can be counted. */
function printList(records: readonly FlowRecord[], whole: boolean): void {
  if (records.length === 0) return print("no records");
  const media = [...new Set(records.map((record) => record.media))];
  for (const id of media) {
    const mine = records.filter((record) => record.media === id);
    const medium = mine.find((record) => record.kind === "media");
    const others = mine.filter((record) => record.kind !== "media");
    if (medium) {
      const { fields } = medium;
      const facts = [
        clock(Number(fields["durationUs"] ?? 0)), fields["width"] ? `${fields["width"]}×${fields["height"]}` : "", fields["fps"] ? `${fields["fps"]} frames/s` : "",
        fields["hasAudio"] === false ? "no audio" : "", whole ? plural(others.filter((record) => record.kind === "scene").length, "scene") : "",
      ].filter(Boolean);
      const state = fields["supersededBy"] !== undefined ? `  ${colours.yellow("superseded: its file holds other content now")}` : fields["complete"] === false ? `  ${colours.yellow("incomplete")}` : "";
      const mark = medium.mocked ? `  ${colours.red("stand-ins")}` : "";
      print(`${colours.bold(String(fields["uri"]))}  ${colours.dim(medium.id.slice(0, 8))}  ${facts.join(", ")}${state}${mark}`);
    }
    if (!medium && media.length > 1) print(colours.bold(id.slice(0, 16)));
    if (others.length > 0) print(table(others.map(row)));
  }
}

function row(record: FlowRecord): string[] {
  const { fields } = record;
  const quote = fieldText(fields["transcript"]);
  const words = [fieldText(fields["caption"]), quote ? `“${quote}”` : ""].filter(Boolean).join("  ");
  const mark = (record.outcome === "done" ? "" : `${colours.yellow(record.outcome)} `) + (record.mocked ? `${colours.red("stand-ins")} ` : "");
  return [colours.dim(record.id.slice(0, 8)), record.kind, `${clock(record.startUs)} – ${clock(record.endUs)}`, mark + words];
}

function printRecord(record: FlowRecord): void {
  print(`${colours.bold(record.kind)} ${record.id}  ${clock(record.startUs, 3)} – ${clock(record.endUs, 3)}  ${record.outcome}`);
  if (record.mocked) print(colours.red(standInsText(record.mocked)));
  const rows = Object.entries(record.fields).flatMap(([name, value]) => fieldRows(name, value));
  print(table([["medium", record.media.slice(0, 16)], ...(record.parent ? [["parent", record.parent]] : []), ...rows].map(([name, value]) => [colours.cyan(name ?? ""), value ?? ""]), { fit: false }));
  const vectors = Object.entries(record.vectors);
  if (vectors.length > 0) print(table(vectors.map(([name, { dims, space }]) => [colours.cyan(name), "vector", `${dims}-d`, colours.dim(space)])));
}

/** A value on one line; a list of values one line each. */
function fieldRows(name: string, value: unknown): string[][] {
  if (value === null || value === undefined) return [[name, colours.dim("–")]];
  if (isAttributes(value)) return value.map(({ name: what, value: n, unit, label }, i) => [i === 0 ? name : "", `${what.padEnd(18)} ${String(n).padStart(8)} ${unit}${label === null ? "" : `  ${colours.green(label)}`}`]);
  if (Array.isArray(value) && value.length > 0 && value.every((entry) => typeof entry === "object")) return value.map((entry, i) => [i === 0 ? name : "", compact(entry)]);
  return [[name, compact(value)]];
}

function compact(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? colours.dim("none") : value.map(compact).join(", ");
  return Object.entries(value)
    .filter(([, v]) => v !== null && v !== undefined)
    .map(([key, v]) => (key.endsWith("Us") && typeof v === "number" ? `${key.slice(0, -2)} ${clock(v, 3)}` : `${key} ${typeof v === "number" && !Number.isInteger(v) ? v.toPrecision(4) : compact(v)}`))
    .join("  ");
}
