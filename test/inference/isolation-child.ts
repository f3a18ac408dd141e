/** Run by isolation.test.ts: prints the pid of its worker process, has it run for ever, and dies by SIGKILL. */
import { InferencePool } from "../../src/inference/index.js";
import { frameRing, interval, medium, testCrash, testWhere } from "./fixtures.js";

const pool = new InferencePool({ workers: 1, isolation: "process" });
const [result] = await pool.run({ kind: "each", module: testWhere.module, operator: testWhere.name, node: "w", config: {}, models: {}, items: [{ inputs: {}, medium, interval }] });
process.stdout.write(`${(result as { value: { value: number } }).value.value}\n`, () => {
  void pool.run({ kind: "batch", module: testCrash.module, operator: testCrash.name, node: "n", config: { hang: 0 }, models: {}, items: frameRing(1, 2, 2) });
  // The call has been written to the channel when the timer fires: the worker is inside its loop or about to be.
  setTimeout(() => process.kill(process.pid, "SIGKILL"), 300);
});
