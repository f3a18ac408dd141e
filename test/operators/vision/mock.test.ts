import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import type { Detection, OperatorDefinition } from "../../../src/contracts/index.js";
import { loadModels } from "../../../src/models/manifest.js";
import { mockManifest } from "../../../src/models/mock.js";
import { faceDetect } from "../../../src/operators/face/face.detect.js";
import { faceEmbed } from "../../../src/operators/face/face.embed.js";
import { imageTag } from "../../../src/operators/image/image.tag.js";
import { objectDetect } from "../../../src/operators/object/object.detect.js";
import { objectEmbed } from "../../../src/operators/object/object.embed.js";
import { objectSegment } from "../../../src/operators/object/object.segment.js";
import { greyFrame } from "./stand-ins.js";
import { runBatches } from "./weights.js";

const models = loadModels(fileURLToPath(new URL("../../../../models", import.meta.url)));
const mock = (id: string) => mockManifest(models.get(id) ?? assert.fail(id));

const detection: Detection = { label: "x", score: 1, box: [10, 10, 60, 40], landmarks: [[20, 20], [40, 20], [30, 28], [22, 34], [38, 34]] };
const GIVEN = { detections: [detection, detection], faces: [detection] };

const CASES: [string, OperatorDefinition<any>, Record<string, string>, object][] = [
  ["YOLOX", objectDetect, { detector: "yolox-nano" }, {}],
  ["Grounding DINO", objectDetect, { detector: "grounding-dino-tiny" }, { prompts: ["dog", "frying pan"] }],
  ["SAM", objectSegment, { encoder: "slimsam-encoder", decoder: "slimsam-decoder" }, {}],
  ["DeepLab", objectSegment, { segmenter: "deeplabv3" }, {}],
  ["crops", objectEmbed, { image: "clip-vit-base-patch32" }, { crop: "box" }],
  ["YuNet", faceDetect, { detector: "yunet" }, {}],
  ["YuNet of any size", faceDetect, { detector: "yunet-dynamic" }, {}],
  ["Ultra-Light", faceDetect, { detector: "ultra-light-face" }, {}],
  ["face vectors", faceEmbed, { embedder: "sface" }, {}],
  ["tags", imageTag, { tagger: "mobilenet-v2-quant" }, {}],
];

for (const [name, op, roles, config] of CASES) {
  test(`${name}: stand-ins for its models give one list per frame, the same at batch 1 and 3, without any file`, async () => {
    const mocks = Object.fromEntries(Object.entries(roles).map(([role, id]) => [role, mock(id)]));
    const frames = [20, 90, 160, 230].map((byte) => greyFrame(96, 54, byte, op === objectSegment && !roles["encoder"] ? {} : GIVEN));
    const first = await runBatches<unknown[]>(op, mocks, frames, { config, size: 1 });
    assert.ok(first.length === 4 && first.every((list) => Array.isArray(list)));
    assert.deepEqual(await runBatches(op, mocks, frames, { config, size: 3 }), first);
  });
}
