import type { SpeakerSpan } from "./speaker-turns.js";

/** Turns of an RTTM file (NIST): `SPEAKER file 1 start duration <NA> <NA> name …`, seconds. */
export function parseRttm(text: string): SpeakerSpan[] {
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([type]) => type === "SPEAKER")
    .map((fields) => {
      const startUs = Math.round(Number(fields[3]) * 1e6);
      return { speaker: fields[7]!, startUs, endUs: startUs + Math.round(Number(fields[4]) * 1e6) };
    });
}

/** The reverse. `file`: how the sound is called in it. */
export function toRttm(turns: readonly SpeakerSpan[], file: string): string {
  return turns.map(({ speaker, startUs, endUs }) => `SPEAKER ${file} 1 ${(startUs / 1e6).toFixed(3)} ${((endUs - startUs) / 1e6).toFixed(3)} <NA> <NA> ${speaker} <NA> <NA>\n`).join("");
}

/** Microseconds of speaker time; `rate` is their sum over the reference's. */
export interface DiarizationError {
  rate: number;
  missedUs: number;
  falseAlarmUs: number;
  confusionUs: number;
  referenceUs: number;
}

/**
 * Diarization error rate (NIST RT-09, as pyannote.metrics has it): missed speech + false alarms + confusion over the reference's speech, with the
 * best one-to-one mapping of names and overlapped speech counted per speaker. `collarUs` around each of the reference's boundaries is left out,
 * half of it on each side.
 */
export function diarizationError(reference: readonly SpeakerSpan[], hypothesis: readonly SpeakerSpan[], collarUs = 0): DiarizationError {
  const bounds = reference.flatMap(({ startUs, endUs }) => [startUs, endUs]);
  const cuts = [...new Set([...bounds.flatMap((b) => [b - collarUs / 2, b, b + collarUs / 2]), ...hypothesis.flatMap(({ startUs, endUs }) => [startUs, endUs])])].sort((a, b) => a - b);
  const names = { reference: [...new Set(reference.map((t) => t.speaker))], hypothesis: [...new Set(hypothesis.map((t) => t.speaker))] };
  const together = names.reference.map(() => new Float64Array(names.hypothesis.length));
  const pieces: { lengthUs: number; said: Set<number>; heard: Set<number> }[] = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const [from, to] = [cuts[i]!, cuts[i + 1]!];
    const middle = (from + to) / 2;
    if (collarUs > 0 && bounds.some((b) => Math.abs(middle - b) < collarUs / 2)) continue;
    const during = (turns: readonly SpeakerSpan[], list: readonly string[]): Set<number> => new Set(turns.filter((t) => t.startUs <= middle && t.endUs > middle).map((t) => list.indexOf(t.speaker)));
    const piece = { lengthUs: to - from, said: during(reference, names.reference), heard: during(hypothesis, names.hypothesis) };
    for (const r of piece.said) for (const h of piece.heard) together[r]![h]! += piece.lengthUs;
    pieces.push(piece);
  }
  const mapping = bestAssignment(together);
  const error = { rate: 0, missedUs: 0, falseAlarmUs: 0, confusionUs: 0, referenceUs: 0 };
  for (const { lengthUs, said, heard } of pieces) {
    const right = [...said].filter((r) => mapping[r] !== -1 && heard.has(mapping[r]!)).length;
    error.referenceUs += lengthUs * said.size;
    error.missedUs += lengthUs * Math.max(0, said.size - heard.size);
    error.falseAlarmUs += lengthUs * Math.max(0, heard.size - said.size);
    error.confusionUs += lengthUs * (Math.min(said.size, heard.size) - right);
  }
  const wrong = error.missedUs + error.falseAlarmUs + error.confusionUs;
  error.rate = error.referenceUs > 0 ? wrong / error.referenceUs : wrong > 0 ? 1 : 0;
  return error;
}

/**
 * One-to-one assignment of rows to columns with the greatest sum (Hungarian algorithm with potentials, O(n³)). Column of each row, −1 for none.
 * All rows must have the same length; values ≥ 0.
 */
export function bestAssignment(gain: readonly Float64Array[]): number[] {
  const rows = gain.length;
  const columns = gain[0]?.length ?? 0;
  const n = Math.max(rows, columns);
  const cost = (r: number, c: number): number => -(gain[r - 1]?.[c - 1] ?? 0);
  const u = new Float64Array(n + 1);
  const v = new Float64Array(n + 1);
  const rowOf = new Int32Array(n + 1);
  const way = new Int32Array(n + 1);
  for (let r = 1; r <= n; r++) {
    rowOf[0] = r;
    let column = 0;
    const least = new Float64Array(n + 1).fill(Number.POSITIVE_INFINITY);
    const used = new Uint8Array(n + 1);
    do {
      used[column] = 1;
      const row = rowOf[column]!;
      let delta = Number.POSITIVE_INFINITY;
      let next = 0;
      for (let c = 1; c <= n; c++) {
        if (used[c]) continue;
        const reduced = cost(row, c) - u[row]! - v[c]!;
        if (reduced < least[c]!) [least[c], way[c]] = [reduced, column];
        if (least[c]! < delta) [delta, next] = [least[c]!, c];
      }
      for (let c = 0; c <= n; c++) {
        if (used[c]) {
          u[rowOf[c]!]! += delta;
          v[c]! -= delta;
        } else least[c]! -= delta;
      }
      column = next;
    } while (rowOf[column] !== 0);
    for (; column !== 0; column = way[column]!) rowOf[column] = rowOf[way[column]!]!;
  }
  const assigned = new Array<number>(rows).fill(-1);
  for (let c = 1; c <= columns; c++) if (rowOf[c]! >= 1 && rowOf[c]! <= rows) assigned[rowOf[c]! - 1] = c - 1;
  return assigned;
}
