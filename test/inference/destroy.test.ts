import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const child = fileURLToPath(new URL("./destroy-child.js", import.meta.url));
const run = async (mode: string): Promise<{ done: number; cancelled: number; pending: number }> => {
  // Rejects on a signal or a non-zero exit: ONNX Runtime's abort would be SIGABRT.
  const { stdout } = await promisify(execFile)(process.execPath, [child, mode]);
  return JSON.parse(stdout) as { done: number; cancelled: number; pending: number };
};

test("destroy under load drains: every call is done, the process ends by itself", async () => {
  assert.deepEqual(await run("drain"), { done: 12, cancelled: 0, pending: 0 });
});

test("stop and destroy under load: what had not begun is cancelled, the process ends by itself", async () => {
  const { done, cancelled, pending } = await run("stop");
  assert.equal(done + cancelled, 12);
  assert.ok(cancelled >= 10, `${cancelled} cancelled`);
  assert.equal(pending, 0);
});

test("a pool may be closed at any moment of its workers' start", async () => {
  assert.deepEqual(await run("young"), { done: 40, cancelled: 0, pending: 0 });
});
