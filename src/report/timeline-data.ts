import type { Cue, FlowRecord, Interval } from "../contracts/index.js";
import type { MediumRow, Store } from "../store/index.js";
import { intervals, plainObject } from "./quality-checks.js";

/** `bins` equal parts of the medium; null where no row lies. */
export type Curve = (number | null)[];

export interface TimelineData {
  durationUs: number;
  bins: number;
  /** Content value of a frame against the one before, 0..255: highest of the part. */
  change: Curve | null;
  /** Momentary loudness, LUFS: highest of the part. */
  loudness: Curve | null;
  /** Mean |ΔY| of the sampled frames, 0..1: mean of the part. */
  motion: Curve | null;
  scenes: (Interval & { id: string; number: number })[];
  silence: Interval[] | null;
  black: Interval[] | null;
  freeze: Interval[] | null;
  cues: Cue[];
  /** Cues as the subtitles time them, or the transcript of each scene. */
  cuesFrom: "cues" | "scenes";
}

/** Points of a curve: about two a pixel on a phone, one on a desktop. */
const BINS = 720;
/** Rectangles a lane draws at most; scenes and cues closer than this are drawn as one. */
const MAX_MARKS = 1500;
const MAX_CUE_CHARACTERS = 160;

export function timelineOf(store: Store, row: MediumRow & { id: string }, durationUs: number, records: readonly FlowRecord[], fields: Record<string, unknown>, quality: Record<string, unknown> | undefined): TimelineData {
  const nodes = Object.values(row.nodes ?? {});
  const curve = (op: string, read: RowReader, fold: "max" | "mean"): Curve | null => {
    for (const node of nodes) {
      if (node.op !== op) continue;
      const found = curveOf(store, row.id, node, durationUs, read, fold);
      if (found) return found;
    }
    return null;
  };
  const scenes = records.map(({ id, startUs, endUs }, i) => ({ id, number: i + 1, startUs, endUs }));
  const { cues, from } = cuesOf(records);
  return {
    durationUs,
    bins: BINS,
    change: curve("scene.scores", (row, column) => mean(row, ["deltaHue", "deltaSat", "deltaLum"].map(column)), "max"),
    loudness: curve("audio.levels", (row, column) => row[column("momentaryLufs")] ?? Number.NaN, "max"),
    motion: curve("video.motion", (row, column) => row[column("motion")] ?? Number.NaN, "mean"),
    scenes: thin(scenes, durationUs),
    silence: spansOf(fields["silence"]) ?? spansOf(quality?.["silence"]),
    black: spansOf(quality?.["black"]),
    freeze: spansOf(quality?.["freeze"]),
    cues: thin(cues, durationUs),
    cuesFrom: from,
  };
}

const spansOf = (value: unknown): Interval[] | null => (Array.isArray(value) ? intervals(value) : null);

type RowReader = (row: Float32Array, column: (name: string) => number) => number;

const mean = (row: Float32Array, indices: readonly number[]): number => indices.reduce((sum, i) => sum + (row[i] ?? Number.NaN), 0) / indices.length;

/** Streams the node's blocks into bins; null when it has none, or not these columns. */
function curveOf(store: Store, medium: string, node: { key: string; rate: string }, durationUs: number, read: RowReader, fold: "max" | "mean"): Curve | null {
  const [sums, counts] = [new Float64Array(BINS), new Uint32Array(BINS)];
  for (const index of store.listBlocks(medium, node.key)) {
    const block = store.getBlock(medium, node.key, index);
    if (!block?.data || !block.columns) continue;
    const { data, width, columns, ptsUs } = block;
    const column = (name: string): number => columns.indexOf(name);
    const covered = block.rates[node.rate] ?? "all";
    const failed = new Set(block.failures.map((failure) => failure.ptsUs));
    const visit = (i: number): void => {
      const at = ptsUs[i];
      if (at === undefined || at < 0 || at >= durationUs || failed.has(at)) return;
      const value = read(data.subarray(i * width, (i + 1) * width), column);
      if (!Number.isFinite(value)) return;
      const bin = Math.floor((at / durationUs) * BINS);
      sums[bin] = counts[bin] === 0 ? value : fold === "max" ? Math.max(sums[bin]!, value) : sums[bin]! + value;
      counts[bin]! += 1;
    };
    if (covered === "all") for (let i = 0; i < ptsUs.length; i++) visit(i);
    else covered.forEach(visit);
  }
  if (!counts.some((n) => n > 0)) return null;
  return carry(Array.from(sums, (sum, i) => (counts[i] === 0 ? null : fold === "max" ? sum : sum / counts[i]!)));
}

/** Where rows are rarer than bins, a value holds until the next, for at most the usual distance, and a bin more that rounding may add: a real gap stays open. */
function carry(curve: Curve): Curve {
  const filled = curve.flatMap((value, i) => (value === null ? [] : [i]));
  const steps = filled.slice(1).map((at, i) => at - filled[i]!).sort((a, b) => a - b);
  const usual = steps[Math.floor(steps.length * 0.9)] ?? 1;
  let last = -Infinity;
  return curve.map((value, i) => {
    if (value !== null) last = i;
    return value ?? (i - last <= usual ? curve[last]! : null);
  });
}

/** Cues from the records' `cues`; without them the transcript of each scene stands over the whole scene. */
function cuesOf(records: readonly FlowRecord[]): { cues: Cue[]; from: "cues" | "scenes" } {
  const short = (text: string): string => (text.length > MAX_CUE_CHARACTERS ? `${text.slice(0, MAX_CUE_CHARACTERS)}…` : text);
  const told = records.flatMap(({ fields }) =>
    (Array.isArray(fields["cues"]) ? fields["cues"] : []).flatMap((entry: unknown): Cue[] => {
      const { startUs, endUs, text } = plainObject(entry) ?? {};
      return typeof startUs === "number" && typeof endUs === "number" && typeof text === "string" && text.trim() !== "" ? [{ startUs, endUs, text: short(text.trim()) }] : [];
    }),
  );
  if (told.length > 0) return { cues: told, from: "cues" };
  const cues = records.flatMap(({ startUs, endUs, fields: { transcript } }): Cue[] => (typeof transcript === "string" && transcript.trim() !== "" ? [{ startUs, endUs, text: short(transcript.trim()) }] : []));
  return { cues, from: "scenes" };
}

/** Drops what would start on the same 1/MAX_MARKS of the line as the one before. */
function thin<T extends Interval>(spans: readonly T[], durationUs: number): T[] {
  if (spans.length <= MAX_MARKS) return [...spans];
  let last = -1;
  return spans.filter(({ startUs }) => {
    const at = Math.floor((startUs / durationUs) * MAX_MARKS);
    return at !== last && ((last = at), true);
  });
}
