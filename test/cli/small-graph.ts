import { smallClip } from "../clips.js";

/** Up to the scenes, without a model. `more`: what else `input` says. */
const cuts = (more: string): string => `flow: 1
name: small
params:
  input: { type: media, ${more}positional: true }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores } }
`;

const SPEECH = "  speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }\n";

/** The beginning of a graph of a small clip, where no input is named. */
export const CLIP_CUTS = cuts(`default: "${smallClip()}", `);

/** The least graph that cuts scenes and keeps a record of each with its words. */
export const SMALL_GRAPH = `${cuts("")}${SPEECH}  scene:  { op: join, by: scene, in: { text: speech.text } }
outputs: { scene: { from: scene } }
`;

/** The same on a small clip where no input is named, with its words to search. */
export const CLIP_GRAPH = `${CLIP_CUTS}${SPEECH}  scene:  { op: join, by: scene, in: { transcript: speech.text } }
outputs:
  scene: { from: scene, fulltext: [transcript] }
`;
