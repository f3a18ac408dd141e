import type { Interval } from "../../src/contracts/items.js";
import type { MediumInfo } from "../../src/contracts/media.js";
import { isSkip, type OperatorDefinition, type OutputValues } from "../../src/contracts/operator.js";
import { mediumOf } from "./scene/score-rows.js";

/** Calls an `each` operator the way the engine does, its config parsed by its own schema. */
export async function runEach(op: OperatorDefinition<any>, inputs: Record<string, unknown>, config: object = {}, interval: Interval = { startUs: 0, endUs: 10_000_000 }, medium: MediumInfo = mediumOf("video")): Promise<OutputValues> {
  if (op.run.form !== "each") throw new Error(`${op.name} has form ${op.run.form}`);
  const result = await op.run.each(inputs, op.config.parse(config) as never, { node: op.name, medium, interval, models: {} });
  return isSkip(result) ? { skipped: result.skip } : result;
}
