import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Outcome } from "../../src/contracts/index.js";
import { Ledger, unbalanced } from "../../src/engine/ledger.js";

const outcomes: Outcome[] = [
  { kind: "done", value: 1 },
  { kind: "done", value: 1, cached: true },
  { kind: "skipped", reason: "when" },
  { kind: "skipped", reason: "when", cached: true },
  { kind: "dropped", reason: "queue" },
  { kind: "failed", error: { code: "X", message: "x", hint: "y" } },
];

test("the books balance after any sequence of openings and outcomes, and at every moment in between", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: outcomes.length })), (steps) => {
      const ledger = new Ledger(["a"]);
      let open = 0;
      for (const step of steps) {
        if (step === outcomes.length || open === 0) {
          ledger.open("a");
          open += 1;
        } else {
          ledger.close("a", outcomes[step]!);
          open -= 1;
        }
        const counts = ledger.snapshot();
        assert.deepEqual(unbalanced(counts), []);
        assert.equal(counts["a"]!.inFlight, open);
      }
    }),
  );
});

test("a replayed medium shows what ran before as cached, failures as failures", () => {
  const ledger = new Ledger(["a"]);
  ledger.replay({ a: { in: 10, done: 5, cached: 1, skipped: 2, dropped: 1, failed: 1, inFlight: 0 } });
  assert.deepEqual(ledger.snapshot()["a"], { in: 10, done: 0, cached: 8, skipped: 0, dropped: 1, failed: 1, inFlight: 0 });
});
