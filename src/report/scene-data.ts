import type { Attribute, FlowRecord, Interval } from "../contracts/index.js";
import type { Store } from "../store/index.js";
import { clock, decimal, range } from "./format.js";
import { plainObject } from "./quality-checks.js";

export interface KeyframePicture {
  ptsUs: number;
  sha: string;
  /** Data URI; null when the page's budget ended before. */
  uri: string | null;
}

export interface SimilarScene {
  id: string;
  number: number;
  medium: string;
  anchor: string;
  startUs: number;
  endUs: number;
  /** 0 = a typical foreign pair, 1 = identical, where the space is calibrated; else the cosine. */
  score: number;
  /** At or above the space's threshold for one subject. */
  same: boolean;
}

export interface SceneReport extends Interval {
  id: string;
  /** Counted from 1 within its medium. */
  number: number;
  anchor: string;
  medium: string;
  frames: [number, number] | null;
  outcome: FlowRecord["outcome"];
  caption: string;
  transcript: string;
  attributes: Attribute[];
  loudness: Record<string, unknown> | null;
  events: (Interval & { label: string; value: number | null; unit: string })[];
  /** In time order, equal neighbours once. */
  keyframes: KeyframePicture[];
  /** Index into keyframes of the main picture; −1 without. */
  poster: number;
  similar: SimilarScene[];
  /** The vectors that `similar` compares; null for a scene without any. */
  similarBy: { vector: string; space: string; calibrated: boolean } | null;
  vectors: FlowRecord["vectors"];
  /** Fields that the page has no place of its own for, as short text. */
  other: [string, string][];
  /** Content id of the medium. */
  mediumId: string;
}

const KNOWN = new Set(["caption", "transcript", "attributes", "keyframes", "loudness", "events", "silence", "cues", "startFrame", "endFrame"]);
const OTHER_CHARACTERS = 400;

const text = (value: unknown): string => (typeof value === "string" ? value.trim() : "");
const list = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.map(plainObject).filter((entry) => entry !== undefined) : []);

export function sceneReport(record: FlowRecord, place: { number: number; anchor: string; medium: string }): SceneReport {
  const { fields } = record;
  const keyframes = list(fields["keyframes"])
    .flatMap(({ ptsUs, thumbnail }): KeyframePicture[] => (typeof ptsUs === "number" && typeof thumbnail === "string" ? [{ ptsUs, sha: thumbnail, uri: null }] : []))
    .sort((a, b) => a.ptsUs - b.ptsUs)
    .filter(({ sha }, i, all) => all.findIndex((other) => other.sha === sha) === i);
  const [start, end] = [fields["startFrame"], fields["endFrame"]];
  return {
    ...place,
    id: record.id,
    startUs: record.startUs,
    endUs: record.endUs,
    frames: typeof start === "number" && typeof end === "number" ? [start, end] : null,
    outcome: record.outcome,
    caption: text(fields["caption"]),
    transcript: text(fields["transcript"]),
    attributes: list(fields["attributes"]).flatMap((a) => {
      if (typeof a["name"] !== "string" || typeof a["value"] !== "number") return [];
      return [{ name: a["name"], value: a["value"], unit: text(a["unit"]), label: typeof a["label"] === "string" ? a["label"] : null, synonyms: [] }];
    }),
    loudness: plainObject(fields["loudness"]) ?? null,
    events: list(fields["events"]).flatMap((e) =>
      typeof e["startUs"] === "number" && typeof e["endUs"] === "number" ? [{ startUs: e["startUs"], endUs: e["endUs"], label: text(e["label"]), value: typeof e["value"] === "number" ? e["value"] : null, unit: text(e["unit"]) }] : [],
    ),
    keyframes,
    poster: keyframes.length > 0 ? 0 : -1,
    similar: [],
    similarBy: null,
    vectors: record.vectors,
    other: Object.entries(fields).flatMap(([name, value]): [string, string][] => {
      if (KNOWN.has(name) || value === null || value === undefined) return [];
      const short = spoken(value);
      return short === "" ? [] : [[name, short.length > OTHER_CHARACTERS ? `${short.slice(0, OTHER_CHARACTERS)}…` : short]];
    }),
    mediumId: record.media,
  };
}

/** A value for people: labelled things by label and score, spans as times, an empty list "none", anything else by its members. */
function spoken(value: unknown): string {
  if (typeof value === "number") return decimal(value, 4);
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(spoken).join(", ");
  const entry = plainObject(value);
  if (!entry) return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  const { label, score, startUs, endUs } = entry;
  if (typeof label === "string" && label !== "") return typeof score === "number" ? `${label} ${decimal(score, 2)}` : label;
  if (typeof startUs === "number" && typeof endUs === "number" && Object.keys(entry).length === 2) return range(startUs, endUs);
  const members = Object.entries(entry).filter(([, member]) => member !== null && member !== undefined);
  return members.map(([name, member]) => (name.endsWith("Us") && typeof member === "number" ? `${name.slice(0, -2)} ${clock(member)}` : `${name} ${spoken(member)}`)).join(" · ");
}

/** Pictures as data URIs until the budget ends: main pictures first, then the second, third … of every scene. */
export class PictureBudget {
  constructor(
    private readonly store: Store,
    private bytes: number,
  ) {}

  fill(scenes: readonly SceneReport[]): void {
    for (const scene of scenes) {
      scene.poster = this.richest(scene.keyframes);
      const poster = scene.keyframes[scene.poster];
      if (poster) this.load(poster);
    }
    const most = Math.max(0, ...scenes.map((scene) => scene.keyframes.length));
    for (let i = 0; i < most; i++) for (const scene of scenes) if (scene.keyframes[i] && i !== scene.poster) this.load(scene.keyframes[i]!);
  }

  /** The picture whose JPEG is the largest shows most: rarely a fade, a blur or black. */
  private richest(keyframes: readonly KeyframePicture[]): number {
    let [best, most] = [keyframes.length > 0 ? 0 : -1, 0];
    keyframes.forEach(({ sha }, i) => {
      const bytes = this.store.getBlob(sha)?.length ?? 0;
      if (bytes > most) [best, most] = [i, bytes];
    });
    return best;
  }

  private load(picture: KeyframePicture): void {
    const blob = this.store.getBlob(picture.sha);
    const type = blob && imageType(blob);
    if (!type) return;
    const uri = `data:${type};base64,${blob.toString("base64")}`;
    if (uri.length > this.bytes) return;
    this.bytes -= uri.length;
    picture.uri = uri;
  }
}

/** By content: a blob that is no picture stays out of the page. */
function imageType(blob: Buffer): string | null {
  if (blob[0] === 0xff && blob[1] === 0xd8) return "image/jpeg";
  if (blob.subarray(0, 4).toString("latin1") === "\u0089PNG") return "image/png";
  if (blob.subarray(0, 4).toString("latin1") === "RIFF" && blob.subarray(8, 12).toString("latin1") === "WEBP") return "image/webp";
  return null;
}
