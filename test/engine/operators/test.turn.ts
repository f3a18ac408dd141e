import { z } from "zod";
import { Text, defineOperator } from "../../../src/contracts/index.js";

let turns = 0;

/** Its text is how many scenes the worker has had before. */
export const testTurn = defineOperator({
  name: "test.turn",
  version: 1,
  summary: "Numbers the scenes as they come.",
  module: import.meta.url,
  level: "scene",
  inputs: { text: Text },
  outputs: { text: Text },
  config: z.strictObject({}),
  run: { form: "each", thread: "pool", each: () => ({ text: String(turns++) }) },
  examples: [],
});
