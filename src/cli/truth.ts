import { readFileSync } from "node:fs";
import type { FlowRecord, Interval } from "../contracts/index.js";
import type { Store } from "../store/index.js";
import { fieldText } from "./records.js";

/** graphs/demo/truth.json: what the clip's script put into it. Spans are half open, microseconds. */
export interface Truth {
  file: string;
  sha256: string;
  fps: number;
  durationUs: number;
  audio: Interval;
  cuts: { ptsUs: number }[];
  segments: (Interval & { scenes: string[] })[];
  silence: Interval[];
  subtitles: (Interval & { text: string })[];
  repeated: [string, string][];
  queries: { query: string; scene: string; segment: number }[];
}

export interface Check {
  name: string;
  right: number;
  of: number;
  /** Found by us and not in the truth. */
  extra: number;
}

export const readTruth = (file: string): Truth => JSON.parse(readFileSync(file, "utf8")) as Truth;

/** Silence is measured in rows of 100 ms (a bound may lie two rows inside) and the clip's sound fades in and out of it (up to half a second outside). */
const SILENCE_INSIDE_US = 200_000;
const SILENCE_OUTSIDE_US = 500_000;

/** Compares stored scenes and their medium with the truth; a cut may be one frame off. */
export function checkAgainstTruth(truth: Truth, scenes: readonly FlowRecord[], medium: FlowRecord): Check[] {
  const frameUs = 1_000_000 / truth.fps;
  const near = (a: number, b: number, toleranceUs: number): boolean => Math.abs(a - b) <= toleranceUs;
  const cuts = scenes.map((scene) => scene.startUs).filter((us) => us > 0);
  const cutsRight = truth.cuts.filter((cut) => cuts.some((us) => near(us, cut.ptsUs, frameUs)));
  const same = (scene: Interval, segment: Interval, toleranceUs: number): boolean => near(scene.startUs, segment.startUs, toleranceUs) && near(scene.endUs, segment.endUs, toleranceUs);
  const scenesRight = truth.segments.filter((segment) => scenes.some((scene) => same(scene, segment, frameUs)));
  // Past the end of the sound there is none to be silent; the truth speaks of silence inside the stream only.
  const silence = spans(medium.fields["silence"]).filter((span) => span.startUs < truth.audio.endUs - SILENCE_INSIDE_US);
  const between = (value: number, low: number, high: number): boolean => low <= value && value <= high;
  const around = (found: Interval, span: Interval): boolean => between(span.startUs - found.startUs, -SILENCE_INSIDE_US, SILENCE_OUTSIDE_US) && between(found.endUs - span.endUs, -SILENCE_INSIDE_US, SILENCE_OUTSIDE_US);
  const silenceRight = truth.silence.filter((span) => silence.some((found) => around(found, span)));
  const subtitlesRight = truth.subtitles.filter((cue) => scenes.some((scene) => scene.startUs <= cue.startUs && cue.endUs <= scene.endUs && fieldText(scene.fields["transcript"]).includes(cue.text)));
  return [
    { name: "cuts", right: cutsRight.length, of: truth.cuts.length, extra: cuts.length - cutsRight.length },
    { name: "scenes", right: scenesRight.length, of: truth.segments.length, extra: scenes.length - scenesRight.length },
    { name: "silence", right: silenceRight.length, of: truth.silence.length, extra: silence.length - silenceRight.length },
    { name: "subtitles", right: subtitlesRight.length, of: truth.subtitles.length, extra: 0 },
  ];
}

/** Asks the store what the truth knows the answer of: a scene shown twice must find its other showing first, words must find the scene that has them. */
export async function checkAnswers(truth: Truth, scenes: readonly FlowRecord[], store: Store): Promise<Check[]> {
  const { searchStore } = await import("../store/index.js");
  const media = [truth.sha256];
  const showing = (name: string): FlowRecord | undefined => {
    const segment = truth.segments.find((s) => s.scenes.includes(name));
    return scenes.find((scene) => segment && Math.abs(scene.startUs - segment.startUs) <= 1_000_000 / truth.fps);
  };
  const repeatedRight = truth.repeated.filter(([first, second]) => {
    const [a, b] = [showing(first), showing(second)];
    const query = a && store.vector(a, "video");
    if (!a || !b || !query) return false;
    return searchStore(store, { vectors: { video: { query } }, media, where: (record) => record.id !== a.id, top: 1 }).hits[0]?.id === b.id;
  });
  const questionsRight = truth.queries.filter(({ query, segment }) => {
    const [hit] = searchStore(store, { text: query, media, top: 1 }).hits;
    const wanted = truth.segments[segment];
    return hit && wanted && Math.abs(hit.startUs - wanted.startUs) <= 1_000_000 / truth.fps;
  });
  return [
    { name: "seen twice", right: repeatedRight.length, of: truth.repeated.length, extra: 0 },
    { name: "questions", right: questionsRight.length, of: truth.queries.length, extra: 0 },
  ];
}

/** `cuts 8/8 · scenes 9/9`; what was found beyond the truth is said too. */
export const checkText = (checks: readonly Check[]): string => checks.map(({ name, right, of, extra }) => `${name} ${right}/${of}${extra > 0 ? ` (+${extra})` : ""}`).join(" · ");

/** Spans inside a field, whatever wraps them. */
function spans(value: unknown): Interval[] {
  if (Array.isArray(value)) return value.filter((span): span is Interval => typeof span === "object" && span !== null && "startUs" in span);
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap(spans);
  return [];
}
