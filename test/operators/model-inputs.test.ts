import assert from "node:assert/strict";
import test from "node:test";
import { unfedInputs, type ModelManifest } from "../../src/contracts/index.js";
import { loadModels } from "../../src/models/manifest.js";
import { catalogue } from "../../src/operators/index.js";

const models = loadModels(new URL("../../../models", import.meta.url).pathname);
const roles = [...catalogue.values()].flatMap((op) => Object.entries(op.models ?? {}).map(([name, role]) => ({ op: op.name, name, role })));

test("every model that comes with flow has all its inputs fed by the operators of its task", () => {
  const decoders = { encoder: models.get("slimsam-encoder")!, decoder: models.get("slimsam-decoder")! };
  for (const model of models.values()) {
    const known = roles.filter(({ role }) => role.task === model.task);
    assert.ok(known.length > 0, model.id);
    for (const { op, name, role } of known) assert.deepEqual(unfedInputs(role, name, { ...(name === "decoder" ? decoders : {}), [name]: model }), [], `${op} ${name}: ${model.id}`);
  }
});

test("a further input is left empty by the operators that feed one, and by the families that feed others", () => {
  const extra = { name: "position_ids", type: "int64", dims: ["n", "t"] };
  const unfed = (id: string, op: string, role: string, more: Record<string, ModelManifest> = {}): string[] => {
    const model = Object.defineProperty(Object.create(models.get(id)!) as ModelManifest, "inputs", { value: [...models.get(id)!.inputs, extra] });
    return unfedInputs(catalogue.get(op)!.models![role]!, role, { ...more, [role]: model }).map(({ name }) => name);
  };
  const alone: [id: string, op: string, role: string][] = [["lite-image", "image.embed", "image"], ["lite-sound", "audio.embed", "audio"], ["lite-text", "text.embed", "text"], ["all-minilm-l6-v2", "text.embed", "text"], ["grounding-dino-tiny", "object.detect", "detector"], ["yolox-nano", "object.detect", "detector"], ["silero-vad", "speech.vad", "vad"], ["mobilenet-v2-quant", "image.tag", "tagger"]];
  for (const [id, op, role] of alone) assert.deepEqual(unfed(id, op, role), ["position_ids"], `${op} ${id}`);
  assert.deepEqual(unfed("slimsam-decoder", "object.segment", "decoder", { encoder: models.get("slimsam-encoder")! }), ["position_ids"]);
  assert.deepEqual(unfed("slimsam-decoder", "object.segment", "decoder"), [], "what an encoder gives is not known without one");
  assert.deepEqual(unfed("grounding-dino-tiny", "model.run", "model"), ["input_ids", "token_type_ids", "attention_mask", "pixel_mask", "position_ids"]);
});
