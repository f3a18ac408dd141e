import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { formatDurationUs, parseDurationRangeUs, parseDurationUs } from "../../src/contracts/index.js";
import { canonicalJson, nearestName, parseGraph } from "../../src/graph/index.js";
import { topologicalOrder } from "../../src/graph/order.js";
import { editDistance } from "../../src/graph/problems.js";
import { child, placeIn } from "../../src/graph/tree.js";
import { ego, load, planOf } from "./fixtures/load.js";

const word = fc.constantFrom("flow", "nodes", "op", "in", "with", "a", "b", "media", "media.open", "join", "scene.cut", "by", "scene", "params", "type", "default", "${params.a}", "${env.X:-1}", "outputs", "from", "profiles", "switch", "cases", "model", "1", "null", "true", "&x", "*x", "<<", "__proto__", "constructor", "toString");
const punctuation = fc.constantFrom(": ", "\n", "\n  ", "\n    ", "{ ", " }", "[", "]", ", ", "- ", "\"", "'", "#", "|", ">", "!!", "?", "\t", "\u0000", "é", "𝄞");

test("text of any kind never throws, and every problem has a place inside the file", () => {
  const text = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.array(fc.oneof(word, punctuation), { maxLength: 120 }).map((parts) => parts.join("")));
  fc.assert(
    fc.property(text, (source) => {
      const { syntax, problems } = parseGraph({ path: "x.yaml", text: source });
      assert.ok(syntax !== null || problems.length > 0);
      const lines = source.split("\n").length;
      for (const { line, column } of [...problems, ...load(source).problems]) assert.ok(line >= 1 && line <= lines + 1 && column >= 1, `${line}:${column}`);
    }),
    { numRuns: 400 },
  );
});

test("large files are refused or read in a time that grows with them", { timeout: 60_000 }, () => {
  const keys = (count: number): string => `flow: 1\n${Array.from({ length: count }, (_, i) => `x-${i}: 1\n`).join("")}`;
  assert.deepEqual(parseGraph({ path: "x.yaml", text: keys(40_000) }).problems, []);
  assert.deepEqual(parseGraph({ path: "x.yaml", text: keys(200_000) }).problems.map((problem) => problem.code), ["YAML_ALIAS_BOMB"]);
  assert.deepEqual(parseGraph({ path: "x.yaml", text: `flow: 1\nx-list: [${"1,".repeat(1_900_000)}1]\n` }).problems.map((problem) => problem.code), ["YAML_ALIAS_BOMB"]);
  const name = (letter: string): string => `? ${letter.repeat(1_000_000)}`;
  const long = load(`flow: 1\nnodes:\n  ${name("a")}\n  : { op: join, by: scene, in: { x: ${"b".repeat(1_000_000)} } }\n`);
  assert.deepEqual(long.problems.map((problem) => problem.code), ["UNKNOWN_NODE"]);
});

test("a chain of thousands of nodes, written backwards, is put in order", () => {
  const names = Array.from({ length: 20_000 }, (_, i) => String(i));
  const { order, cycles } = topologicalOrder(names, (name) => (name === "19999" ? [] : [String(Number(name) + 1)]));
  assert.deepEqual([order.at(0), order.length, cycles.length], ["19999", 20_000, 0]);
});

test("however YAML writes a text, the place of a character in it is the place of that character in the file", () => {
  const part = fc.constantFrom("a", "word", " ", "  ", "\n", "\n\n", "\t", "'", '"', "\\", "é", "𝄞", "#", ": ", "{", "-", "\u0085", "\u00a0");
  const style = fc.constantFrom("PLAIN", "QUOTE_DOUBLE", "QUOTE_SINGLE", "BLOCK_FOLDED", "BLOCK_LITERAL" as const);
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), fc.array(part, { maxLength: 20 }), style, fc.boolean(), (before, after, defaultStringType, crlf) => {
      const value = `${before.join("")}‡${after.join("")}`;
      const written = `flow: 1\n${stringify({ "x-text": { inner: value } }, { defaultStringType, lineWidth: 20 })}`;
      const text = crlf ? written.replaceAll("\n", "\r\n") : written;
      const inner = child(child(parseGraph({ path: "x.yaml", text }).syntax?.root, "x-text"), "inner");
      assert.ok(inner?.kind === "scalar" && typeof inner.value === "string", text);
      const { line, column } = placeIn(inner, inner.value.indexOf("‡"));
      assert.ok(text.split("\n")[line - 1]?.slice(column - 1).startsWith("‡"), `${line}:${column}\n${text}`);
    }),
    { numRuns: 500 },
  );
});

test("a byte order mark is no column", () => {
  assert.equal(parseGraph({ path: "x.yaml", text: "\ufeffflow: 2\n" }).problems[0]?.column, 7);
});

test("graphs of any shape never throw", () => {
  const tree = fc.letrec((tie) => ({
    leaf: fc.oneof(fc.integer(), fc.boolean(), fc.constant(null), word),
    node: fc.oneof({ depthSize: "small", withCrossShrink: true }, tie("leaf"), fc.array(tie("node"), { maxLength: 4 }), fc.dictionary(word, tie("node"), { maxKeys: 6 })),
  })).node;
  const nodes = fc.dictionary(word, fc.dictionary(fc.constantFrom("op", "in", "with", "model", "batch", "queue", "on_error", "enabled", "when", "by", "over", "missing", "switch", "cases"), tree));
  const whole = fc.record({ flow: fc.constant(1), params: tree, models: tree, runtime: tree, nodes: fc.oneof(nodes, tree), outputs: tree, profiles: tree }, { requiredKeys: ["flow"] });
  fc.assert(
    fc.property(whole, (value) => {
      const { plan, problems } = load(JSON.stringify(value), { profile: "a", params: { a: "1" }, inputs: ["b"] });
      assert.ok(plan !== null || problems.some((problem) => problem.severity === "error"));
    }),
    { numRuns: 300 },
  );
});

test("one broken character in ego: a plan or a problem with a hint, never a throw", () => {
  fc.assert(
    fc.property(fc.nat(ego.length - 1), fc.constantFrom("", "x", " ", "{", "}", ":", "\"", "\n", "0"), (at, insert) => {
      const { plan, problems } = load(ego.slice(0, at) + insert + ego.slice(at + 1));
      assert.ok(plan !== null || problems.length > 0);
      for (const problem of problems) assert.ok(problem.hint && problem.message);
    }),
    { numRuns: 150 },
  );
});

test("keys are stable: the order of nodes and of keys does not matter", () => {
  const [head, nodes, tail] = [
    "flow: 1\nmodels: { image: lite-image }\nnodes:\n",
    ["  media: { op: media.open, with: { uri: a.mp4 } }", "  scores: { op: scene.scores, in: media.frames }", "  scenes: { in: scores, with: { min_scene: 1s, threshold: 20 }, op: scene.cut }", "  frames: { model: image, op: image.embed, in: media.frames }", "  scene: { op: join, in: { s: scenes, x: keys }, by: scene }", "  keys: { op: scene.keyframes, in: { vectors: frames, scenes: scenes } }"],
    "outputs: { scene: { from: scene } }\n",
  ] as const;
  const reference = planOf(head + nodes.join("\n") + "\n" + tail);
  fc.assert(
    fc.property(fc.shuffledSubarray([...nodes], { minLength: nodes.length }), fc.boolean(), (order, outputsFirst) => {
      const plan = planOf(outputsFirst ? tail + head + order.join("\n") + "\n" : head + order.join("\n") + "\n" + tail);
      assert.equal(plan.hash, reference.hash);
      for (const node of plan.nodes) assert.equal(node.key, reference.nodes.find((other) => other.name === node.name)?.key);
    }),
    { numRuns: 30 },
  );
});

test("canonical JSON: equal values have equal texts, whatever the order of keys", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).reverse());
      assert.equal(canonicalJson(reversed), canonicalJson(value));
      assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("durations: text and back; nonsense is null", () => {
  fc.assert(fc.property(fc.nat(2 ** 40), (us) => assert.equal(parseDurationUs(formatDurationUs(us)), us)));
  assert.deepEqual(["0.6s", "40ms", "5m", "1h", 2, "12us", " 1.5 s "].map(parseDurationUs), [600_000, 40_000, 300_000_000, 3_600_000_000, 2_000_000, 12, 1_500_000]);
  assert.deepEqual(["", "s", "5", "-1s", -1, Number.NaN, Infinity, "1e3s", null, "9".repeat(40) + "h"].map(parseDurationUs), Array.from({ length: 10 }, () => null));
  assert.deepEqual([parseDurationRangeUs("1s..10s"), parseDurationRangeUs("2s"), parseDurationRangeUs("3s..1s"), parseDurationRangeUs("1s..2s..3s")], [[1e6, 1e7], [2e6, 2e6], null, null]);
});

test("edit distance: a metric on short words, and the nearest name is one of them", () => {
  const short = fc.string({ maxLength: 6 });
  fc.assert(
    fc.property(short, short, (a, b) => {
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.equal(editDistance(a, b) === 0, a === b);
      assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
    }),
  );
  assert.equal(nearestName("treshold", ["detector", "threshold"]), "threshold");
  assert.equal(nearestName("qqqqqqqq", ["detector", "threshold"]), null);
});

test("the nearest name is that of a plain search: whatever is left out of the table changes no distance", () => {
  const plain = (a: string, b: string): number => {
    const d = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0)));
    for (let i = 1; i <= a.length; i++) {
      for (let j = 1; j <= b.length; j++) {
        d[i]![j] = Math.min(d[i - 1]![j]! + 1, d[i]![j - 1]! + 1, d[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
        if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d[i]![j] = Math.min(d[i]![j]!, d[i - 2]![j - 2]! + 1);
      }
    }
    return d[a.length]![b.length]!;
  };
  const name = fc.string({ unit: fc.constantFrom("a", "b", "c", "1"), minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(name, fc.uniqueArray(name, { minLength: 1, maxLength: 12 }), fc.nat(4), (word, names, limit) => {
      let best: { name: string; distance: number } | null = null;
      for (const one of names) {
        const distance = plain(word, one);
        assert.equal(editDistance(word, one), distance);
        assert.equal(Math.min(editDistance(word, one, limit), limit + 1), Math.min(distance, limit + 1));
        const longer = Math.max(word.length, one.length);
        if (distance <= Math.max(1, Math.floor(longer / 3)) && distance < longer && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) best = { name: one, distance };
      }
      assert.equal(nearestName(word, names), best?.name ?? null);
    }),
    { numRuns: 2_000 },
  );
});
