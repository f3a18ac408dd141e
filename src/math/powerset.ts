/**
 * Powerset classes of a speaker segmentation (Plaquet & Bredin 2023, pyannote segmentation 3.0): each class is a set of speakers who talk at once.
 *
 * Scores [frames, classes] → who talks in each frame, [frames, speakers] of 0 and 1: the most probable set (logits, probabilities or their logarithms).
 */
export function decodePowerset(scores: Float32Array, sets: readonly (readonly number[])[], speakers: number): Uint8Array {
  const frames = Math.floor(scores.length / sets.length);
  const active = new Uint8Array(frames * speakers);
  for (let frame = 0; frame < frames; frame++) {
    let best = 0;
    for (let c = 1; c < sets.length; c++) if (scores[frame * sets.length + c]! > scores[frame * sets.length + best]!) best = c;
    for (const speaker of sets[best]!) active[frame * speakers + speaker] = 1;
  }
  return active;
}
