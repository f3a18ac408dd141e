/** Run by pool.test.ts, and preloaded into its own threads, which end there: what becomes of tasks when no thread stays. */
import { isMainThread } from "node:worker_threads";
import { FlowError } from "../../src/contracts/index.js";
import { InferencePool } from "../../src/inference/index.js";
import { tinyModel } from "./fixtures.js";

if (!isMainThread) process.exit(3);
const pool = new InferencePool({ workers: 1 });
const models = ["one", "two", "three"].map((name) => tinyModel({ name }));
const errors = [...(await pool.verify(models)), ...(await pool.verify([models[0]!]))];
await pool.destroy();
console.log(JSON.stringify(errors.map((error: FlowError) => [error.code, error.message, error.exit])));
