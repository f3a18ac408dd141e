/** Opens a store and, told by its second argument, reads it on demand or collects and compacts it; killed or steered by collect.test.ts. */
import { createInterface } from "node:readline";
import { Store } from "../../src/store/index.js";

const [dir = "", role] = process.argv.slice(2);
if (role === "read") {
  const store = await Store.open(dir, { readOnly: true });
  for await (const _ of createInterface({ input: process.stdin })) console.log([...store.records()].length);
} else {
  const store = await Store.open(dir);
  console.log("ready");
  await store.collect({ dryRun: false, missing: false, isGone: () => false });
  await store.compact();
  await store.close();
}
