import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { MEDIA, needs } from "../operators/vision/weights.js";
import { EGO, flow, inTemporaryFolder } from "./flow.js";

interface Truth {
  from: number;
  to: number;
  objects?: string[];
  none?: string[];
}

interface Shown {
  kind: string;
  media: string;
  startUs: number;
  endUs: number;
  fields: { name: string; caption: string | null; seen: string | null };
}

const said = (text: string, words: readonly string[]): string[] => words.filter((word) => new RegExp(`\\b${word}(s|es)?\\b`).test(text));

test("profile small of ego: captions and objects name a listed thing in at least 80 % of the spans, and nothing that must not be named", needs("yolox-nano", "yunet-dynamic", "mobilenet-v2-quant", "yamnet"), (t) =>
  inTemporaryFolder(async (dir) => {
    const truth = JSON.parse(await readFile(join(MEDIA!, "../reference/objects_truth.json"), "utf8")) as Record<string, Truth[]> & { images: Record<string, string[]> };
    const spans = Object.entries(truth).flatMap(([name, list]) => (Array.isArray(list) ? list.map((span) => ({ path: `video/${name}`, ...span })) : []));
    for (const [name, objects] of Object.entries(truth.images)) spans.push({ path: `images/${name}`, from: 0, to: 1, objects });
    const inputs = [...new Set(spans.map(({ path }) => join(MEDIA!, path)))];
    const ran = await flow(["run", EGO, ...inputs, "--profile", "small", "--store", join(dir, "store"), "--json"]);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    const records = (await flow(["show", "--store", join(dir, "store"), "--json"])).json.records as Shown[];
    const names = new Map(records.filter(({ kind }) => kind === "media").map(({ media, fields }) => [media, fields.name]));
    let right = 0;
    let asked = 0;
    for (const { path, from, to, objects, none } of spans) {
      const here = records.filter((r) => r.kind === "scene" && names.get(r.media) === basename(path) && r.startUs < to * 1e6 && r.endUs > from * 1e6);
      const text = here.map(({ fields }) => `${fields.caption ?? ""} ${fields.seen ?? ""}`).join(" ").toLowerCase().replaceAll("people", "person");
      assert.ok(here.length > 0, path);
      assert.deepEqual(said(text, none ?? []), [], `${path} ${from}–${to} s: ${text}`);
      if (!objects) continue;
      asked += 1;
      if (said(text, objects).length > 0) right += 1;
      else t.diagnostic(`${path} ${from}–${to} s: none of ${objects.join(", ")} in “${text.trim()}”`);
    }
    t.diagnostic(`${right} of ${asked} spans`);
    assert.ok(right >= 0.8 * asked, `${right} of ${asked}`);
  }));
