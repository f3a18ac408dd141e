/** What lives for seconds is old when it dies: V8 would let tens of MB of it lie in every thread. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const CHILD = fileURLToPath(new URL("./tight-heaps-child.js", import.meta.url));
const heapMB = async (mode: string): Promise<number> => Number((await promisify(execFile)(process.execPath, [CHILD, mode])).stdout) / 1e6;

test("a thread's heap stays near what it keeps", async () => {
  const [tight, usual] = [await heapMB("tight"), await heapMB("usual")];
  assert.ok(tight < 0.75 * usual, `${tight} MB, without it ${usual} MB`);
});
