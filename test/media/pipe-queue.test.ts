import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { PipeQueue } from "../../src/media/pipe-queue.js";
import { readInto } from "../../src/media/pipe-socket.js";

/** What a pipe does to a queue: reads of any length while there is room, units taken in between, sometimes everything put aside. */
type Step = { read: number } | { take: number } | { spill: true };

/** Every so many bytes of the stream tell their place. */
const STRIDE = 61;

test("whatever comes in comes out once, in order and in whole units, however reads, takes and spills follow each other", () => {
  const steps = fc.array(fc.oneof<fc.Arbitrary<Step>[]>(fc.record({ read: fc.integer({ min: 1, max: 300_000 }) }), fc.record({ take: fc.integer({ min: 1, max: 5 }) }), fc.constant({ spill: true as const })), { minLength: 5, maxLength: 60 });
  fc.assert(
    fc.property(fc.constantFrom(1, 10_007, 110_592, 400_000), fc.constantFrom(0, 1_000_000), steps, (unit, wanted, list) => {
      const queue = new PipeQueue(unit, wanted);
      let sent = 0;
      let got = 0;
      const take = (): boolean => {
        const bytes = queue.peek();
        if (bytes === null) return false;
        assert.ok(unit === 1 ? bytes.length > 0 : bytes.length === unit);
        for (let i = got % STRIDE === 0 ? 0 : STRIDE - (got % STRIDE); i < bytes.length; i += STRIDE) assert.equal(bytes[i], (got + i) % 251);
        const n = unit === 1 ? Math.max(1, bytes.length >> 1) : unit;
        queue.consumed(n);
        got += n;
        return true;
      };
      for (const step of list) {
        if ("spill" in step) queue.spill();
        else if ("take" in step) for (let i = 0; i < step.take; i++) take();
        else {
          // A full queue can always be emptied by a unit, or nothing would ever go on.
          while (!queue.hasRoom) assert.ok(take());
          const target = queue.target();
          const n = Math.min(step.read, target.length);
          for (let i = sent % STRIDE === 0 ? 0 : STRIDE - (sent % STRIDE); i < n; i += STRIDE) target[i] = (sent + i) % 251;
          queue.wrote(n);
          sent += n;
        }
        assert.equal(queue.ready, queue.peek() !== null);
      }
      while (take());
      assert.equal(queue.received, sent);
      assert.ok(sent - got < unit);
    }),
    { numRuns: 30 },
  );
});

test("a child's pipe is read into the queue, stops while it is full, and goes on; the child's end is seen", async () => {
  const child = spawn(process.execPath, ["-e", "const b = Buffer.alloc(1 << 20); for (let i = 0; i < b.length; i++) b[i] = (i * 31) >> 5; for (let n = 0; n < 8; n++) require('fs').writeSync(3, b)"], { stdio: ["ignore", "ignore", "inherit", "pipe"] });
  const closed = once(child, "close");
  const queue = new PipeQueue(4096, 0);
  let full = 0;
  const socket = readInto(child.stdio[3] as Readable, {
    buffer: () => queue.target(),
    callback: (bytes) => {
      queue.wrote(bytes);
      if (!queue.hasRoom) full += 1;
      return queue.hasRoom;
    },
  });
  assert.ok(socket);
  const hash = createHash("sha256");
  let bytes = 0;
  const drain = (): void => {
    for (let unit = queue.peek(); unit !== null; unit = queue.peek()) {
      hash.update(unit);
      bytes += unit.length;
      queue.consumed(unit.length);
    }
    socket.resume();
    if (!socket.destroyed) setImmediate(drain);
  };
  setImmediate(drain);
  await once(socket, "close");
  drain();
  await closed;
  const expected = Buffer.alloc(1 << 20);
  for (let i = 0; i < expected.length; i++) expected[i] = (i * 31) >> 5;
  const whole = createHash("sha256");
  for (let n = 0; n < 8; n++) whole.update(expected);
  assert.equal(bytes, 8 << 20);
  assert.ok(full > 0);
  assert.equal(hash.digest("hex"), whole.digest("hex"));
});

test("the pipe of a child that cannot be started ends without a byte", async () => {
  const child = spawn("/nonexistent/program", { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const failed = once(child, "error");
  let bytes = 0;
  const socket = readInto(child.stdio[3] as Readable | null, { buffer: () => new Uint8Array(1), callback: (n) => ((bytes += n), true) });
  if (socket) await once(socket.on("error", () => undefined), "close").catch(() => undefined);
  await failed;
  assert.equal(bytes, 0);
});
