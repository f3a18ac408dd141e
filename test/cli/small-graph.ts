import { smallClip } from "../clips.js";

/** The least graph that cuts scenes and keeps a record of each, without a model. */
export const SMALL_GRAPH = `flow: 1
name: small
params: { input: { type: media, positional: true } }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores } }
  speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }
  scene:  { op: join, by: scene, in: { text: speech.text } }
outputs: { scene: { from: scene } }
`;

/** The same on a small clip where no input is named, with its words to search. */
export const CLIP_GRAPH = `flow: 1
name: small
params:
  input: { type: media, default: "${smallClip()}", positional: true }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores } }
  speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }
  scene:  { op: join, by: scene, in: { transcript: speech.text } }
outputs:
  scene: { from: scene, fulltext: [transcript] }
`;
