/** Commits records until it is killed; says every hundred how many are durable. */
import { Store } from "../../src/store/index.js";
import type { FlowRecord } from "../../src/contracts/index.js";

const store = await Store.open(process.argv[2]!);
for (let i = 0; ; i++) {
  const record: FlowRecord = { kind: "scene", id: String(i).padStart(16, "0"), parent: null, media: "m", startUs: i, endUs: i + 1, fields: {}, vectors: { video: { dims: 3, space: "s" } }, outcome: "done" };
  await store.commitRecord({ record, vectors: { video: Float32Array.of(i, 1, 2) } });
  if (i % 100 === 0) console.log(i);
}
