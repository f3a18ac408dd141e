import assert from "node:assert/strict";
import { test } from "node:test";
import { timeUs } from "../../src/cli/define.js";
import { clock, coloursFor, count, cut, elapsed, shellWord, size, table } from "../../src/cli/output.js";
import { ProgressBar } from "../../src/cli/progress.js";

const stream = (isTTY: boolean): NodeJS.WriteStream => ({ isTTY, columns: 80, write: () => true }) as unknown as NodeJS.WriteStream;

test("colours on a terminal or with FORCE_COLOR, never with NO_COLOR", () => {
  const before = process.env["NO_COLOR"];
  const term = process.env["TERM"];
  const forced = process.env["FORCE_COLOR"];
  try {
    process.env["TERM"] = "xterm";
    delete process.env["NO_COLOR"];
    delete process.env["FORCE_COLOR"];
    assert.notEqual(coloursFor(stream(true)).red("x"), "x");
    assert.equal(coloursFor(stream(false)).red("x"), "x");
    process.env["FORCE_COLOR"] = "1";
    assert.notEqual(coloursFor(stream(false)).red("x"), "x");
    process.env["FORCE_COLOR"] = "0";
    assert.equal(coloursFor(stream(true)).red("x"), "x");
    process.env["FORCE_COLOR"] = "1";
    process.env["NO_COLOR"] = "1";
    assert.equal(coloursFor(stream(true)).red("x"), "x");
  } finally {
    if (forced === undefined) delete process.env["FORCE_COLOR"];
    else process.env["FORCE_COLOR"] = forced;
    if (before === undefined) delete process.env["NO_COLOR"];
    else process.env["NO_COLOR"] = before;
    process.env["TERM"] = term;
  }
});

test("whole numbers are grouped by thousands, as en-US writes them", () => {
  for (const n of [0, 7, 999, 1000, 12_345, 123_456, 1_234_567, -1234, -123]) assert.equal(count(n), n.toLocaleString("en-US"));
});

test("clock carries and pads", () => {
  assert.equal(clock(83_456_000, 3), "1:23.456");
  assert.equal(clock(59_990_000), "1:00.0");
  assert.equal(clock(3_600_000_000, 0), "1:00:00");
  assert.equal(clock(0), "0:00.0");
});

test("times as people type them", () => {
  assert.equal(timeUs("83.5"), 83_500_000);
  assert.equal(timeUs("1:23.5"), 83_500_000);
  assert.equal(timeUs("1:02:03"), 3_723_000_000);
  assert.throws(() => timeUs("soon"), /Expected a time/);
});

test("sizes, lengths of time, shell words", () => {
  assert.equal(size(999), "999 B");
  assert.equal(size(1_938_219), "1.9 MB");
  assert.equal(elapsed(2220), "2.22 s");
  assert.equal(elapsed(125_000), "2 min 5 s");
  assert.equal(shellWord("a.mp4"), "a.mp4");
  assert.equal(shellWord("it's"), `'it'\\''s'`);
});

test("a table aligns by what is seen, not by escapes", () => {
  const lines = table([["\u001b[31ma\u001b[39m", "1"], ["bbb", "22"]], { right: [1] }).split("\n");
  assert.equal(lines[0], "  \u001b[31ma\u001b[39m     1");
  assert.equal(lines[1], "  bbb  22");
  assert.equal(cut("abcdef", 4), "abc…");
});

test("progress: source time, queues, the busiest node; a finished medium counts in full", () => {
  const bar = new ProgressBar({ stream: stream(false), format: "off" });
  const medium = (uri: string, ptsUs: number) => ({ uri, ptsUs, durationUs: 10_000_000, frames: 50, scenes: 1 });
  bar.update({ media: 2, mediaDone: 0, active: [medium("a.mp4", 9_000_000)], queues: {} });
  const progress = { media: 2, mediaDone: 1, active: [medium("b.mp4", 5_000_000)], queues: { text: 2, frames: 7, idle: 0 } };
  bar.update(progress);
  const figures = bar.figures(progress);
  assert.equal(figures.doneUs, 15_000_000);
  assert.equal(figures.totalUs, 20_000_000);
  assert.deepEqual(figures.queues, [["frames", 7], ["text", 2]]);
  assert.ok(figures.framesPerSecond > 0 && figures.timesRealTime > 0 && figures.etaMs !== null && figures.etaMs >= 0);
  assert.equal(bar.figures({ ...progress, pass: { index: 2, of: 3 } }).etaMs, null, "later passes have no length of the source");
});
