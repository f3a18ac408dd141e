import { FlowError, type ModelHandle } from "../../contracts/index.js";
import { loadTransformers, openPipeline, runTransformers } from "../transformers.js";

export const WHISPER_RATE = 16_000;
/** Whisper hears 30 s at a time. */
const WINDOW_SECONDS = 30;
/** What ends later in a window that is not the last may be cut off by the window's end: it is heard again at the start of the next. */
const EDGE_SECONDS = 1;
/** Words: the longest pause of the window's last seconds is where the next one begins. */
const TAIL_SECONDS = 5;
/** A model that never advances would be asked for ever. No real half minute has more segments. */
const MOST_SEGMENTS = 64;

export interface WhisperOptions {
  /** ISO 639-1; null: the model has one language only. */
  language: string | null;
  task: "transcribe" | "translate";
  words: boolean;
}

/** A segment, or a word: seconds from the sound's start; the end may be unknown. */
export interface WhisperPiece {
  text: string;
  timestamp: [number, number | null];
  /** Words: mean probability of their tokens; null where it cannot be told. */
  probability?: number | null;
}

interface Tensor {
  data: ArrayLike<number | bigint>;
  dims: number[];
  tolist(): (bigint | number)[][];
}
type Logits = { data: Float32Array; dims: number[] };
interface GenerationConfig {
  is_multilingual?: boolean | null;
  lang_to_id?: Record<string, number> | null;
  alignment_heads?: unknown;
  decoder_start_token_id: number;
  no_timestamps_token_id?: number | null;
  eos_token_id: number | number[];
}
/** The parts of the library's pipeline that are read here. */
interface Pipeline {
  (sound: Float32Array, options: Record<string, unknown>): Promise<{ text: string; chunks?: WhisperPiece[] }>;
  processor(sound: Float32Array): Promise<{ input_features: Tensor }>;
  tokenizer: { decode(ids: readonly number[], options?: object): string };
  model: { generation_config: GenerationConfig; generate(options: Record<string, unknown>): Promise<Tensor> };
}

const pipelineOf = async (model: ModelHandle): Promise<Pipeline> => (await openPipeline(model, "automatic-speech-recognition")) as unknown as Pipeline;

/** Does the model know several languages? One that does not is English only, and can neither detect nor translate. */
export async function isMultilingual(model: ModelHandle): Promise<boolean> {
  return (await pipelineOf(model)).model.generation_config.is_multilingual === true;
}

/** The most probable language of the sound's first 30 s: the token that the decoder puts after `<|startoftranscript|>`, languages only. */
export async function detectLanguage(model: ModelHandle, sound: Float32Array): Promise<string> {
  const pipeline = await pipelineOf(model);
  const { LogitsProcessorList } = await loadTransformers();
  const { lang_to_id: languages, decoder_start_token_id: start } = pipeline.model.generation_config;
  const ids = new Map(Object.entries(languages ?? {}).map(([token, id]) => [id, token.slice(2, -2)]));
  return runTransformers(model, 1, async () => {
    const { input_features } = await pipeline.processor(sound.subarray(0, WINDOW_SECONDS * WHISPER_RATE));
    const only = await processor((_ids, logits) => {
      logits.data.forEach((_, id) => ids.has(id) || (logits.data[id] = Number.NEGATIVE_INFINITY));
    });
    const list = new LogitsProcessorList();
    list.push(only as never);
    const sequence = await pipeline.model.generate({ inputs: input_features, decoder_input_ids: [start], max_new_tokens: 1, logits_processor: list });
    return ids.get(Number(sequence.tolist()[0]!.at(-1))) ?? "en";
  });
}

/**
 * Text and its pieces: segments, or words if asked for. Sound of more than 30 s goes in window by window, each beginning where the last whole
 * segment of the one before ended (Whisper's own long-form method; merging the words of overlapping windows doubles some of them).
 * Throws MODEL_TASK (words of a model without alignment heads, translation by one of English only), MODEL_RUN.
 */
export async function transcribe(model: ModelHandle, sound: Float32Array, options: WhisperOptions): Promise<{ text: string; pieces: WhisperPiece[] }> {
  const pipeline = await pipelineOf(model);
  const config = pipeline.model.generation_config;
  if (config.is_multilingual !== true && options.task === "translate") throw cannot(model, "knows English only and translates nothing", "Use a multilingual checkpoint (without .en in its name), or `task: transcribe`.");
  if (options.words && !config.alignment_heads) throw cannot(model, "has no alignment_heads in its generation_config.json, so it cannot time words", "Use an export with timestamps (…_timestamped), or `words: false`.");
  const pieces: WhisperPiece[] = [];
  const window = WINDOW_SECONDS * WHISPER_RATE;
  for (let at = 0; at < sound.length; ) {
    const last = at + window >= sound.length;
    const found = await transcribeWindow(model, pipeline, sound.subarray(at, at + window), options);
    const { kept, seconds } = last ? { kept: found, seconds: WINDOW_SECONDS } : whole(found, options.words);
    const offset = at / WHISPER_RATE;
    pieces.push(...kept.map((piece) => ({ ...piece, timestamp: [piece.timestamp[0] + offset, piece.timestamp[1] === null ? null : piece.timestamp[1] + offset] as [number, number | null] })));
    at += last ? window : Math.round(seconds * WHISPER_RATE);
  }
  return { text: pieces.map((piece) => piece.text).join("").trim(), pieces };
}

function transcribeWindow(model: ModelHandle, pipeline: Pipeline, sound: Float32Array, { language, task, words }: WhisperOptions): Promise<WhisperPiece[]> {
  return runTransformers(model, 1, async () => {
    const config = pipeline.model.generation_config;
    const tokens = new TokenProbabilities(model);
    const { chunks = [] } = await pipeline(sound, {
      return_timestamps: words ? "word" : true,
      ...(config.is_multilingual === true ? { language, task } : {}),
      logits_processor: await tokens.list(words),
    });
    return words ? withProbabilities(chunks, tokens.seen, pipeline.tokenizer, config) : chunks;
  });
}

/** Of a window that is not the last: what is surely whole, and the second at which the next window begins. */
function whole(pieces: readonly WhisperPiece[], words: boolean): { kept: WhisperPiece[]; seconds: number } {
  const last = pieces.at(-1);
  if (!last || (last.timestamp[1] ?? WINDOW_SECONDS) <= WINDOW_SECONDS - EDGE_SECONDS) return { kept: [...pieces], seconds: WINDOW_SECONDS };
  let cut = pieces.length - 1;
  if (words) {
    const pause = (n: number): number => pieces[n]!.timestamp[0] - (pieces[n - 1]!.timestamp[1] ?? pieces[n]!.timestamp[0]);
    for (let n = cut - 1; n > 0 && pieces[n]!.timestamp[0] >= WINDOW_SECONDS - TAIL_SECONDS; n--) if (pause(n) > pause(cut)) cut = n;
  }
  const [start] = pieces[cut]!.timestamp;
  const end = pieces[cut - 1]?.timestamp[1] ?? start;
  const seconds = cut === 0 ? 0 : words ? (end + start) / 2 : end;
  // One piece that fills the window: it cannot be heard better.
  return seconds < EDGE_SECONDS ? { kept: [...pieces], seconds: WINDOW_SECONDS } : { kept: pieces.slice(0, cut), seconds };
}

function cannot({ manifest }: ModelHandle, what: string, hint: string): FlowError {
  return new FlowError("MODEL_TASK", `model ${manifest.id} ${what}`, { hint, permanent: true });
}

/** A logits processor from a function that changes the last step's logits in place (or only looks). */
async function processor(look: (ids: readonly (bigint | number)[], logits: Logits) => void): Promise<object> {
  const { LogitsProcessor } = await loadTransformers();
  class Looking extends LogitsProcessor {
    override _call(ids: bigint[][], logits: never): never {
      look(ids[0]!, logits as Logits);
      return logits;
    }
  }
  return new Looking();
}

interface SeenToken {
  id: number;
  probability: number;
}

/** What the decoder thought of each token that it chose: the softmax of the step's logits, without temperature. */
class TokenProbabilities {
  readonly seen: SeenToken[] = [];
  #last: Float32Array | null = null;
  #length = 0;
  #segments = 0;

  constructor(readonly model: ModelHandle) {}

  /** The library adds its own rules to the list at every call; one of each is enough. `record`: words want the probabilities. */
  async list(record: boolean): Promise<object> {
    const { LogitsProcessorList } = await loadTransformers();
    class OneOfEach extends LogitsProcessorList {
      override push(item: never): void {
        this.processors = this.processors.filter((known) => (known as object).constructor !== (item as object).constructor);
        super.push(item);
      }
    }
    const list = new OneOfEach();
    list.push((await processor((ids, logits) => this.#look(ids, logits, record))) as never);
    return list;
  }

  #look(ids: readonly (bigint | number)[], logits: Logits, record: boolean): void {
    this.model.checkStop?.();
    const follows = ids.length === this.#length + 1 && this.#length > 0;
    this.#length = ids.length;
    if (!follows) this.#begin();
    else if (this.#last) {
      const id = Number(ids.at(-1));
      this.seen.push({ id, probability: softmaxAt(this.#last, id) });
    }
    if (record) this.#last = Float32Array.from(logits.data);
  }

  #begin(): void {
    this.#last = null;
    if (++this.#segments > MOST_SEGMENTS) throw cannot(this.model, "gives segment after segment and gets no further in the sound", "The files of the checkpoint may not belong together.");
  }
}

function softmaxAt(logits: Float32Array, at: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const x of logits) if (x > most) most = x;
  let sum = 0;
  for (const x of logits) sum += Math.exp(x - most);
  return Math.exp(logits[at]! - most) / sum;
}

/** As many tokens as a window can have. */
const LOOK_AHEAD = 448;

/**
 * Words with the mean probability of their tokens. The library tells words, not tokens, and leaves out what a segment without an end had: each
 * word is looked for in what was generated, in order.
 */
function withProbabilities(words: readonly WhisperPiece[], seen: readonly SeenToken[], tokenizer: Pipeline["tokenizer"], { no_timestamps_token_id: marks, eos_token_id: eos }: GenerationConfig): WhisperPiece[] {
  const firstSpecial = Math.min(...[eos, marks ?? Infinity].flat());
  const tokens = seen.filter(({ id }) => id < firstSpecial);
  const texts = tokens.map(({ id }) => tokenizer.decode([id]));
  let from = 0;
  return words.map((word) => {
    for (let start = from; start < Math.min(tokens.length, from + LOOK_AHEAD); start++) {
      const end = matches(word.text.trim(), start, tokens, texts, tokenizer);
      if (end === null) continue;
      from = end;
      const own = tokens.slice(start, end);
      return { ...word, probability: own.reduce((sum, { probability }) => sum + probability, 0) / own.length };
    }
    return { ...word, probability: null };
  });
}

/** End of the run of tokens from `start` that reads as `word`, or null. A letter may be made of several tokens, so runs are decoded as a whole. */
function matches(word: string, start: number, tokens: readonly SeenToken[], texts: readonly string[], tokenizer: Pipeline["tokenizer"]): number | null {
  const first = texts[start]!.trim();
  if (word === "" || (first !== "" && !first.includes("\ufffd") && !word.startsWith(first))) return null;
  for (let end = start + 1; end <= Math.min(tokens.length, start + 32); end++) {
    const text = tokenizer.decode(tokens.slice(start, end).map(({ id }) => id)).trim();
    if (text === word) return end;
    if (text.length > word.length) return null;
  }
  return null;
}
