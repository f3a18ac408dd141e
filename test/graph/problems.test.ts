import assert from "node:assert/strict";
import test from "node:test";
import type { LoadOptions } from "../../src/graph/index.js";
import { PROBLEM_CODES, type ProblemCode } from "../../src/graph/index.js";
import { graph, load } from "./fixtures/load.js";

interface Case {
  code: ProblemCode;
  title?: string;
  /** ‸ marks where the problem must be reported; it is removed before loading. */
  yaml: string;
  nearest?: string;
  options?: LoadOptions;
  /** Codes that come with it for a reason of their own. */
  also?: ProblemCode[];
}

const SPEECH = `  speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }`;
const FRAMES = `  frames: { op: image.embed, in: media.frames, model: image }`;

const TEXT = "  t:\n    op: text.embed\n    in: { transcript: speech.text }\n    model: text\n    with:\n      template: ";
/** The ways of YAML to write a text over which columns could be lost. */
const SPELLINGS = [
  '"a \\" b\\n \\u00e9\\U0001f600 HERE"', "'it''s HERE'", '"one\n        two \\\n        three HERE"', "'one\n        two HERE'", "one\n        two HERE", "&text one HERE",
  "|\n        one\n          two HERE\n", ">- # folded\n        one\n        two\n\n        three HERE\n", '"${env.NOT_SET_AT_ALL:-a longer text} HERE"', '"${params.input} HERE ${params.input}"', '"$${ HERE"',
];

const cases: Case[] = [
  { code: "YAML_SYNTAX", title: "unclosed", yaml: "flow: 1\nnodes:\n  a: { op: join }}‸\n".replace("}‸", "‸}") },
  { code: "YAML_SYNTAX", title: "a quote left open", yaml: `flow: 1\nnodes:\n  a: { op: ‸"join, in: x }\n  b: { op: join }\n` },
  { code: "YAML_SYNTAX", title: "a brace left open", yaml: `flow: 1\nnodes:\n  a: { op: join, in: x‸\n  b: { op: join }\n` },
  { code: "YAML_SYNTAX", title: "a value too far to the left", yaml: `flow: 1\nnodes:\n  a: { op: join }\n‸ b: { op: join }\n  c: { op: join }\n` },
  { code: "YAML_SYNTAX", title: "tab", yaml: "flow: 1\nnodes:\n‸\ta: 1\n" },
  { code: "YAML_SYNTAX", title: "an alias without anchor", yaml: graph("  a: { op: scene.cut, in: ‸*scores }") },
  { code: "YAML_SYNTAX", title: "a second document", yaml: `${graph("")}‸---\nflow: 1\n` },
  { code: "YAML_SYNTAX", title: "a tag that nobody reads", yaml: graph("  a: { op: scene.cut, in: scores, with: { threshold: ‸!env THRESHOLD } }") },
  { code: "YAML_SYNTAX", title: "NUL", yaml: graph("  a: { op: ‸\u0000scene.cut, in: scores }") },
  { code: "YAML_SYNTAX", title: "bytes that are not UTF-8", yaml: graph("  a: { op: ‸\ufffdscene.cut, in: scores }") },
  { code: "YAML_TOO_DEEP", title: "in brackets", yaml: `flow: 1\nx-deep: ${"[".repeat(64)}‸${"[".repeat(5_000)}` },
  { code: "YAML_TOO_DEEP", title: "20,000 brackets and nothing else", yaml: `${"[".repeat(64)}‸${"[".repeat(20_000 - 64)}` },
  { code: "YAML_TOO_DEEP", title: "by indentation", yaml: `flow: 1\nx-deep:\n${Array.from({ length: 64 }, (_, i) => `${" ".repeat(i + 1)}a:\n`).join("")}${" ".repeat(65)}‸b: 1\n` },
  { code: "YAML_ALIAS_BOMB", title: "an alias in itself", yaml: "flow: 1\nnodes: &n\n  a: ‸*n\n" },
  { code: "DUPLICATE_KEY", yaml: graph("  ‸scenes: { op: scene.cut, in: { scores: scores } }") },
  { code: "DUPLICATE_KEY", title: "inside with", yaml: graph("  more: { op: scene.cut, in: scores, with: { threshold: 1, ‸threshold: 2 } }") },
  { code: "DUPLICATE_KEY", title: "in quotes", yaml: graph("", "x-note: { \"a b\": 1, ‸'a b': 2 }") },
  { code: "NOT_SUPPORTED", title: "merge keys", yaml: graph("  a: { ‸<<: { op: scene.cut }, in: scores }") },
  { code: "NOT_A_MAP", title: "the file", yaml: "‸- flow: 1\n" },
  { code: "NOT_A_MAP", title: "a node", yaml: graph("  a: ‸scene.cut") },
  { code: "NOT_A_MAP", title: "with", yaml: graph("  a: { op: scene.cut, in: scores, with: ‸27 }") },
  { code: "NOT_A_MAP", title: "batch", yaml: graph("  frames: { op: image.embed, in: media.frames, model: image, batch: ‸16 }") },
  { code: "FLOW_VERSION", yaml: graph("").replace("flow: 1", "flow: ‸2") },
  { code: "NOT_A_MAP", title: "an empty file", yaml: "‸# nothing\n" },
  { code: "FLOW_VERSION", title: "missing", yaml: graph("").replace("flow: 1\nname", "‸name") },
  { code: "UNKNOWN_KEY", title: "top", yaml: graph("", "‸output: {}"), nearest: "outputs" },
  { code: "UNKNOWN_KEY", title: "node", yaml: graph("  a: { op: scene.cut, in: scores, ‸wiht: {} }"), nearest: "with" },
  { code: "UNKNOWN_KEY", title: "config", yaml: graph("  a: { op: scene.cut, in: scores, with: { ‸treshold: 3 } }"), nearest: "threshold" },
  { code: "UNKNOWN_KEY", title: "config, nested", yaml: graph("  a: { op: speech.turns, in: media.info, model: { segmentation: lite-turns, embedding: sound }, with: { options: { ‸dept: 3 } } }"), nearest: "depth" },
  { code: "UNKNOWN_KEY", title: "input option", yaml: graph("  frames: { op: image.embed, in: { frames: { from: media.frames, ‸fsp: 2 } }, model: image }"), nearest: "fps" },
  { code: "UNKNOWN_KEY", title: "runtime", yaml: graph("", "runtime: { ‸slot: 4 }"), nearest: "slots" },
  { code: "UNKNOWN_KEY", title: "output kind", yaml: graph("", "outputs: { ‸scenes: { from: scenes } }"), nearest: "scene" },
  { code: "UNKNOWN_KEY", title: "profile", yaml: graph("", "profiles: { full: { ‸node: {} } }"), nearest: "nodes" },
  { code: "MISSING_KEY", title: "op", yaml: graph("  ‸a: { in: scores }") },
  { code: "MISSING_KEY", title: "config", yaml: graph(`${SPEECH}\n  text: { op: text.embed, in: { t: speech.text }, model: text, with: ‸{} }`).replace("with: ‸{}", "batch: {}").replace("  text:", "  ‸text:") },
  { code: "MISSING_KEY", title: "nodes", yaml: "‸flow: 1\n" },
  { code: "MISSING_KEY", title: "from", yaml: graph("  frames: { op: image.embed, in: { ‸frames: { fps: 2 } }, model: image }"), also: ["INPUT_MISSING"] },
  { code: "MISSING_KEY", title: "size", yaml: graph("  a: { op: image.sized, in: ‸media.frames }") },
  { code: "WRONG_TYPE", title: "enum", yaml: graph("  a: { op: scene.cut, in: scores, with: { detector: ‸contend } }"), nearest: "content" },
  { code: "WRONG_TYPE", title: "range", yaml: graph("  a: { op: scene.cut, in: scores, with: { threshold: ‸999 } }") },
  { code: "WRONG_TYPE", title: "one of a list, where a text would do", yaml: graph("").replace('"${params.input}"', '["${params.input}", ‸3]') },
  { code: "WRONG_TYPE", title: "duration", yaml: graph("  a: { op: scene.cut, in: scores, with: { min_scene: ‸soon } }") },
  { code: "WRONG_TYPE", title: "integer", yaml: graph("  a: { op: scene.cut, in: scores, with: { threshold: ‸\"27\" } }") },
  { code: "WRONG_TYPE", title: "batch size", yaml: graph("  frames: { op: image.embed, in: media.frames, model: image, batch: { size: ‸0 } }") },
  { code: "WRONG_TYPE", title: "backoff", yaml: graph("  a: { op: scene.cut, in: scores, on_error: { backoff: ‸10s..1s } }") },
  { code: "WRONG_TYPE", title: "level", yaml: graph("  m: { op: vectors.mean, over: ‸scenes, in: frames }\n" + FRAMES), nearest: "scene", also: ["LEVEL_MISSING"] },
  { code: "WRONG_TYPE", title: "enabled", yaml: graph("  a: { op: scene.cut, in: scores, enabled: ‸maybe }") },
  { code: "WRONG_TYPE", title: "node name", yaml: graph("  ‸__proto__: { op: scene.cut, in: scores }") },
  { code: "WRONG_TYPE", title: "input name", yaml: graph("  j: { op: join, by: scene, in: { ‸__proto__: scenes, s: scenes } }") },
  { code: "WRONG_TYPE", title: "parameter name", yaml: graph("").replace("params: {", "params: { ‸__proto__: { type: number, default: 1 },") },
  { code: "WRONG_TYPE", title: "fps", yaml: graph("  frames: { op: image.embed, in: { frames: { from: media.frames, fps: ‸-1 } }, model: image }") },
  { code: "NOT_SUPPORTED", title: "queue policy", yaml: graph("  a: { op: scene.cut, in: scores, queue: { policy: ‸drop-oldest } }") },
  { code: "WRONG_TYPE", title: "name", yaml: graph("").replace(/name: .*/, "name: ‸[a]") },
  { code: "WRONG_TYPE", title: "description", yaml: graph("  a: { op: scene.cut, in: scores, description: ‸{} }") },
  { code: "UNKNOWN_KEY", title: "a second side", yaml: graph("  frames: { op: image.embed, in: { frames: { from: media.frames, size: { longest: 256, ‸shortest: 128 } } }, model: image }") },
  { code: "NOT_SUPPORTED", title: "the profile live", yaml: graph(FRAMES, "profiles: { live: { nodes: { frames: { queue: { policy: ‸latest } } } } }"), options: { profile: "live" } },
  { code: "WRONG_TYPE", title: "schedule", yaml: graph("", "runtime: { schedule: ‸passes }") },
  { code: "WRONG_TYPE", title: "device", yaml: graph("", "runtime: { device: ‸gpu }") },
  { code: "TIMEOUT_NEEDS_PROCESS", yaml: graph("", "runtime: { pools: { inference: { timeout: ‸5s } } }") },
  { code: "NOT_SUPPORTED", title: "a second node that opens media", yaml: graph("  ‸more: { op: media.open, with: { uri: b.mp4 } }") },
  { code: "NOT_SUPPORTED", title: "plugins", yaml: graph("", "‸plugins: [ ./x.js ]") },
  { code: "NOT_SUPPORTED", title: "crop", yaml: graph("  frames: { op: image.embed, in: { frames: { from: media.frames, ‸crop: [0, 0, 8, 8] } }, model: image }") },
  { code: "UNKNOWN_PARAM", yaml: graph("  a: { op: scene.cut, in: scores, with: { detector: ‸\"${params.inptu}\" } }").replace("‸\"", "\"‸"), nearest: "input" },
  { code: "UNKNOWN_PARAM", title: "given", yaml: graph("").replace("params: {", "params: ‸{"), options: { params: { inptu: "b.mp4" } }, nearest: "input" },
  ...["positional: ‸yes", "min: ‸low", "max: ‸{}", "min: 5, max: ‸4", "of: ‸word"].map((option): Case => ({ code: "WRONG_TYPE", title: option, yaml: graph("").replace("} }\nmodels", `}, d: { type: string, default: a, ${option} } }\nmodels`), also: ["UNUSED_PARAM"] })),
  { code: "WRONG_TYPE", title: "no type", yaml: graph("").replace("} }\nmodels", "}, d: { type: ‸[], default: a } }\nmodels"), also: ["UNUSED_PARAM"] },
  { code: "PARAM_TYPE", yaml: graph("").replace("} }\nmodels", "}, d: { type: enum, of: [content, hash], default: ‸contnet } }\nmodels"), nearest: "content", also: ["UNUSED_PARAM"] },
  { code: "PARAM_TYPE", title: "given", yaml: graph("").replace("} }\nmodels", "}, ‸k: { type: integer, default: 2 } }\nmodels"), options: { params: { k: "two" } }, also: ["UNUSED_PARAM"] },
  { code: "PARAM_MISSING", yaml: graph("").replace("input: { type: media, default: a.mp4,", "‸input: { type: media,") },
  { code: "PARAM_TWICE", yaml: graph("").replace("input:", "‸input:"), options: { inputs: ["b.mp4"], params: { input: "c.mp4" } } },
  { code: "NO_POSITIONAL", yaml: graph("").replace(", positional: true", "").replace("params: {", "params: ‸{"), options: { inputs: ["b.mp4"] } },
  { code: "UNUSED_PARAM", yaml: graph("").replace("} }\nmodels", "}, spare: { type: integer, default: ‸2 } }\nmodels") },
  { code: "ENV_UNRESOLVED", yaml: graph("  a: { op: scene.cut, in: scores, with: { threshold: \"‸${env.NOT_SET_ANYWHERE}\" } }") },
  { code: "BAD_REFERENCE", yaml: graph("  a: { op: scene.cut, in: scores, with: { threshold: \"x‸${nodes.a}\" } }") },
  { code: "BAD_REFERENCE", title: "left open", yaml: graph("  more: { op: media.open, with: { uri: \"$${ is text, ‸${params.input is not\" } }") },
  { code: "UNKNOWN_PROFILE", yaml: graph("", "profiles:\n  ‸full: {}"), options: { profile: "ful" }, nearest: "full" },
  { code: "UNKNOWN_OPERATOR", yaml: graph("  a: { op: ‸scene.cuts, in: scores }"), nearest: "scene.cut" },
  { code: "OPERATOR_VERSION", yaml: graph("  a: { op: ‸scene.cut@7, in: scores }") },
  { code: "UNKNOWN_NODE", yaml: graph("  a: { op: scene.cut, in: { scores: ‸score } }"), nearest: "scores" },
  { code: "UNKNOWN_NODE", title: "in an output", yaml: graph("  j: { op: join, by: scene, in: { s: scenes } }", "outputs: { scene: { from: ‸jj } }"), nearest: "j" },
  { code: "UNKNOWN_NODE", title: "in a profile", yaml: graph("", "profiles: { full: { nodes: { ‸score: { with: { detector: hash } } } } }"), nearest: "scores" },
  { code: "UNKNOWN_NODE", title: "--only", yaml: `‸${graph("")}`, options: { only: ["scens"] }, nearest: "scenes" },
  ...[{ only: ["scores"], from: "scenes" }, { until: "scores", from: "scenes" }, { only: ["scenes"], until: "scores" }, { only: ["off"] }].map((options): Case => ({ code: "NOTHING_CHOSEN", title: JSON.stringify(options), yaml: `‸${graph("  off: { op: scene.cut, in: scores, enabled: false }")}`, options })),
  { code: "UNKNOWN_PORT", title: "output", yaml: graph("  a: { op: scene.scores, in: ‸media.frame }"), nearest: "frames" },
  { code: "UNKNOWN_PORT", title: "input", yaml: graph("  a: { op: scene.cut, in: { scores: scores, ‸level: scores } }"), nearest: "levels" },
  { code: "UNKNOWN_CASE", yaml: graph("  a: { switch: ‸measurd, cases: { measured: { op: scene.cut, in: scores } } }"), nearest: "measured" },
  { code: "UNKNOWN_ROLE", yaml: graph("  frames: { op: image.embed, in: media.frames, model: ‸imgae }"), nearest: "image" },
  { code: "UNKNOWN_ROLE", title: "of the operator", yaml: graph("  a: { op: speech.turns, in: media.info, model: { ‸segmentaton: lite-turns, embedding: sound } }"), nearest: "segmentation", also: ["MODEL_MISSING"] },
  { code: "UNKNOWN_ROLE", title: "no model wanted", yaml: graph("  a: { op: scene.cut, in: scores, model: ‸image }") },
  { code: "WRONG_TYPE", title: "a list of models", yaml: graph("  frames: { op: image.embed, in: media.frames, model: ‸[image] }") },
  { code: "NOT_SUPPORTED", title: "a switch in a case", yaml: graph("  a: { switch: x, cases: { x: { ‸switch: y, cases: { y: { op: scene.cut, in: scores } } } } }") },
  { code: "DISABLED_UPSTREAM", title: "enabled inside a case", yaml: graph("  f: { switch: x, cases: { x: { op: image.embed, enabled: false, in: media.frames, model: image } } }\n  ‸k: { op: scene.keyframes, in: { scenes: scenes, vectors: f } }") },
  { code: "UNKNOWN_MODEL", yaml: graph("").replace("image: lite-image", "image: ‸lite-imag"), nearest: "lite-image" },
  { code: "MODEL_TASK", yaml: graph("  frames: { op: image.embed, in: media.frames, model: ‸sound }") },
  { code: "MODEL_INPUTS", yaml: graph("  frames: { op: image.embed, in: media.frames, model: ‸pair }") },
  { code: "MODEL_MISSING", yaml: graph("  ‸frames: { op: image.embed, in: media.frames }") },
  { code: "MODEL_LEFT_OUT", yaml: graph("  ‸frames: { op: image.embed, in: media.frames, model: maybe }\n  j: { op: join, by: scene, in: { v: frames } }").replace("models: {", "models: { maybe: { model: lite-image, optional: true },") },
  { code: "MODEL_ELSE", yaml: graph(`${FRAMES}\n  v: { op: video.pool, in: { scenes: scenes, vectors: frames } }\n  more: { op: image.embed, in: media.frames, model: image }`).replace("image: lite-image", "image: { model: ‸lite-image, else: here-image }") },
  { code: "UNKNOWN_MODEL", title: "else", yaml: graph("").replace("image: lite-image", "image: { model: lite-image, else: ‸here-imag }"), nearest: "here-image" },
  { code: "WRONG_TYPE", title: "else", yaml: graph("").replace("image: lite-image", "image: { model: lite-image, else: ‸[lite-image] }") },
  { code: "ELSE_MISFIT", title: "another task", yaml: graph(FRAMES).replace("image: lite-image", "image: { model: lite-image, else: ‸lite-sound }") },
  { code: "ELSE_MISFIT", title: "the one that is wanted, where the other one is there", yaml: graph(FRAMES).replace("image: lite-image", "image: { model: ‸lite-sound, else: here-image }"), also: ["MODEL_ELSE"] },
  { code: "INPUT_MISSING", yaml: graph("  k: { op: scene.keyframes, ‸in: { scenes: scenes } }") },
  { code: "INPUT_MISSING", title: "because of an option", yaml: graph(`${FRAMES}\n  v: { op: video.pool, ‸in: { scenes: scenes, vectors: frames }, with: { of: keyframes } }`) },
  { code: "INPUT_MISSING", title: "because of a model", yaml: graph("  ‸m: { op: vectors.narrow, model: here-wide }") },
  { code: "INPUT_MISSING", title: "one of several that may each be left out", yaml: graph("  ‸a: { op: scene.cut }") },
  { code: "INPUT_MISSING", title: "no in", yaml: graph("  ‸a: { op: scene.scores }") },
  { code: "INPUT_TWICE", yaml: graph("  a: { op: join, by: scene, in: { x: [scenes, scenes.scenes, ‸scenes.scenes] } }") },
  { code: "INPUT_TWICE", title: "by and over", yaml: graph("  a: { op: join, by: scene, ‸over: media, in: { s: scenes } }") },
  { code: "WRONG_TYPE", title: "the only input of a join", yaml: graph("  a: { op: join, by: scene, in: { s: ‸3 } }") },
  { code: "OPERATOR_VERSION", title: "pinned twice", yaml: graph("  a: { op: ‸scene.cut@1@2, in: scores }") },
  { code: "CYCLE", yaml: graph("  ‸a: { op: text.embed, in: { x: b }, model: text, with: { template: \"{x}\" } }\n  b: { op: text.embed, in: { x: a }, model: text, with: { template: \"{x}\" } }") },
  { code: "KIND_MISMATCH", yaml: graph("  a: { op: scene.keyframes, in: { scenes: scenes, vectors: ‸scores } }") },
  { code: "KIND_MISMATCH", title: "pixels into join", yaml: graph("  j: { op: join, by: scene, in: { x: ‸media.frames } }") },
  { code: "KIND_MISMATCH", title: "fps of rows", yaml: graph("  a: { op: scene.cut, in: { scores: { from: scores, fps: ‸2 } } }") },
  { code: "LEVEL_MISMATCH", title: "vector@frame into join", yaml: graph(`${FRAMES}\n  j: { op: join, by: scene, in: { x: ‸frames } }`) },
  { code: "LEVEL_MISMATCH", title: "declared", yaml: graph(`${FRAMES}\n  v: { op: video.pool, in: { scenes: scenes, vectors: frames } }\n  a: { op: scene.keyframes, in: { scenes: scenes, vectors: ‸v } }`) },
  { code: "LEVEL_MISMATCH", title: "output", yaml: graph("  j: { op: join, by: scene, in: { s: scenes } }", "outputs: { media: { from: ‸j } }") },
  { code: "LEVEL_MISSING", yaml: graph("  ‸j: { op: join, in: { s: scenes } }") },
  { code: "DIMS_MISMATCH", yaml: graph("  w: { op: audio.embed, in: media.audio, model: sound }\n  c: { op: vectors.check, in: ‸w }") },
  { code: "NORM_MISMATCH", yaml: graph("  w: { op: vectors.raw, in: media.frames }\n  c: { op: vectors.check, in: ‸w }"), also: ["SPACE_MISMATCH"] },
  { code: "SPACE_MISMATCH", yaml: graph(`${FRAMES}\n  c: { op: vectors.check, in: ‸frames }`) },
  { code: "SAMPLE_RATE_MISMATCH", yaml: graph("  d: { op: audio.down, in: media.audio }\n  h: { op: audio.high, in: ‸d }") },
  { code: "COLOR_MISMATCH", yaml: graph("  s: { op: image.swap, in: media.frames }\n  c: { op: scene.scores, in: ‸s }") },
  { code: "GEOMETRY_MISMATCH", yaml: graph("  b: { op: image.boxes, in: media.frames }\n  c: { op: image.crops, in: ‸b }") },
  { code: "COLUMNS_MISSING", title: "because of an option", yaml: graph("  b: { op: rows.narrow, in: ‸scores, with: { hash: true } }") },
  { code: "COLUMNS_MISSING", yaml: graph("  b: { op: image.boxes, in: media.frames }\n  c: { op: image.widths, in: ‸b }") },
  { code: "RATE_MISMATCH", yaml: graph("  b: { op: image.boxes, in: { frames: { from: media.frames, fps: 1 } } }\n  m: { op: image.marks, in: { frames: { from: media.frames, fps: 2 }, boxes: ‸b } }\n  v: { op: video.pool, in: { scenes: scenes, vectors: m } }\n  j: { op: join, by: scene, in: { v: v } }", "outputs: { scene: { from: j } }") },
  { code: "NOT_SUPPORTED", title: "a scene that waits for the whole medium", yaml: graph(`${FRAMES}\n  m: { op: vectors.mean, over: media, in: { vectors: frames } }\n  j: { op: join, by: scene, in: { m: ‸m } }`, "outputs: { scene: { from: j } }") },
  { code: "LINK_REFUSED", yaml: graph(`${FRAMES}\n  ‸r: { op: vectors.refuse, in: frames }`) },
  { code: "SCENES_AMBIGUOUS", yaml: graph("  other: { op: scene.cut, in: scores, with: { detector: hash } }\n  levels: { op: audio.levels, in: media.audio }\n  ‸loud: { op: audio.loudness, over: scene, in: levels }") },
  { code: "EXPRESSION", yaml: graph(SPEECH.replace(" } }", " }, when: \"media.info.hasAudio &&‸\" }")) },
  { code: "EXPRESSION", title: "no condition", yaml: graph(SPEECH.replace(" } }", " }, when: ‸\"'yes'\" }")) },
  { code: "EXPRESSION", title: "a whole node", yaml: graph(`${SPEECH}\n  c: { op: caption.subtitles, in: { transcript: speech.text }, when: ‸size(speech) > 0 }`) },
  { code: "EXPRESSION", title: "a pattern", yaml: graph(SPEECH.replace(" } }", " }, when: \"media.info.name.matches(‸'(')\" }")) },
  { code: "UNKNOWN_VARIABLE", title: "member", yaml: graph(SPEECH.replace(" } }", " }, when: ‸media.info.hasAudoi }")), nearest: "hasAudio" },
  { code: "UNKNOWN_VARIABLE", title: "root", yaml: graph(SPEECH.replace(" } }", " }, when: \"true || ‸scen.duration > 1\" }")), nearest: "scene" },
  { code: "UNKNOWN_VARIABLE", title: "expression field", yaml: graph("  a: { op: speech.turns, in: media.info, model: { segmentation: lite-turns, embedding: sound }, with: { filter: ‸speakr == 1 } }"), nearest: "speaker" },
  { code: "TEMPLATE_PORT", yaml: graph(`${SPEECH}\n  t: { op: text.embed, in: { transcript: speech.text }, model: text, with: { template: "It says ‸{transcrip}" } }`), nearest: "transcript" },
  ...SPELLINGS.map((text): Case => ({ code: "TEMPLATE_PORT", title: text, yaml: graph(`${SPEECH}\n${TEXT}${text.replace("HERE", "‸{transcrip}")}`), nearest: "transcript" })),
  ...SPELLINGS.map((text): Case => ({ code: "UNKNOWN_PARAM", title: text, yaml: graph(`${SPEECH}\n${TEXT}${text.replace("HERE", "‸${params.inptu}")}`), nearest: "input" })),
  { code: "UNKNOWN_VARIABLE", title: "behind escapes", yaml: graph(SPEECH.replace(" } }", ' }, when: "\\"\\u00e9\\" == \'x\' || ‸scen.duration > 1.0" }')), nearest: "scene" },
  { code: "UNKNOWN_VARIABLE", title: "on a second line", yaml: graph(SPEECH.replace(" } }", " }, when: true ||\n    ‸scen.duration > 1.0 }")), nearest: "scene" },
  { code: "UNKNOWN_VARIABLE", title: "behind a parameter", yaml: graph(SPEECH.replace(" } }", " }, when: \"'${params.input}' == 'x' || ‸scen.duration > 1.0\" }")), nearest: "scene" },
  { code: "UNKNOWN_VARIABLE", title: "read by two", yaml: graph(`  a: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles }, when: &w "‸scen.duration > 1.0" }\n${SPEECH.replace(" } }", " }, when: *w }")}`), nearest: "scene" },
  { code: "SLOTS", yaml: graph(FRAMES, "runtime: { slots: ‸8 }") },
  { code: "MEMORY_LIMIT", yaml: graph(FRAMES, "runtime: { limits: { rss: ‸1KB } }") },
  { code: "UNUSED_NODE", yaml: graph(`  ‸levels: { op: audio.levels, in: media.audio }\n  j: { op: join, by: scene, in: { s: scenes } }`, "outputs: { scene: { from: j } }") },
  { code: "DISABLED_UPSTREAM", yaml: graph(`${FRAMES.replace("model:", "enabled: false, model:")}\n  ‸k: { op: scene.keyframes, in: { scenes: scenes, vectors: frames } }`) },
  { code: "OUTPUT_FIELD", title: "vector", yaml: graph(`${FRAMES}\n  v: { op: video.pool, in: { scenes: scenes, vectors: frames } }\n  j: { op: join, by: scene, in: { video: v } }`, "outputs: { scene: { from: j, vectors: { ‸vido: {} } } }"), nearest: "video" },
  { code: "OUTPUT_FIELD", title: "no words", yaml: graph("  j: { op: join, by: scene, in: { cut: scenes } }", "outputs: { scene: { from: j, fulltext: [‸cut] } }") },
  { code: "OUTPUT_FIELD", title: "of a join in which something else is wrong", yaml: graph("  j: { op: join, by: scene, in: { cut: scens, transcript: 3 } }", "outputs: { scene: { from: j, index: [transcript], fulltext: [cut, ‸transcrpt] } }"), nearest: "transcript", also: ["UNKNOWN_NODE", "WRONG_TYPE"] },
  { code: "OUTPUT_FIELD", title: "nothing like it", yaml: graph("  j: { op: join, by: scene, in: { media: media.info } }", "outputs: { scene: { from: j, index: [‸begin] } }") },
  { code: "OUTPUT_FIELD", title: "index", yaml: graph("  j: { op: join, by: scene, in: { cut: scenes } }", "outputs: { scene: { from: j, index: [‸strat] } }"), nearest: "start" },
];

for (const { code, title, yaml, nearest, options, also = [] } of cases) {
  test(`${code}${title ? `: ${title}` : ""}`, () => {
    const before = yaml.slice(0, yaml.indexOf("‸"));
    const line = before.split("\n").length;
    const column = before.length - before.lastIndexOf("\n");
    const { plan, problems } = load(yaml.replace("‸", ""), options);
    const shown = JSON.stringify(problems, null, 1);
    const found = problems.filter((problem) => problem.code === code);
    assert.equal(found.length, 1, `exactly one ${code}: ${shown}`);
    const [problem] = found;
    assert.deepEqual({ line: problem?.line, column: problem?.column }, { line, column }, shown);
    assert.equal(problem?.nearest, nearest);
    assert.equal(problem?.file, "test.yaml");
    for (const one of problems) assert.ok(one.found && one.expected && one.hint, `found, expected and a hint: ${JSON.stringify(one)}`);
    assert.equal(problem?.severity, PROBLEM_CODES[code].severity);
    assert.equal(plan === null, PROBLEM_CODES[code].severity === "error" || also.length > 0 && problems.some((p) => p.severity === "error"));
    const others = new Set(problems.map((p) => p.code));
    others.delete(code);
    for (const expected of also) others.delete(expected);
    assert.deepEqual([...others], [], `no noise: ${shown}`);
  });
}

test("every code of the table has a case", () => {
  const covered = new Set(cases.map((entry) => entry.code));
  assert.deepEqual(Object.keys(PROBLEM_CODES).filter((code) => !covered.has(code as ProblemCode)), []);
});

test("all problems at once, in the order of the file", () => {
  const { problems } = load(graph("  a: { op: scene.cuts, in: scores }\n  b: { op: scene.cut, in: score, with: { treshold: 1 } }\n  c: { op: scene.keyframes, in: { scenes: scenes, vectors: scores } }", "runtime: { slotz: 1 }"));
  assert.deepEqual(problems.map((problem) => problem.code), ["UNKNOWN_OPERATOR", "UNKNOWN_NODE", "UNKNOWN_KEY", "KIND_MISMATCH", "UNKNOWN_KEY"]);
});

test("a node whose inputs are broken, and an output of a broken record, hide no mistakes of their own", () => {
  const nodes = `${FRAMES.replace("image }", "imgae }")}
  v: { op: vectors.mean, over: scene, in: { vectors: frames }, when: "1 +" }
  w: { op: vectors.mean, in: { vectors: frames }, when: "scene.duratio > 1.0" }
  t: { op: text.embed, in: { a: frames }, model: text, with: { template: "{b}" } }
  j: { op: join, by: scene, in: { v: v, w: w, t: t } }`;
  const { problems } = load(graph(nodes, "outputs: { scene: { from: j, vectors: { v: { weight: -1 } } } }"));
  assert.deepEqual(problems.map(({ code }) => code), ["UNKNOWN_ROLE", "EXPRESSION", "UNKNOWN_VARIABLE", "TEMPLATE_PORT", "WRONG_TYPE"]);
  assert.equal(problems[0]?.hint, 'Did you mean "image"?');
});

test("YAML that does not parse is one problem, and ${…} without quotes is told how to be written", () => {
  const { problems } = load(graph("  a: { op: scene.cut, in: scores, with: { threshold: ${params.t} } }\n  b: { op: join }"));
  assert.deepEqual(problems.map((problem) => problem.code), ["YAML_SYNTAX"]);
  assert.match(problems[0]?.hint ?? "", /needs quotes/);
});

test("what is not finite is named, not called null", () => {
  const { problems } = load(graph("").replace("} }\nmodels", "}, k: { type: number, default: 2 } }\nmodels"), { params: { k: ".nan" } });
  assert.equal(problems.find((problem) => problem.code === "PARAM_TYPE")?.found, "NaN");
});

test("names without any likeness are no suggestion", () => {
  const hintOf = (code: ProblemCode, { problems }: ReturnType<typeof load>): string | undefined => problems.find((problem) => problem.code === code)?.hint;
  const cut = (params: string): string => graph('  a: { op: scene.cut, in: scores, with: { threshold: "${params.treshold}" } }').replace("params: {", `params: { ${params}`);
  assert.equal(hintOf("UNKNOWN_PARAM", load(cut("threshold: { type: number, default: 27 }, "))), 'Did you mean "threshold"?');
  assert.equal(hintOf("UNKNOWN_PARAM", load(cut(""))), 'There is only "input".');
  assert.equal(hintOf("UNKNOWN_PROFILE", load(graph("", "profiles: { small: {}, full: {} }"), { profile: "nope" })), "Take one of its profiles (small, full), or leave --profile out.");
  assert.equal(hintOf("UNKNOWN_PROFILE", load(graph(""), { profile: "nope" })), "Leave --profile out.");
  assert.match(hintOf("NOT_A_MAP", load("")) ?? "", /`flow: 1` and `nodes: /);
});

test("an edge that is wrong at both ends, and inputs of which several are wrong, are all reported", () => {
  const codes = (nodes: string): string[] => load(graph(nodes)).problems.map(({ code, found }) => `${code} ${found}`);
  assert.deepEqual(codes("  a: { op: scene.cut, in: { score: scroes } }"), ["UNKNOWN_PORT score", "UNKNOWN_NODE scroes"]);
  assert.deepEqual(codes("  a: { op: scene.cut, in: { score: scores.score } }"), ["UNKNOWN_PORT score", "UNKNOWN_PORT score"]);
  assert.deepEqual(codes("  k: { op: scene.keyframes }"), ["INPUT_MISSING nothing", "INPUT_MISSING nothing"]);
  assert.deepEqual(codes("  j: { op: join, by: scene, in: { s: [x1, scenes, y2, 3] } }"), ["UNKNOWN_NODE x1", "UNKNOWN_NODE y2", "WRONG_TYPE 3"]);
  const [vanished] = load(graph(`${FRAMES.replace("model:", "enabled: false, model:")}\n  k: { op: video.pool, in: { scenes: scenes, vectors: frames, keyframes: frames }, with: { of: keyframes } }`)).problems;
  assert.match(vanished?.message ?? "", /its inputs vectors, keyframes come from frames, which is disabled/);
});

test("a cutter whose operator is not known is one problem, not one of every node by scene", () => {
  for (const [cutter, ...codes] of [["op: scene.cut@7", "OPERATOR_VERSION"], ["op: scene.cutt", "UNKNOWN_OPERATOR"], ["description: cuts", "MISSING_KEY"]] as const) {
    const { problems } = load(graph(`${FRAMES}\n  m: { op: vectors.mean, over: scene, in: { vectors: frames } }`).replace("op: scene.cut,", `${cutter},`));
    assert.deepEqual(problems.map(({ code }) => code), codes, cutter);
  }
});

test("what a misspelt name means is not called unused", () => {
  const { problems } = load(graph("  j: { op: join, by: scene, in: { s: scnes } }", "outputs: { scene: { from: j } }"));
  assert.deepEqual(problems.map(({ code }) => code), ["UNKNOWN_NODE"]);
});

test("a tag or an alias that means nothing, and a missing version, leave the rest to be checked", () => {
  const { problems } = load(graph("  a: { op: scene.cut, in: scores, with: { threshold: !env T, min_scene: *soon } }\n  b: { op: scene.cut, in: *scores, batch: *batch }\n  c: *node\n  d: { op: join, by: scene, in: { s: scnes } }").replace("flow: 1\n", ""));
  assert.deepEqual(problems.map(({ code }) => code), ["FLOW_VERSION", ...Array<string>(5).fill("YAML_SYNTAX"), "UNKNOWN_NODE"]);
});

test("every profile is checked where that is asked: its errors once, with its name", () => {
  const profiles = [
    "  a: { nodes: { rows: { with: { hash: true, hush: 3 } }, v: { with: { of: keyframes } } } }",
    "  b: { nodes: { rows: { with: { hash: true } } }, models: { image: lite-imag } }",
    '  c: { nodes: { rows: { with: { hash: true } }, scenes: { when: "${env.NOT_SET}" }, frames: null } }',
    "  live: { nodes: { scenes: { queue: { policy: latest } } } }",
  ];
  const text = graph(`${FRAMES}\n  rows: { op: rows.narrow, in: scores }\n  v: { op: video.pool, in: { scenes: scenes, vectors: frames } }`, `profiles:\n${profiles.join("\n")}`);
  const { problems, plan } = load(text, { everyProfile: true });
  assert.equal(plan, null);
  assert.deepEqual(problems.map(({ code, message }) => `${code} ${message.split(":")[0]}`), ["COLUMNS_MISSING With --profile b or --profile c", "INPUT_MISSING With --profile a", "UNKNOWN_NODE With --profile c", "UNKNOWN_KEY With --profile a", "UNKNOWN_MODEL With --profile b"]);
  // A run has one profile, and is refused for nothing else.
  assert.deepEqual(load(text).problems, []);
  assert.deepEqual(load(text, { profile: "b", everyProfile: true }).problems.map(({ code }) => code), ["COLUMNS_MISSING", "UNKNOWN_MODEL"]);
});

test("mistakes of YAML that have nothing to do with each other are all reported", () => {
  const lines = ["flow: 1", "nodes:", '  a: { op: join, with: { x: "open } }', "  b: { op: [join }", "  c: { op: @join }", "  d: { op: join }", "  e: { op: join, in: x", "  f: g: h", "\tg: { op: join }", '  h: "\\q"', "outputs: { scene: { from: a ]"];
  const { problems } = load(lines.join("\n"));
  assert.deepEqual(problems.map(({ code, line, found, expected }) => `${code} ${line} ${found} ${expected}`), [
    'YAML_SYNTAX 3 "open "', "YAML_SYNTAX 4 } ]", "YAML_SYNTAX 5 @join a letter, a digit or a text in quotes", "YAML_SYNTAX 7 the end of the line }", "YAML_SYNTAX 8 g: one KEY: VALUE in a line",
    "YAML_SYNTAX 9 a tab spaces", "YAML_SYNTAX 10 \\q\" an escape that YAML has, or single quotes", "YAML_SYNTAX 11 ] }",
  ]);
});

test("thousands of wrong references are told in seconds", { timeout: 60_000 }, () => {
  const nodes = Array.from({ length: 5_000 }, (_, i) => `  node${i}: { op: join, by: scene, in: { s: nodd${i}x } }`).join("\n");
  const { problems } = load(graph(nodes));
  assert.deepEqual([problems.length, problems.at(77)?.nearest], [5_000, "node77"]);
});

test("a long list of names is cut, and a name that shares no letter is not the nearest", () => {
  const many = Array.from({ length: 500 }, (_, i) => `  n${i}: { op: join, by: scene, in: { s: scenes } }`).join("\n");
  const { problems } = load(graph(`${many}\n  z: { op: join, by: scene, in: { s: ff } }`));
  assert.match(problems[0]?.expected ?? "", /^media, .*, … \(\d+ in all\)$/);
  assert.equal(problems[0]?.nearest, undefined);
});

test("a bound is told as a bound", () => {
  const { problems } = load(graph("  a: { op: scene.cut, in: scores, with: { threshold: 999 } }"));
  assert.match(problems[0]?.expected ?? "", /^a number ≤ \d+$/);
});

test("a cycle is shown as a path", () => {
  const { problems } = load(graph("  a: { op: text.embed, in: { x: c }, model: text, with: { template: \"{x}\" } }\n  b: { op: text.embed, in: { x: a }, model: text, with: { template: \"{x}\" } }\n  c: { op: text.embed, in: { x: b }, model: text, with: { template: \"{x}\" } }"));
  assert.equal(problems[0]?.found, "a → c → b → a");
});

test("a level mistake names the bridge", () => {
  const { problems } = load(graph("  frames: { op: image.embed, in: media.frames, model: image }\n  j: { op: join, by: scene, in: { x: frames } }"));
  assert.match(problems[0]?.message ?? "", /Vector@frame into join by scene: add vectors\.mean over: scene/);
});

test("too few slots: the number that is needed is said, and it is enough", () => {
  const nodes = "  frames: { op: image.embed, in: media.frames, model: image }";
  const needed = Number(/at least (\d+)/.exec(load(graph(nodes, "runtime: { slots: 8 }")).problems[0]?.expected ?? "")?.[1]);
  assert.ok(load(graph(nodes, `runtime: { slots: ${needed} }`)).plan);
  assert.equal(load(graph(nodes, `runtime: { slots: ${needed - 1} }`)).plan, null);
});

test("billion laughs is refused quickly", () => {
  const lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"];
  for (let i = 1; i < 20; i++) lines.push(`a${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(", ")}]`);
  const { plan, problems } = load(`flow: 1\n${lines.join("\n")}\n`);
  assert.equal(plan, null);
  assert.deepEqual(problems.map((problem) => problem.code), ["YAML_ALIAS_BOMB"]);
  assert.equal(problems[0]?.line, 4);
});
