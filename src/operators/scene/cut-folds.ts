import type { Interval, Series } from "../../contracts/items.js";
import type { MediumInfo } from "../../contracts/media.js";
import type { CutFold, SceneCut } from "../../contracts/operator.js";
import { LEVEL_ROW_US } from "../audio/audio.levels.columns.js";
import { SceneAssembler } from "./assemble-scenes.js";
import { SilenceCutter } from "./cut-at-silence.js";
import { openDetector } from "./frame-cutter.js";
import { readGivenScenes } from "./given-scenes.js";
import type { SceneCutConfig } from "./scene.cut.js";

/** The fold for one medium. With a picture it reads score rows, without one level rows; rows of the other kind are passed over. */
export function openCutFold(config: SceneCutConfig, medium: MediumInfo): CutFold {
  const pictured = medium.kind !== "audio";
  const own = (series: Series): boolean => !series.columns || series.columns.includes("deltaHue") === pictured;
  if (config.detector === "file") return givenFold(readGivenScenes(config.file!, medium), pictured, own);
  if (!pictured && config.audio === "silence" && config.detector !== "windows") return silenceFold(config, own);
  if (!pictured || config.detector === "windows") return windowFold(config, pictured, own);
  return detectorFold(config, own);
}

function detectorFold(config: SceneCutConfig, own: (series: Series) => boolean): CutFold {
  const scenes = new SceneAssembler(config.max_length);
  const detector = openDetector(config);
  return {
    push(series) {
      const out: SceneCut[] = [];
      if (!own(series) || !series.data) return out;
      for (let i = 0; i < series.ptsUs.length; i++) {
        const ptsUs = series.ptsUs[i]!;
        scenes.frame(ptsUs);
        for (const atUs of detector.push(ptsUs, series.data, i * series.width)) scenes.boundary(atUs, out);
        // A split must not get ahead of a cut that the detector may still announce.
        scenes.limit(Math.min(ptsUs, detector.settledUs), out);
      }
      return out;
    },
    end(endUs) {
      const out: SceneCut[] = [];
      for (const atUs of detector.end(endUs)) scenes.boundary(atUs, out);
      scenes.end(endUs, 0, out);
      return out;
    },
  };
}

function windowFold(config: SceneCutConfig, pictured: boolean, own: (series: Series) => boolean): CutFold {
  const scenes = new SceneAssembler(Math.min(config.window, config.max_length));
  return {
    push(series) {
      const out: SceneCut[] = [];
      if (!own(series)) return out;
      for (const ptsUs of series.ptsUs) {
        if (pictured) scenes.frame(ptsUs);
        scenes.limit(ptsUs, out);
      }
      return out;
    },
    end(endUs) {
      const out: SceneCut[] = [];
      scenes.end(endUs, config.keep_last, out);
      return out;
    },
  };
}

function silenceFold(config: SceneCutConfig, own: (series: Series) => boolean): CutFold {
  const scenes = new SceneAssembler(config.max_length);
  const cutter = new SilenceCutter({
    silenceUs: config.silence,
    windowUs: Math.min(config.window, config.max_length),
    minSceneUs: config.min_scene,
    rowUs: LEVEL_ROW_US,
  });
  return {
    push(series) {
      const out: SceneCut[] = [];
      if (!own(series) || !series.data) return out;
      const column = Math.max(0, series.columns?.indexOf("rmsDb") ?? 0);
      for (let i = 0; i < series.ptsUs.length; i++) {
        const silent = series.data[i * series.width + column]! < config.silence_level;
        for (const atUs of cutter.push(series.ptsUs[i]!, silent, scenes.startUs)) scenes.boundary(atUs, out);
      }
      return out;
    },
    end(endUs) {
      const out: SceneCut[] = [];
      scenes.end(endUs, 0, out);
      return out;
    },
  };
}

/** `given`: sorted, without overlap. Frames are counted as they pass; a scene is given when the first row at or after its end has come. */
function givenFold(given: readonly Interval[], pictured: boolean, own: (series: Series) => boolean): CutFold {
  let next = 0;
  let frames = 0;
  let startFrame: number | null = null;
  const advance = (nowUs: number, out: SceneCut[]): void => {
    for (let scene = given[next]; scene; scene = given[next]) {
      if (startFrame === null && nowUs >= scene.startUs) startFrame = frames;
      if (nowUs < scene.endUs) return;
      out.push({ ...scene, startFrame: pictured ? startFrame : null, endFrame: pictured ? frames : null });
      startFrame = null;
      next++;
    }
  };
  return {
    push(series) {
      const out: SceneCut[] = [];
      if (!own(series)) return out;
      for (const ptsUs of series.ptsUs) {
        advance(ptsUs, out);
        frames++;
      }
      return out;
    },
    end(endUs) {
      const out: SceneCut[] = [];
      advance(endUs, out);
      const last = given[next];
      if (last && last.startUs < endUs) out.push({ startUs: last.startUs, endUs, startFrame: pictured ? (startFrame ?? frames) : null, endFrame: pictured ? frames : null });
      return out;
    },
  };
}
