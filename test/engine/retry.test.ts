import assert from "node:assert/strict";
import { test } from "node:test";
import { FlowError, type PlanNode } from "../../src/contracts/index.js";
import { NodePolicy } from "../../src/engine/retry.js";

const node = (retry: number): PlanNode => ({ name: "embed", onError: { retry, backoffMinMs: 1, backoffMaxMs: 1, then: "skip" } }) as unknown as PlanNode;
const down = async (): Promise<never> => {
  throw new FlowError("DOWN", "the service is down", { hint: "wait" });
};
const up = async (): Promise<string> => "up";
const codeOf = (error: unknown): string => (error as FlowError).code;
const code = (work: Promise<unknown>): Promise<string> => work.then((value) => String(value), codeOf);

test("an item is tried as often as the node says, and told whether it was tried before", async () => {
  const policy = new NodePolicy(node(2), new AbortController().signal);
  const tries: boolean[] = [];
  assert.equal(await code(policy.run(async (again) => (tries.push(again), down()))), "DOWN");
  assert.deepEqual(tries, [false, true, true]);
  let left = 1;
  assert.equal(await policy.run(async () => (left-- > 0 ? down() : "up")), "up");
});

test("a permanent failure is tried once", async () => {
  const policy = new NodePolicy(node(2), new AbortController().signal);
  let tries = 0;
  const corrupt = policy.run(async () => {
    tries += 1;
    throw new FlowError("CORRUPT", "a corrupt item", { hint: "none", permanent: true });
  });
  assert.equal(await code(corrupt), "CORRUPT");
  assert.equal(tries, 1);
});

test("twenty items in a row that failed open the breaker; a success between them starts the count again", async () => {
  const policy = new NodePolicy(node(0), new AbortController().signal);
  for (let i = 0; i < 19; i++) assert.equal(await code(policy.run(down)), "DOWN");
  assert.equal(await policy.run(up), "up");
  for (let i = 0; i < 20; i++) assert.equal(await code(policy.run(down)), "DOWN");
  let tried = false;
  assert.equal(await code(policy.run(async () => (tried = true))), "BREAKER_OPEN");
  assert.equal(tried, false);
});

test("items that were being tried when the breaker opened keep what they gave", async () => {
  const policy = new NodePolicy(node(0), new AbortController().signal);
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const late = [policy.run(() => gate.then(up)), policy.run(() => gate.then(down))];
  await Promise.all(Array.from({ length: 20 }, () => code(policy.run(down))));
  assert.equal(await code(policy.run(up)), "BREAKER_OPEN");
  open();
  assert.deepEqual(await Promise.all(late.map(code)), ["up", "DOWN"]);
});

test("an item in its back-off is not tried again after the stop", async () => {
  const stop = new AbortController();
  const policy = new NodePolicy({ ...node(5), onError: { retry: 5, backoffMinMs: 60_000, backoffMaxMs: 60_000, then: "skip" } } as unknown as PlanNode, stop.signal);
  let tries = 0;
  const item = policy.run(async () => {
    tries += 1;
    return down();
  });
  await new Promise(setImmediate);
  stop.abort();
  assert.equal(await code(item), "INTERRUPTED");
  assert.equal(tries, 1);
});
