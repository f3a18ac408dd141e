import { z } from "zod";
import type { Detection, Series } from "../../contracts/items.js";
import { defineOperator } from "../../contracts/operator.js";
import { Detections, Value } from "../../contracts/ports.js";
import { rounded } from "../series-rows.js";

/** One person of a scene or a medium, by their faces. */
export interface SeenPerson {
  /** From 1, in order of appearance. */
  person: number;
  /** Sampled frames that show them, and their share of all sampled frames. */
  frames: number;
  share: number;
  firstUs: number;
  lastUs: number;
  /** Score, time and box of their best face. */
  score: number;
  bestUs: number;
  box: [number, number, number, number];
}

const config = z.strictObject({
  threshold: z.number().min(-1).max(1).default(0.45).describe("Cosine from which two faces are one person's; it belongs to the model (`flow models show`)."),
  min_score: z.number().min(0).max(1).default(0.7).describe("Confidence from which a face counts, 0–1."),
  min_frames: z.int().min(1).default(1).describe("Frames in which a person must be seen."),
});

type Person = SeenPerson & { sum: Float64Array; faces: number };

/**
 * Leader clustering in time: each face goes to the person whose mean face is nearest, if that is near enough and has no other face in the same
 * frame (two faces of one picture are two people), else it begins a new one. Best pairs of a frame first, so that the order of its faces says nothing.
 */
export function group(series: Series, { threshold, min_score, min_frames }: z.infer<typeof config>): SeenPerson[] {
  const people: Person[] = [];
  for (const [i, detections] of ((series.values ?? []) as Detection[][]).entries()) {
    const ptsUs = series.ptsUs[i]!;
    const faces = detections.filter(({ score, vector }) => vector !== undefined && score >= min_score);
    const pairs = faces.flatMap((face, f) => people.map((person, p) => ({ f, p, near: cosine(face.vector!, person.sum) }))).filter(({ near }) => near >= threshold);
    pairs.sort((a, b) => b.near - a.near || a.p - b.p || a.f - b.f);
    const owner = new Map<number, number>();
    const taken = new Set<number>();
    for (const { f, p } of pairs) {
      if (owner.has(f) || taken.has(p)) continue;
      owner.set(f, p);
      taken.add(p);
    }
    for (const [f, { vector, score, box }] of faces.entries()) {
      let person = people[owner.get(f) ?? -1];
      if (!person) people.push((person = { person: 0, frames: 0, share: 0, firstUs: ptsUs, lastUs: ptsUs, score: -1, bestUs: ptsUs, box, sum: new Float64Array(vector!.length), faces: 0 }));
      vector!.forEach((x, n) => (person.sum[n]! += x));
      person.faces += 1;
      person.frames += 1;
      person.lastUs = ptsUs;
      if (score > person.score) Object.assign(person, { score, bestUs: ptsUs, box });
    }
  }
  return people
    .filter(({ frames }) => frames >= min_frames)
    .map(({ sum: _, faces: __, ...person }, n) => ({
      ...person,
      person: n + 1,
      share: rounded(person.frames / series.ptsUs.length, 3),
      score: rounded(person.score, 4),
      box: person.box.map((x) => rounded(x, 1)) as SeenPerson["box"],
    }));
}

function cosine(a: Float32Array, b: Float64Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return dot / Math.sqrt(aa * bb || 1);
}

export const faceGroup = defineOperator({
  name: "face.group",
  version: 1,
  summary: "Tells how many people a scene or a medium shows, and when, by the vectors of their faces.",
  description: "Level: the node's `over`. It says that two faces are one person's, never whose. Faces without a vector (face.embed gives them) do not count.",
  module: import.meta.url,
  level: "inherit",
  inputs: { faces: Detections },
  outputs: { people: Value.at("scene"), count: Value.at("scene") },
  config,
  run: {
    form: "each",
    thread: "main",
    each: ({ faces }, options: z.infer<typeof config>) => {
      const people = group(faces as Series, options);
      return { people, count: people.length };
    },
  },
  examples: [
    {
      title: "People of the whole clip",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "found: { op: face.detect, in: { frames: { from: media.frames, fps: 2 } }, model: yunet-dynamic }\n" +
        "faces: { op: face.embed, in: { frames: { from: media.frames, fps: 2 }, faces: found }, model: sface }\npeople: { op: face.group, over: media, in: { faces: faces } }",
    },
  ],
});
