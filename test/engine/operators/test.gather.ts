import { z } from "zod";
import { Text, Value, defineOperator } from "../../../src/contracts/index.js";

/** The texts of all scenes of a medium. */
export const testGather = defineOperator({
  name: "test.gather",
  version: 1,
  summary: "Lists the texts of a medium's scenes.",
  module: import.meta.url,
  level: "media",
  inputs: { texts: Text.at("scene", { nullable: true }) },
  outputs: { texts: Value.at("media") },
  config: z.strictObject({}),
  run: { form: "each", thread: "main", each: ({ texts }) => ({ texts: (texts as { value: unknown }[]).map(({ value }) => value) }) },
  examples: [],
});
