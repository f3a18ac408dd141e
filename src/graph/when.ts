import type { Interval, MediumInfo } from "../contracts/index.js";
import type { Variables } from "./expression.js";

/** Members of `media.info` in `when:`. The engine fills them with `mediaVariables`. */
const INFO: Variables = {
  id: true, uri: true, name: true, kind: true, container: true, sizeBytes: true, durationUs: true, duration: true, startUs: true,
  hasAudio: true, hasVideo: true, hasSubtitles: true, video: true, audio: true, subtitles: true, memoisable: true,
};
export const MEDIA_VARIABLES: Variables = { info: INFO };
export const SCENE_VARIABLES: Variables = { startUs: true, endUs: true, start: true, end: true, duration: true, startFrame: true, endFrame: true };

/** Value of the variable `media`; `duration` is in seconds. */
export function mediaVariables(info: MediumInfo): { info: Record<string, unknown> } {
  return {
    info: {
      ...info,
      duration: info.durationUs === null ? null : info.durationUs / 1e6,
      hasAudio: info.audio !== null,
      hasVideo: info.video !== null,
      hasSubtitles: info.subtitles.some((stream) => stream.text),
    },
  };
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
