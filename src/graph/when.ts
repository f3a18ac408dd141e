import type { Interval, MediumInfo, Series } from "../contracts/index.js";
import type { Variables } from "./expression.js";

/** Members of `media.info` in `when:`. The engine fills them with `mediaVariables`. */
const INFO: Variables = {
  id: true, uri: true, name: true, kind: true, container: true, sizeBytes: true, durationUs: true, duration: true, startUs: true,
  hasAudio: true, hasVideo: true, hasSubtitles: true, has_audio: true, has_video: true, has_subtitles: true, video: true, audio: true, subtitles: true, memoisable: true,
};
export const MEDIA_VARIABLES: Variables = { info: INFO };
export const SCENE_VARIABLES: Variables = { startUs: true, endUs: true, start: true, end: true, duration: true, startFrame: true, endFrame: true };

/** Value of the variable `media`; `duration` is in seconds. */
export function mediaVariables(info: MediumInfo): { info: Record<string, unknown> } {
  const [hasAudio, hasVideo, hasSubtitles] = [info.audio !== null, info.video !== null, info.subtitles.some((stream) => stream.text)];
  // Both spellings: YAML is written in snake case, records are read in camel case.
  const has = { hasAudio, hasVideo, hasSubtitles, has_audio: hasAudio, has_video: hasVideo, has_subtitles: hasSubtitles };
  return { info: { ...info, duration: info.durationUs === null ? null : info.durationUs / 1e6, ...has } };
}

/** Value of the variable `scene`: microseconds as stored, `start`, `end`, `duration` in seconds. */
export function sceneVariables(scene: Interval & { startFrame?: number | null; endFrame?: number | null }): Record<string, number | null> {
  return {
    startUs: scene.startUs,
    endUs: scene.endUs,
    start: scene.startUs / 1e6,
    end: scene.endUs / 1e6,
    duration: (scene.endUs - scene.startUs) / 1e6,
    startFrame: scene.startFrame ?? null,
    endFrame: scene.endFrame ?? null,
  };
}

/**
 * What a condition reads of a node's output: lists of numbers where operators get typed arrays, and a series as the list of its items, one
 * per frame: a vector as its numbers, a row by its columns, anything else as it is.
 */
export function outputVariable(value: unknown): unknown {
  if (value instanceof Float32Array || value instanceof Float64Array || value instanceof Uint8Array) return Array.from(value);
  if (Array.isArray(value)) return value.map(outputVariable);
  if (typeof value !== "object" || value === null) return value;
  if (isSeries(value)) return seriesItems(value);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, outputVariable(member)]));
}

const isSeries = (value: object): value is Series => "ptsUs" in value && value.ptsUs instanceof Float64Array;

function seriesItems({ ptsUs, width, columns, data, bytes, values }: Series): unknown[] {
  return Array.from(ptsUs, (us, i) => {
    if (!data) return outputVariable(values ? values[i] : bytes?.[i]);
    const row = Array.from(data.subarray(i * width, (i + 1) * width));
    return columns ? { ptsUs: us, ...Object.fromEntries(columns.map((column, j) => [column, row[j]])) } : row;
  });
}
