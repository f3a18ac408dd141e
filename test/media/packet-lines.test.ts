import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PacketLines, type PacketLine } from "../../src/media/packet-lines.js";

const packet = fc.record({
  dts: fc.integer({ min: -1000, max: 2 ** 40 }),
  pts: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  bytes: fc.nat(2 ** 31 - 1),
  checksum: fc.nat(2 ** 32 - 1),
  side: fc.constantFrom("", ", S=1, 8, 0x0a2b3c4d"),
});

/** As libavformat/framecrcenc.c prints it. */
const printed = ({ dts, pts, bytes, checksum, side }: { dts: number; pts: number; bytes: number; checksum: number; side: string }): string =>
  `0, ${String(dts).padStart(10)}, ${String(pts).padStart(10)}, ${String(1).padStart(8)}, ${String(bytes).padStart(8)}, 0x${checksum.toString(16).padStart(8, "0")}${side}\n`;

test("packets come out as they were printed, however the text is cut and whenever they are taken", () => {
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 200 }), fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), fc.array(fc.nat(5), { minLength: 1 }), (packets, cuts, takes) => {
      const lines = new PacketLines();
      const text = Buffer.from(`#software: Lavf\n#tb 0: 1001/30000\n#media_type 0: video\n#sar 0: 1/1\n${packets.map(printed).join("")}`, "latin1");
      const found: PacketLine[] = [];
      const take = (count: number): void => {
        for (let line = lines.next(); line !== null; line = count-- > 1 ? lines.next() : null) found.push({ ...line });
      };
      for (let at = 0, n = 0; at < text.length; n++) {
        const part = text.subarray(at, at + cuts[n % cuts.length]!);
        lines.push(part);
        at += part.length;
        if (takes[n % takes.length]! > 0) take(takes[n % takes.length]!);
      }
      take(Infinity);
      assert.deepEqual(found, packets.map(({ pts, bytes, checksum }) => ({ pts, bytes, adler: checksum | 0 })));
      assert.deepEqual(lines.timeBase, [1001, 30000]);
      assert.equal(lines.newestPts, packets.at(-1)?.pts ?? NaN);
    }),
  );
});

test("a line without its end is none, and neither is one without a checksum", () => {
  const lines = new PacketLines();
  lines.push(Buffer.from("0, 1, 1, 1, 12\n\n0, 2, 2, 1, 12, 0x5"));
  assert.equal(lines.next(), null);
  lines.push(Buffer.from("f\n"));
  assert.deepEqual({ ...lines.next() }, { pts: 2, bytes: 12, adler: 0x5f });
});

test("a dozen packets a unit apart are a jump; two of one time, or some that overlap, are none", () => {
  const lines = new PacketLines();
  const push = (from: number, count: number): void => lines.push(Buffer.from(Array.from({ length: count }, (_, n) => `0, ${from + n}, ${from + n}, 1, 12, 0x5\n`).join("")));
  push(0, 2);
  push(40, 12);
  assert.equal(lines.jumpedPts, null);
  push(120, 20);
  push(160, 20);
  assert.equal(lines.jumpedPts, 120);
});
