/** The profile small on real media, against what a person sees in them (shared/reference/objects_truth.json). */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { EGO, flow, inTemporaryFolder } from "./flow.js";

const MEDIA = process.env["FLOW_MEDIA_DIR"];
const TRUTH = MEDIA ? join(MEDIA, "..", "reference", "objects_truth.json") : "";
const missing = !process.env["FLOW_MODELS_DIR"] ? "FLOW_MODELS_DIR is not set" : !MEDIA ? "FLOW_MEDIA_DIR is not set" : !existsSync(TRUTH) ? `${TRUTH} is not there` : null;

interface Span {
  from: number;
  to: number;
  objects?: string[];
  none?: string[];
}

/** The models' words that mean a word of the truth: synonyms, and members where the truth names the class. */
const MEANS: Record<string, string[]> = {
  table: ["dining table"],
  pitcher: ["water jug", "pitcher", "ewer"],
  glass: ["wine glass", "beaker", "measuring cup"],
  beaker: ["measuring cup"],
  animal: ["horse", "cow", "sheep", "dog", "cat", "bear", "elephant", "zebra", "giraffe"],
  fruit: ["orange", "lemon"],
  person: ["people", "face"],
  plant: ["potted plant"],
  tree: ["potted plant"],
  tv: ["television", "monitor", "screen"],
};

const says = (text: string, wanted: string): boolean => [wanted, ...(MEANS[wanted] ?? [])].some((word) => new RegExp(`\\b${word}(e?s)?\\b`, "i").test(text));

test("small names a listed thing in 80 % of the spans, and nothing that is not there", { skip: missing ?? false }, () =>
  inTemporaryFolder(async (dir) => {
    const { images, about: _, ...clips } = JSON.parse(await readFile(TRUTH, "utf8")) as Record<string, Span[]> & { images: Record<string, string[]>; about: string };
    // The spans are the scenes (some last 0.3 s, hence four frames a second): what is said of one is said of nothing else.
    const list = [
      ...Object.entries(clips).map(([name, spans]) => ({ path: join(MEDIA!, "video", name), scenes: spans.map(({ from, to }) => ({ start: from, end: to })) })),
      ...Object.keys(images).map((name) => ({ path: join(MEDIA!, "images", name) })),
    ];
    await writeFile(join(dir, "list.json"), JSON.stringify(list));
    const ran = await flow(["run", EGO, join(dir, "list.json"), "--profile", "small", "-p", "fps=4", "--store", join(dir, "store"), "--json"]);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    const { records } = (await flow(["show", "--store", join(dir, "store"), "--json"])).json as { records: { kind: string; media: string; startUs: number; fields: Record<string, any> }[] };
    const names = new Map(records.filter((r) => r.kind === "media").map((r) => [r.media, r.fields["name"] as string]));
    const said = (name: string, fromUs: number): string => {
      const scene = records.find((r) => r.kind === "scene" && name.endsWith(names.get(r.media)!) && r.startUs === fromUs);
      assert.ok(scene, `${name} has no scene at ${fromUs}`);
      return [scene.fields["caption"], scene.fields["seen"], scene.fields["tagged"]].filter(Boolean).join(" ");
    };
    const cases = [
      ...Object.entries(clips).flatMap(([name, spans]) => spans.map((span) => ({ name, ...span }))),
      ...Object.entries(images).map(([name, objects]) => ({ name, from: 0, objects, none: undefined })),
    ].map((span) => ({ ...span, said: said(span.name, Math.round(span.from * 1e6)) }));
    for (const { name, from, none, said: text } of cases) for (const word of none ?? []) assert.ok(!says(text, word), `${name} at ${from} s: "${text}" names ${word}`);
    const asked = cases.filter(({ objects }) => objects);
    const right = asked.filter(({ objects, said: text }) => objects!.some((word) => says(text, word)));
    const wrong = asked.filter((span) => !right.includes(span)).map(({ name, from, objects, said: text }) => `${name} at ${from} s: "${text}", expected ${objects!.join(" or ")}`);
    console.log(`# small: ${right.length} of ${asked.length} spans\n${wrong.map((line) => `#   ${line}`).join("\n")}`);
    assert.ok(right.length >= 0.8 * asked.length, wrong.join("\n"));
  }),
);
