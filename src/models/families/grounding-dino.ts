/**
 * Grounding DINO (Liu et al., 2023) in the layout that onnx-community publishes: pixel_values, pixel_mask, input_ids, token_type_ids and
 * attention_mask in, logits [n, queries, tokens] and pred_boxes [n, queries, 4] (centre and size, 0 to 1) out.
 */
import { z } from "zod";
import type { Detection, ModelHandle } from "../../contracts/index.js";
import { imageInput, imagePreprocess, inputSize } from "../preprocess-image.js";
import { runRows } from "../rows.js";
import type { Scratch } from "../scratch.js";
import { openTokenizer, type Tokenizer } from "../transformers.js";
import { suppress, toSource, type Candidate } from "./boxes.js";
import type { DetectorOptions, SourcedRaster } from "./detector.js";
import { rowOf, settingsOf, type Outputs } from "./outputs.js";

const settings = z.object({
  scoreThreshold: z.number().default(0.3),
  textThreshold: z.number().default(0.3),
  /** null: the model suppresses nothing, as its authors use it. */
  nmsThreshold: z.number().nullable().default(null),
  maxTokens: z.int().min(4).default(256),
});

export interface GroundingOptions extends DetectorOptions {
  textScore?: number | undefined;
}

/** Names as the prompt holds them: lower-case, trimmed, without a full stop (which separates), each once, in order. */
export function promptNames(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => name.toLowerCase().replaceAll(".", " ").replace(/\s+/g, " ").trim()))].filter((name) => name !== "");
}

/** `dog. traffic light.`: names joined by ". ", a full stop at the end. */
export function promptOf(names: readonly string[]): string {
  return names.length === 0 ? "" : `${names.join(". ")}.`;
}

export interface Prompt {
  names: readonly string[];
  ids: number[];
  /** Name i is what tokens spans[i][0] … spans[i][1] − 1 say. */
  spans: [number, number][];
}

/** Token ids of a prompt and the tokens of each name. Names that no longer fit into `maxTokens` are left out. */
export function tokenise(names: readonly string[], tokenizer: Pick<Tokenizer, "encode">, maxTokens: number): Prompt {
  const encode = (text: string): number[] => tokenizer.encode(text, { add_special_tokens: false });
  const [first, last] = bounds(tokenizer);
  const stop = encode(".");
  const ids = [first];
  const spans: [number, number][] = [];
  const taken: string[] = [];
  for (const name of names) {
    const tokens = encode(name);
    if (ids.length + tokens.length + stop.length + 1 > maxTokens) break;
    taken.push(name);
    spans.push([ids.length, ids.length + tokens.length]);
    ids.push(...tokens, ...stop);
  }
  return { names: taken, ids: [...ids, last], spans };
}

/** [CLS] and [SEP]: what the tokenizer puts around a text. */
function bounds(tokenizer: Pick<Tokenizer, "encode">): [number, number] {
  const ids = tokenizer.encode("");
  return [ids[0]!, ids.at(-1)!];
}

/** For stand-ins, which have no files: a token a word. */
const MOCK_TOKENIZER: Pick<Tokenizer, "encode"> = {
  encode: ((text: string, options?: { add_special_tokens?: boolean }) => {
    const words = text.split(/\s+|(?=\.)/).filter((word) => word !== "").map((word) => (word === "." ? 1012 : 2000 + [...word].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 20_000, 7)));
    return options?.add_special_tokens === false ? words : [101, ...words, 102];
  }) as Tokenizer["encode"],
};

/** Texts are padded to a multiple of this: the length depends on the text alone, so that a result does not depend on its neighbours in a batch. */
const TOKEN_STEP = 8;

/** What is made of a picture and a prompt; a file may lack some of them. */
export const GROUNDING_INPUTS = ["pixel_values", "pixel_mask", "input_ids", "token_type_ids", "attention_mask"] as const;

/** Detections of each frame for its own names; a frame without names has none, and costs nothing. */
export async function ground(frames: readonly SourcedRaster[], names: readonly (readonly string[])[], model: ModelHandle, options: GroundingOptions, scratch?: Scratch): Promise<Detection[][]> {
  const { manifest } = model;
  const { maxTokens } = settingsOf(manifest, settings);
  const preprocess = imagePreprocess(manifest);
  const found: Detection[][] = frames.map(() => []);
  const groups = new Map<string, { prompt: Prompt; at: number; length: number }[]>();
  const tokenizer = names.some((list) => list.length > 0) ? await (manifest.mock ? MOCK_TOKENIZER : openTokenizer(manifest)) : null;
  for (const [at, list] of names.entries()) {
    if (list.length === 0 || !tokenizer) continue;
    const prompt = tokenise(list, tokenizer, maxTokens);
    const length = Math.min(maxTokens, Math.ceil(prompt.ids.length / TOKEN_STEP) * TOKEN_STEP);
    const key = `${inputSize(frames[at]!.raster, preprocess).join("x")} ${length}`;
    groups.set(key, [...(groups.get(key) ?? []), { prompt, at, length }]);
  }
  for (const group of groups.values()) {
    const n = group.length;
    const { length } = group[0]!;
    const members = group.map(({ at }) => frames[at]!);
    const { data, dims, placements } = await imageInput(members.map((f) => f.raster), preprocess, { sources: members.map((f) => f.source), ...(scratch ? { scratch } : {}) });
    const [ids, types, attention] = [new BigInt64Array(n * length), new BigInt64Array(n * length), new BigInt64Array(n * length)];
    for (const [i, { prompt }] of group.entries()) {
      ids.set(prompt.ids.map(BigInt), i * length);
      attention.fill(1n, i * length, i * length + prompt.ids.length);
    }
    const text = [n, length];
    const feeds: Record<(typeof GROUNDING_INPUTS)[number], Parameters<ModelHandle["run"]>[0][string]> = {
      pixel_values: { data, dims },
      pixel_mask: { data: new BigInt64Array(n * dims[2]! * dims[3]!).fill(1n), dims: [n, dims[2]!, dims[3]!] },
      input_ids: { data: ids, dims: text },
      token_type_ids: { data: types, dims: text },
      attention_mask: { data: attention, dims: text },
    };
    const wanted = new Set(manifest.inputs.map(({ name }) => name));
    const outputs = await runRows(model, Object.fromEntries(Object.entries(feeds).filter(([name]) => wanted.has(name))));
    for (const [i, { prompt, at }] of group.entries()) {
      const candidates = candidatesOf(outputs, i, n, prompt, placements[i]!, model, options);
      found[at] = candidates.flatMap((candidate) => toSource(candidate, prompt.names[candidate.kind]!, placements[i]!) ?? []);
    }
  }
  return found;
}

/** Queries whose best token passes the box threshold, labelled with the name whose tokens say it most; none of them past the text threshold: no object. */
function candidatesOf(outputs: Outputs, i: number, items: number, prompt: Prompt, input: { width: number; height: number }, { manifest }: ModelHandle, options: GroundingOptions): Candidate[] {
  const { scoreThreshold, textThreshold, nmsThreshold } = settingsOf(manifest, settings);
  const [least, leastText, nms] = [options.minScore ?? scoreThreshold, options.textScore ?? textThreshold, options.nms ?? nmsThreshold];
  const boxes = rowOf(outputs, "pred_boxes", i, items, 4, manifest);
  const queries = boxes.length / 4;
  const logits = rowOf(outputs, "logits", i, items, queries, manifest);
  const tokens = logits.length / queries;
  const candidates: Candidate[] = [];
  for (let q = 0; q < queries; q++) {
    const row = logits.subarray(q * tokens, (q + 1) * tokens);
    let best = Number.NEGATIVE_INFINITY;
    // Padding is −∞ in the published file, and past the text's end nothing is said of it.
    for (let t = 0; t < Math.min(tokens, prompt.ids.length); t++) best = Math.max(best, row[t]!);
    const score = sigmoid(best);
    if (!(score > least)) continue;
    let kind = -1;
    let most = leastText;
    for (const [name, [from, to]] of prompt.spans.entries()) {
      for (let t = from; t < Math.min(to, tokens); t++) {
        const said = sigmoid(row[t]!);
        if (said > most) [most, kind] = [said, name];
      }
    }
    if (kind < 0) continue;
    const [cx, cy, w, h] = boxes.subarray(q * 4, q * 4 + 4);
    candidates.push({ box: [(cx! - w! / 2) * input.width, (cy! - h! / 2) * input.height, (cx! + w! / 2) * input.width, (cy! + h! / 2) * input.height], score, kind });
  }
  return suppress(candidates, nms ?? Number.POSITIVE_INFINITY);
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
