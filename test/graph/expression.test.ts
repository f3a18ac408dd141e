import assert from "node:assert/strict";
import test from "node:test";
import { FlowError } from "../../src/contracts/index.js";
import { compileExpression, mediaVariables, outputVariable, sceneVariables, type Variables } from "../../src/graph/index.js";

const variables: Variables = { a: true, b: true, media: { info: { hasAudio: true } } };
function evaluate(source: string, values: Record<string, unknown> = {}): unknown {
  const compiled = compileExpression(source, variables);
  if (!("evaluate" in compiled)) throw new Error(compiled.problem.message);
  return compiled.evaluate(values);
}

test("values: comparison, arithmetic over whole and broken numbers, text, lists", () => {
  assert.equal(evaluate("a > 2 && a < 2.5", { a: 2.25 }), true);
  assert.equal(evaluate("a + 1", { a: 2 }), 3);
  assert.equal(evaluate("1 + a * 2 - 0.5", { a: 2 }), 4.5);
  assert.equal(evaluate("2 + 3"), 5);
  assert.equal(evaluate("a % 2 == 1", { a: 5 }), true);
  assert.equal(evaluate("a.contains('night') || b", { a: "day", b: true }), true);
  assert.equal(evaluate("a.exists(x, x.label == 'night' && x.value > 0.5)", { a: [{ label: "night", value: 0.9 }] }), true);
  assert.equal(evaluate("media.info.hasAudio", { media: { info: { hasAudio: false } } }), false);
});

test("a member that is absent makes the result null, has() asks for it", () => {
  assert.equal(evaluate("a.caption.contains('x')", { a: {} }), null);
  assert.equal(evaluate("has(a.caption)", { a: {} }), false);
  assert.equal(evaluate("a.caption == 1", {}), null, "a variable of a disabled node");
  const unchecked = compileExpression("x.y == 1", null);
  assert.ok("evaluate" in unchecked && unchecked.evaluate({ x: { y: 1 } }) === true);
});

test("a comparison of unlike things is an error with a hint, not false", () => {
  assert.throws(() => evaluate("a + 1", { a: "x" }), (thrown: unknown) => thrown instanceof FlowError && thrown.code === "EXPRESSION_FAILED" && thrown.hint !== "");
});

test("patterns and loops that would take hours end after a second, with a hint", () => {
  const ends = (source: string, values: Record<string, unknown>): void => assert.throws(() => evaluate(source, values), (thrown: unknown) => thrown instanceof FlowError && thrown.code === "EXPRESSION_FAILED" && /1 s/.test(thrown.message));
  ends("a.matches('^(a+)+$')", { a: `${"a".repeat(60)}!` });
  const inner = Array.from({ length: 12 }, (_, i) => `a.all(x${i}, `).join("");
  ends(`${inner}true${")".repeat(12)}`, { a: Array.from({ length: 20 }, (_, i) => i) });
  assert.equal(evaluate("a.matches('^n.*t$') && b.exists(x, b.exists(y, x == y))", { a: "night", b: [1] }), true);
});

test("a condition that is neither true nor false is an error, unknown is false", () => {
  const condition = compileExpression("a", variables);
  assert.ok("holds" in condition);
  assert.deepEqual([condition.holds({ a: true }), condition.holds({ a: false }), condition.holds({})], [true, false, false]);
  for (const a of [1, "x", [], {}]) assert.throws(() => condition.holds({ a }), (thrown: unknown) => thrown instanceof FlowError && thrown.code === "EXPRESSION_FAILED");
});

test("the type of an expression, as far as its text tells", () => {
  const typeOf = (source: string): string => (compileExpression(source, variables) as { type: string }).type;
  assert.deepEqual(["a > 1", "a", "'x'", "media.info.hasAudio"].map(typeOf), ["bool", "dyn", "string", "dyn"]);
});

test("reads: every free variable with its members, not those a macro binds", () => {
  const compiled = compileExpression("a.exists(x, x.y == b) && media.info.hasAudio", variables);
  assert.ok("reads" in compiled);
  assert.deepEqual(compiled.reads, [["a"], ["b"], ["media", "info", "hasAudio"]]);
});

test("problems: place inside the text, nearest name, all at once", () => {
  const compiled = compileExpression("media.info.hasAudoi && c", variables, "where", (offset) => ({ line: 3, column: 10 + offset }));
  assert.ok("problems" in compiled);
  assert.deepEqual(compiled.problems.map(({ code, line, column, nearest }) => ({ code, line, column, nearest })), [
    { code: "UNKNOWN_VARIABLE", line: 3, column: 10, nearest: "hasAudio" },
    { code: "UNKNOWN_VARIABLE", line: 3, column: 33, nearest: undefined },
  ]);
  for (const bad of ["", "a ==", "a === b", "foo(a)", "1 ? 2 : 3", "(".repeat(500)]) assert.ok("problem" in compileExpression(bad, variables), bad);
});

test("variables of when: seconds beside microseconds", () => {
  assert.deepEqual(sceneVariables({ startUs: 500_000, endUs: 2_000_000 }), { startUs: 500_000, endUs: 2_000_000, start: 0.5, end: 2, duration: 1.5, startFrame: null, endFrame: null });
  const info = { id: "x", uri: "u", name: "n", kind: "video", container: "mp4", sizeBytes: 1, durationUs: 3_000_000, startUs: 0, video: null, audio: null, subtitles: [], memoisable: true } as const;
  const { info: shown } = mediaVariables({ ...info, subtitles: [] });
  assert.deepEqual([shown["hasAudio"], shown["hasVideo"], shown["hasSubtitles"], shown["duration"]], [false, false, false, 3]);
});

test("variables of when: outputs are lists and mappings, a series the list of its items", () => {
  const series = { ptsUs: Float64Array.of(0, 40), width: 2 };
  assert.deepEqual(outputVariable({ ...series, data: Float32Array.of(1, 2, 3, 4) }), [[1, 2], [3, 4]]);
  assert.deepEqual(outputVariable({ ...series, columns: ["a", "b"], data: Float32Array.of(1, 2, 3, 4) }), [{ ptsUs: 0, a: 1, b: 2 }, { ptsUs: 40, a: 3, b: 4 }]);
  assert.deepEqual(outputVariable({ ...series, width: 0, bytes: [Uint8Array.of(7), Uint8Array.of()] }), [[7], []]);
  assert.deepEqual(outputVariable({ ...series, width: 0, values: [[{ label: "a", vector: Float32Array.of(1) }], []] }), [[{ label: "a", vector: [1] }], []]);
  assert.deepEqual([outputVariable(Float32Array.of(0.5)), outputVariable("text"), outputVariable(null)], [[0.5], "text", null]);
});
