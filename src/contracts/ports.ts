/**
 * Semantic ports: what flows along an edge. Kind, level, dims, normalisation, sample rate and colour order are part of the type, so
 * that a 384-d vector into a 512-d input is a lint error before any model loads.
 */

/** media ⊃ scene ⊃ frame. `frame` is the level of everything on a medium's time grid: decoded frames, audio windows, 100 ms rows. */
export type Level = "media" | "scene" | "frame" | "detection";
export const LEVELS: readonly Level[] = ["media", "scene", "frame", "detection"];

export type Kind =
  | "info" // MediumInfo                                     @media
  | "frames" // decoded pixels, a borrow                     @frame
  | "audio" // PCM, a borrow                                 @frame
  | "subtitles" // Cue[]                                     @media
  | "rows" // named float columns on the time grid           @frame
  | "scene" // Interval                                      @scene
  | "keyframes" // KeyframeRef[]                             @scene
  | "clip" // the medium itself, decoded again on demand     @media
  | "image" // encoded JPEG bytes                            @frame
  | "detections" // Detection[]                              @frame
  | "labels" // Label[]                                      @frame | scene | media
  | "vector" // Float32Array, `dims` long                    @frame | scene | media
  | "text" // string                                         @scene | media
  | "attributes" // Attribute[]                              @scene | media
  | "spans" // Span[] (silence, black, freeze …)             @scene | media
  | "value" // any JSON value                                @scene | media
  | "record"; // what `join` commits                         @scene | media

export interface PortType {
  readonly kind: Kind;
  readonly level: Level;
  /** vector: length. */
  readonly dims?: number;
  /** vector: name of the vector space (two spaces never compare). */
  readonly space?: string;
  /** vector: "unit" = L2-normalised, checked on every item. */
  readonly norm?: "unit" | "none";
  /** rows: the columns that must be (input) or are (output) present. */
  readonly columns?: readonly string[];
  /** audio: Hz. */
  readonly sampleRate?: number;
  /** frames: colour order. */
  readonly color?: "rgb24";
  /** frames: raster the coordinates refer to. */
  readonly geometry?: "coded" | "display";
  /** input may be left out of the graph. */
  readonly optional?: boolean;
  /** input: an item without a value here still runs (value undefined) instead of being skipped(upstream). */
  readonly nullable?: boolean;
  /** input: what to write in the graph where it is missing or something else comes. */
  readonly hint?: string;
  /** input accepts any kind (join). */
  readonly any?: boolean;
}

type Extra = Omit<PortType, "kind" | "level">;
const port = (kind: Kind, usual: Level) => ({
  kind,
  level: usual,
  /** The same kind at another level or with more promises. */
  at: (level: Level, extra: Extra = {}): PortType => ({ kind, level, ...extra }),
  with: (extra: Extra): PortType => ({ kind, level: usual, ...extra }),
});

export const Info = port("info", "media");
export const Frames = port("frames", "frame");
export const Audio = port("audio", "frame");
export const Subtitles = port("subtitles", "media");
export const Rows = port("rows", "frame");
export const Scene = port("scene", "scene");
export const Keyframes = port("keyframes", "scene");
export const Image = port("image", "frame");
export const Clip = port("clip", "media");
export const Detections = port("detections", "frame");
export const Labels = port("labels", "frame");
export const Vector = port("vector", "scene");
export const Text = port("text", "scene");
export const Attributes = port("attributes", "scene");
export const Spans = port("spans", "scene");
export const Value = port("value", "scene");
export const Record_ = port("record", "scene");

/** `vector@frame[512, unit, lite-image-v1]`, as messages show it. */
export function portToString(type: PortType): string {
  const notes = [type.dims, type.norm, type.space, type.sampleRate && `${type.sampleRate} Hz`, type.geometry, type.columns?.join("+")].filter(Boolean);
  return `${type.any ? "any" : type.kind}@${type.level}${notes.length > 0 ? `[${notes.join(", ")}]` : ""}`;
}
