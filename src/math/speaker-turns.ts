/**
 * From windows in which each speaker has a local number to turns of the whole sound: overlapping windows vote, as in pyannote.audio's
 * speaker diarization pipeline (reconstruct, to_diarization).
 */

/** One window of the segmentation. */
export interface SpeakerWindow {
  /** First frame on the common grid. */
  firstFrame: number;
  /** [frames, speakers] of 0 and 1. */
  active: Uint8Array;
  /** Cluster of each local speaker; −1: none. */
  clusters: readonly number[];
}

export interface FrameTurn {
  speaker: number;
  /** Frames, half-open. */
  start: number;
  end: number;
}

/**
 * In each frame as many speakers talk as the windows that see it say on average (rounded), the ones most of them name. Turns by start, then by
 * speaker. Pauses of at most `pauseFrames` are part of a turn; turns of fewer than `leastFrames` are none.
 */
export function speakerTurns(windows: readonly SpeakerWindow[], clusters: number, { pauseFrames = 0, leastFrames = 1 }: { pauseFrames?: number; leastFrames?: number } = {}): FrameTurn[] {
  const frames = windows.reduce((most, { firstFrame, active, clusters: c }) => Math.max(most, firstFrame + active.length / c.length), 0);
  const votes = new Uint8Array(frames * clusters);
  const talking = new Uint8Array(frames);
  const seen = new Uint8Array(frames);
  for (const { firstFrame, active, clusters: names } of windows) {
    const local = names.length;
    for (let f = 0; f < active.length / local; f++) {
      const at = firstFrame + f;
      seen[at]! += 1;
      const here = new Set<number>();
      for (let s = 0; s < local; s++) {
        if (active[f * local + s] === 0 || names[s]! < 0) continue;
        talking[at]! += 1;
        here.add(names[s]!);
      }
      for (const cluster of here) votes[at * clusters + cluster]! += 1;
    }
  }
  const open = new Array<FrameTurn | null>(clusters).fill(null);
  const turns: FrameTurn[] = [];
  for (let f = 0; f < frames; f++) {
    const count = seen[f]! > 0 ? Math.round(talking[f]! / seen[f]!) : 0;
    const named = Array.from({ length: clusters }, (_, c) => c).filter((c) => votes[f * clusters + c]! > 0);
    named.sort((a, b) => votes[f * clusters + b]! - votes[f * clusters + a]! || a - b);
    for (const speaker of named.slice(0, count)) {
      const turn = open[speaker];
      if (turn && f - turn.end <= pauseFrames) turn.end = f + 1;
      else turns.push((open[speaker] = { speaker, start: f, end: f + 1 }));
    }
  }
  return turns.filter((turn) => turn.end - turn.start >= leastFrames).sort((a, b) => a.start - b.start || a.speaker - b.speaker);
}

export interface SpeakerSpan {
  speaker: string;
  startUs: number;
  endUs: number;
}

/** The speaker who talks most during an interval, or null: the earlier turn where two talk equally long. */
export function speakerDuring(turns: readonly SpeakerSpan[], { startUs, endUs }: { startUs: number; endUs: number }): string | null {
  const shares = new Map<string, number>();
  for (const turn of turns) {
    const overlap = Math.min(endUs, turn.endUs) - Math.max(startUs, turn.startUs);
    if (overlap > 0) shares.set(turn.speaker, (shares.get(turn.speaker) ?? 0) + overlap);
  }
  let best: string | null = null;
  for (const [speaker, share] of shares) if (best === null || share > shares.get(best)!) best = speaker;
  return best;
}
