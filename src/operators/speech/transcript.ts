import type { Cue, Interval } from "../../contracts/items.js";
import type { WhisperPiece } from "../../models/families/whisper.js";

export interface Word extends Interval {
  text: string;
  /** Mean probability of the word's tokens, 0..1; null where the model does not tell. */
  probability: number | null;
}

/** Pieces of a block that begins at `startUs`, in integer microseconds inside the block; times never run backwards. */
export function timed(pieces: readonly WhisperPiece[], { startUs, endUs }: Interval): Word[] {
  let reached = startUs;
  const inside = (seconds: number | null): number => Math.min(endUs, Math.max(reached, seconds === null ? endUs : startUs + Math.round(seconds * 1e6)));
  return pieces
    .map(({ text, timestamp: [from, to], probability }) => {
      const start = inside(from);
      reached = start;
      return { startUs: start, endUs: inside(to), text: text.trim(), probability: probability ?? null };
    })
    .filter(({ text }) => text !== "");
}

const LONGEST_CUE_US = 7_000_000;
const PAUSE_US = 1_000_000;
/** Languages written without spaces between words. */
const UNSPACED = new Set(["zh", "ja", "th", "lo", "my", "yue"]);

/** Words → cues: a new one after the end of a sentence, a pause of a second, or seven seconds. */
export function cuesOfWords(words: readonly Word[], language: string | null): Cue[] {
  const cues: Cue[] = [];
  let last: Word | null = null;
  for (const word of words) {
    const cue = cues.at(-1);
    const goesOn = cue && last && !/[.!?…。！？]$/u.test(last.text) && word.startUs - last.endUs < PAUSE_US && word.endUs - cue.startUs <= LONGEST_CUE_US;
    if (goesOn) {
      cue.text += (UNSPACED.has(language ?? "") ? "" : " ") + word.text;
      cue.endUs = word.endUs;
    } else cues.push({ startUs: word.startUs, endUs: word.endUs, text: word.text });
    last = word;
  }
  return cues;
}
