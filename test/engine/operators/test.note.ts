import { z } from "zod";
import { Scene, Text, Vector, defineOperator, type OperatorContext, type OutputValues, type Skip } from "../../../src/contracts/index.js";

type Note = (tag: string, context: OperatorContext) => OutputValues | Skip | Promise<OutputValues | Skip>;

/** What the operator does, set by the test in the same process. */
export const behaviour: { note: Note } = { note: (tag) => ({ text: tag }) };

export const testNote = defineOperator({
  name: "test.note",
  version: 1,
  summary: "A text per scene, made by the test.",
  module: import.meta.url,
  level: "scene",
  inputs: { scenes: Scene, vectors: Vector.at("frame", { optional: true, nullable: true }) },
  outputs: { text: Text },
  config: z.strictObject({ tag: z.string().default("note") }),
  run: { form: "each", thread: "main", each: (_inputs, { tag }: { tag: string }, context) => behaviour.note(tag, context) },
  examples: [],
});
