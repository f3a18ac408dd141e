import type { OperatorDefinition } from "../contracts/index.js";
import { audioChanges } from "./audio/audio.changes.js";
import { audioEmbed } from "./audio/audio.embed.js";
import { audioEvents } from "./audio/audio.events.js";
import { audioLevels } from "./audio/audio.levels.js";
import { audioLoudness } from "./audio/audio.loudness.js";
import { captionImage } from "./caption/caption.image.js";
import { captionMeasured } from "./caption/caption.measured.js";
import { captionObjects } from "./caption/caption.objects.js";
import { captionSubtitles } from "./caption/caption.subtitles.js";
import { captionVideo } from "./caption/caption.video.js";
import { faceDetect } from "./face/face.detect.js";
import { faceEmbed } from "./face/face.embed.js";
import { faceGroup } from "./face/face.group.js";
import { join } from "./flow/join.js";
import { imageEmbed } from "./image/image.embed.js";
import { imageTag } from "./image/image.tag.js";
import { imageThumbnail } from "./image/image.thumbnail.js";
import { labelsPool } from "./labels/labels.pool.js";
import { mediaOpen } from "./media/media.open.js";
import { objectDetect } from "./object/object.detect.js";
import { objectEmbed } from "./object/object.embed.js";
import { objectSegment } from "./object/object.segment.js";
import { objectSummary } from "./object/object.summary.js";
import { modelRun } from "./model/model.run.js";
import { qualityReportOperator } from "./quality/quality.report.js";
import { sceneAttributes } from "./scene/scene.attributes.js";
import { sceneCut } from "./scene/scene.cut.js";
import { sceneKeyframes } from "./scene/scene.keyframes.js";
import { sceneScores } from "./scene/scene.scores.js";
import { speechActivity } from "./speech/speech.activity.js";
import { speechDiarize } from "./speech/speech.diarize.js";
import { speechSpeakers } from "./speech/speech.speakers.js";
import { speechSubtitles } from "./speech/speech.subtitles.js";
import { speechTranscribe } from "./speech/speech.transcribe.js";
import { speechVad } from "./speech/speech.vad.js";
import { textEmbed } from "./text/text.embed.js";
import { vectorsMean } from "./vectors/vectors.mean.js";
import { videoEmbed } from "./video/video.embed.js";
import { videoMotion } from "./video/video.motion.js";
import { videoPool } from "./video/video.pool.js";

/** Every built-in operator: the one list. `any`: each has its own config type, which its schema checks. */
const operators: readonly OperatorDefinition<any>[] = [
  audioChanges,
  audioEmbed,
  audioEvents,
  audioLevels,
  audioLoudness,
  captionImage,
  captionMeasured,
  captionObjects,
  captionSubtitles,
  captionVideo,
  faceDetect,
  faceEmbed,
  faceGroup,
  join,
  imageEmbed,
  imageTag,
  imageThumbnail,
  labelsPool,
  mediaOpen,
  modelRun,
  objectDetect,
  objectEmbed,
  objectSegment,
  objectSummary,
  qualityReportOperator,
  sceneAttributes,
  sceneCut,
  sceneKeyframes,
  sceneScores,
  speechActivity,
  speechDiarize,
  speechSpeakers,
  speechSubtitles,
  speechTranscribe,
  speechVad,
  textEmbed,
  vectorsMean,
  videoEmbed,
  videoMotion,
  videoPool,
];

/** Operators by name. */
export const catalogue: ReadonlyMap<string, OperatorDefinition> = new Map(operators.map((operator) => [operator.name, operator as OperatorDefinition]));
