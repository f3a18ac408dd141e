/**
 * Segment Anything (Kirillov et al., 2023) in two graphs: an encoder, pixel_values → image embeddings, run once a picture, and a decoder that turns prompts and the
 * embeddings into iou_scores [1, boxes, masks] and pred_masks [1, boxes, masks, h, w] (logits over the padded input). Boxes of one picture go in together, those of
 * different pictures never: nothing is padded, so no mask can land on another detection.
 */
import { z } from "zod";
import { FlowError, type Detection, type Mask, type ModelHandle, type ModelManifest } from "../../contracts/index.js";
import { imageInput, imagePreprocess, type Placement } from "../preprocess-image.js";
import { runRows } from "../rows.js";
import type { Scratch } from "../scratch.js";
import type { Box } from "./boxes.js";
import type { SourcedRaster } from "./detector.js";
import { encodeMask, maskSize, sampler } from "./masks.js";
import { rowOf, settingsOf, type Outputs } from "./outputs.js";

const settings = z.object({
  /**
   * How a box is said to the decoder. boxes: input_boxes [1, boxes, 4] (SAM 2). corners: two points with the labels 2 and 3 (the authors' own export). centre: one
   * positive point, where the export takes neither (optimum's of SAM 1); of the three masks the one that fills the box best is then kept.
   */
  prompt: z.enum(["boxes", "corners", "centre"]).default("boxes"),
  maskThreshold: z.number().default(0),
});

/** Boxes per run of the decoder: more would only take memory. */
const BOXES_PER_RUN = 32;

type Feeds = Parameters<ModelHandle["run"]>[0];

/** What the decoder can be fed: what the encoder gives, and how a box is said to it. null: its settings are wrong, which is told where they are read. */
export function decoderInputs(encoder: ModelManifest, decoder: ModelManifest): readonly string[] | null {
  const parsed = settings.safeParse(decoder.settings);
  return parsed.success ? [...encoder.outputs.map(({ name }) => name), ...Object.keys(promptFeeds(parsed.data.prompt, []))] : null;
}

/** The detections of each frame with their masks; order and number stay, and a frame without detections costs no run. */
export async function sam(frames: readonly (SourcedRaster & { detections: readonly Detection[] })[], encoder: ModelHandle, decoder: ModelHandle, options: { maskLongest: number }, scratch?: Scratch): Promise<Detection[][]> {
  const busy = frames.filter(({ detections }) => detections.length > 0);
  if (busy.length === 0) return frames.map(() => []);
  const { data, dims, placements } = await imageInput(busy.map((f) => f.raster), imagePreprocess(encoder.manifest), { sources: busy.map((f) => f.source), ...(scratch ? { scratch } : {}) });
  const embeddings = await runRows(encoder, { [encoder.manifest.inputs[0]!.name]: { data, dims } });
  const results = new Map<(typeof frames)[number], Detection[]>();
  for (const [i, frame] of busy.entries()) {
    const own = slices(embeddings, i, busy.length, decoder);
    const masked: Detection[] = [];
    for (let at = 0; at < frame.detections.length; at += BOXES_PER_RUN) {
      const part = frame.detections.slice(at, at + BOXES_PER_RUN);
      const masks = await decode(part.map(({ box }) => box), own, placements[i]!, decoder, options);
      part.forEach((detection, n) => masked.push({ ...detection, mask: masks[n]! }));
    }
    results.set(frame, masked);
  }
  return frames.map((frame) => results.get(frame) ?? []);
}

/** What the encoder gave for picture `i`, as far as the decoder asks for it. */
function slices(embeddings: Outputs, i: number, items: number, { manifest }: ModelHandle): Feeds {
  const feeds: Feeds = {};
  for (const { name } of manifest.inputs) {
    const output = embeddings[name];
    if (!output) continue;
    // An embedding of positions may come once for all pictures.
    const shared = output.dims[0] === 1 && items > 1;
    feeds[name] = { data: shared ? output.data : rowOf(embeddings, name, i, items, 1, manifest).slice(), dims: [1, ...output.dims.slice(1)] };
  }
  return feeds;
}

async function decode(boxes: readonly Box[], embeddings: Feeds, at: Placement, decoder: ModelHandle, options: { maskLongest: number }): Promise<Mask[]> {
  const { manifest } = decoder;
  const { prompt, maskThreshold } = settingsOf(manifest, settings);
  const n = boxes.length;
  const wanted = new Set(manifest.inputs.map(({ name }) => name));
  const corners = boxes.map((box): Box => [box[0] * at.scaleX + at.offsetX, box[1] * at.scaleY + at.offsetY, box[2] * at.scaleX + at.offsetX, box[3] * at.scaleY + at.offsetY]);
  const prompts = promptFeeds(prompt, corners);
  const outputs = await decoder.run({ ...embeddings, ...Object.fromEntries(Object.entries(prompts).filter(([name]) => wanted.has(name))) });
  const [scores, logits] = [outputs["iou_scores"], outputs["pred_masks"]];
  const choices = scores ? scores.data.length / n : 0;
  if (!scores || !logits || logits.dims.length !== 5 || logits.dims[1] !== n || !Number.isInteger(choices) || logits.dims[2] !== choices) {
    const found = Object.entries(outputs).map(([name, { dims }]) => `${name} [${dims.join(", ")}]`).join(", ");
    throw new FlowError("MODEL_OUTPUT", `model ${manifest.id}: found ${found}, expected iou_scores [1, ${n}, masks] and pred_masks [1, ${n}, masks, height, width]`, { hint: `Correct family and outputs in ${manifest.origin}.`, permanent: true });
  }
  const [rows, columns] = [logits.dims[3]!, logits.dims[4]!];
  const size = maskSize(at.source, options.maskLongest);
  const axes = sampler(size, at, columns, rows);
  return corners.map((box, d) => {
    const maps = Array.from({ length: choices }, (_, m) => logits.data.subarray((d * choices + m) * rows * columns, (d * choices + m + 1) * rows * columns));
    const merit = (m: number): number => (prompt === "centre" ? filled(maps[m]!, rows, columns, box, at, maskThreshold) : scores.data[d * choices + m]!);
    let best = 0;
    for (let m = 1; m < choices; m++) if (merit(m) > merit(best)) best = m;
    return encodeMask(drawn(maps[best]!, columns, size, axes, maskThreshold), size.width, size.height, scores.data[d * choices + best]!);
  });
}

function promptFeeds(prompt: "boxes" | "corners" | "centre", corners: readonly Box[]): Feeds {
  const n = corners.length;
  if (prompt === "boxes") {
    // Points of which there are none: the inputs exist in the file, whose graph then reads the boxes alone.
    return {
      input_boxes: { data: Float32Array.from(corners.flat()), dims: [1, n, 4] },
      input_points: { data: new Float32Array(0), dims: [1, 1, 0, 2] },
      input_labels: { data: new BigInt64Array(0), dims: [1, n, 0] },
    };
  }
  if (prompt === "corners") return { input_points: { data: Float32Array.from(corners.flat()), dims: [1, n, 2, 2] }, input_labels: { data: BigInt64Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 ? 2n : 3n)), dims: [1, n, 2] } };
  const centres = corners.flatMap(([left, top, right, bottom]) => [(left + right) / 2, (top + bottom) / 2]);
  return { input_points: { data: Float32Array.from(centres), dims: [1, n, 1, 2] }, input_labels: { data: new BigInt64Array(n).fill(1n), dims: [1, n, 1] } };
}

/** The mask of a logit map on a raster of the source. */
function drawn(map: Float32Array, columns: number, size: { width: number; height: number }, { x: across, y: down }: ReturnType<typeof sampler>, threshold: number): Uint8Array {
  const bitmap = new Uint8Array(size.width * size.height);
  for (let y = 0, p = 0; y < size.height; y++) {
    const [above, below, v] = [down.first[y]! * columns, down.second[y]! * columns, down.share[y]!];
    for (let x = 0; x < size.width; x++, p++) {
      const [left, right, u] = [across.first[x]!, across.second[x]!, across.share[x]!];
      const value = (map[above + left]! * (1 - u) + map[above + right]! * u) * (1 - v) + (map[below + left]! * (1 - u) + map[below + right]! * u) * v;
      if (value > threshold) bitmap[p] = 1;
    }
  }
  return bitmap;
}

/** IoU of a mask with its box, on the map's own raster. */
function filled(map: Float32Array, rows: number, columns: number, box: Box, at: Placement, threshold: number): number {
  let [both, either] = [0, 0];
  for (let y = 0; y < rows; y++) {
    const inY = ((y + 0.5) * at.height) / rows;
    for (let x = 0; x < columns; x++) {
      const inX = ((x + 0.5) * at.width) / columns;
      const boxed = inX >= box[0] && inX < box[2] && inY >= box[1] && inY < box[3];
      const masked = map[y * columns + x]! > threshold;
      if (boxed && masked) both += 1;
      if (boxed || masked) either += 1;
    }
  }
  return either === 0 ? 0 : both / either;
}
