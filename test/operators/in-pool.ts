import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Interval } from "../../src/contracts/items.js";
import type { MediumInfo } from "../../src/contracts/media.js";
import type { ModelManifest } from "../../src/contracts/model.js";
import { isSkip, type OperatorDefinition, type OutputValues } from "../../src/contracts/operator.js";
import type { InferencePool } from "../../src/inference/index.js";
import { loadModels } from "../../src/models/manifest.js";
import { createLocate } from "../../src/models/store/locate.js";

/** The built-in manifests, their files found by hash in FLOW_MODELS_DIR. */
export const models = loadModels(fileURLToPath(new URL("../../../models", import.meta.url)), createLocate());

/** A model whose files are here, or the reason to skip. */
export function realModel(id: string): { manifest: ModelManifest; skip: false | string } {
  const manifest = models.get(id);
  if (!manifest) throw new Error(`no manifest models/${id}.yaml`);
  const gone = manifest.files.find((file) => !existsSync(file.at));
  return { manifest, skip: gone ? `needs FLOW_MODELS_DIR with ${gone.path}` : false };
}

/** One item of an `each` operator with thread "pool", called the way the engine calls it. */
export async function eachInPool(pool: InferencePool, op: OperatorDefinition<any>, item: { inputs: Record<string, unknown>; medium: MediumInfo; interval: Interval }, roles: Record<string, ModelManifest> = {}, config: object = {}): Promise<OutputValues> {
  const [result] = await pool.run({ kind: "each", module: op.module, operator: op.name, node: op.name, config: op.config.parse(config), models: roles, items: [item] });
  assert.ok(result);
  if (!result.ok) throw Object.assign(new Error(result.error.message), { code: result.error.code });
  return isSkip(result.value) ? { skipped: result.value.skip } : (result.value as OutputValues);
}
