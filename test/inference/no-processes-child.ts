/** Run by isolation.test.ts with a low limit of descriptors: takes those that are left, then asks a pool of processes. */
import { closeSync, openSync } from "node:fs";
import { InferencePool } from "../../src/inference/index.js";
import { interval, medium, testWhere } from "./fixtures.js";

const taken: number[] = [];
try {
  for (;;) taken.push(openSync("/dev/null", "r"));
} catch {
  // Writing the result needs none; reading a file on the way may need one or two.
  for (const fd of taken.splice(0, 2)) closeSync(fd);
}
const pool = new InferencePool({ workers: 2, isolation: "process" });
const call = () => pool.run({ kind: "each", module: testWhere.module, operator: testWhere.name, node: "w", config: {}, models: {}, items: [{ inputs: {}, medium, interval }] });
const settled = await Promise.allSettled([call(), call(), call()]);
await pool.destroy();
console.log(JSON.stringify({ codes: settled.map((one) => (one.status === "rejected" ? (one.reason as { code: string }).code : "ok")), pending: pool.pending }));
