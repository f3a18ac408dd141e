import type { FlowErrorData } from "./errors.js";

/** A half-open interval [startUs, endUs) of one medium, integer microseconds from the medium's start. */
export interface Interval {
  startUs: number;
  endUs: number;
}

/** What scene.cut emits. Frame numbers are null for media without video. */
export interface SceneItem extends Interval {
  startFrame: number | null;
  endFrame: number | null;
}

/** Exactly one per item and node. */
export type Outcome<T = unknown> =
  | { kind: "done"; value: T; cached?: boolean }
  | { kind: "skipped"; reason: string; cached?: boolean }
  | { kind: "dropped"; reason: string }
  | { kind: "failed"; error: FlowErrorData; permanent?: boolean };

/** Counts per node; `in` is always the sum of the others. */
export interface NodeCounts {
  in: number;
  done: number;
  cached: number;
  skipped: number;
  dropped: number;
  failed: number;
  inFlight: number;
}

/**
 * A run of values on the time grid: what a coarser operator receives from a finer input, and what a block of the store holds.
 * `ptsUs` ascending; row i is `data[i*width .. (i+1)*width)` for rows and vectors, `bytes[i]` for images, `values[i]` for anything else.
 */
export interface Series {
  ptsUs: Float64Array;
  width: number;
  columns?: readonly string[];
  data?: Float32Array;
  bytes?: Uint8Array[];
  values?: unknown[];
}

export interface Cue extends Interval {
  text: string;
}

export interface Span extends Interval {
  /** Share, level or length measured, in the unit of `unit`. */
  value?: number;
  unit?: string;
}

/** What a classifier, a tagger or an event detector says. */
export interface Label {
  label: string;
  /** Probability or confidence, 0–1. */
  score: number;
}

/** One object or face in one frame. Coordinates are pixels of the source's display raster (after rotation, square pixels). */
export interface Detection extends Label {
  /** [left, top, right, bottom]. */
  box: [number, number, number, number];
  /** Faces: right eye, left eye, nose tip, right and left corner of the mouth (the person's right), [x, y] each. */
  landmarks?: [number, number][];
  /** Unit vector of the crop. */
  vector?: Float32Array;
  /** Why an operator that gives vectors gave it none. */
  noVector?: "no mask" | "empty mask" | "no landmarks" | "outside of the picture";
  mask?: Mask;
}

/** A mask over the display raster scaled to `width` × `height`: COCO's uncompressed run lengths, column by column, zeros first. */
export interface Mask {
  width: number;
  height: number;
  counts: number[];
  /** Pixels of the mask at this size. */
  area: number;
  /** The segmenter's own estimate of its IoU, where it gives one. */
  iou?: number;
  /** Its outline, clockwise, in pixels of the display raster; where the mask was refined to one part without holes. */
  polygon?: [number, number][];
}

/** One measured attribute: the number always, the label only where it passes its bar. */
export interface Attribute {
  name: string;
  value: number;
  unit: string;
  label: string | null;
  synonyms: string[];
}

export interface KeyframeRef {
  ptsUs: number;
  /** JPEG, when the graph keeps thumbnails. */
  jpeg?: Uint8Array;
}
