import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { commands } from "../../src/cli/commands/index.js";
import { completionWords } from "../../src/cli/completion-words.js";
import type { ErrorDocument, LintDocument, ListDocument, PlanDocument, ShowDocument } from "../../src/cli/json.js";
import { Store } from "../../src/store/index.js";
import { smallClip } from "../clips.js";
import { CLIP_CUTS } from "./small-graph.js";
import { flow, MAIN, ROOT } from "./spawn.js";

const dir = mkdtempSync(join(tmpdir(), "flow-cli-"));
after(() => rmSync(dir, { recursive: true }));

const GRAPH = `${CLIP_CUTS}  scene:  { op: join, by: scene, in: { scenes: scenes } }
outputs:
  scene: { from: scene }
`;
const good = join(dir, "good.yaml");
const bad = join(dir, "bad.yaml");
writeFileSync(good, GRAPH);
writeFileSync(bad, GRAPH.replace("scene.scores", "scene.score").replace("name: small", "nmae: small"));

/** Types each line, a tab and Ctrl-U into a zsh on a terminal of its own, whose compadd tells what it adds; $1: the folder with _flow. Prints a word a line, "--" behind each line. */
const PRESS_TAB = String.raw`
zmodload zsh/zpty
zpty z "zsh -f -i"
zpty -w z 'PROMPT=; autoload -Uz compinit; fpath=('$1' $fpath); compinit -D -u
compadd() {
  if [[ ${"$"}{@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return $?; fi
  local -a hits; builtin compadd -A hits "$@"
  local hit; for hit in $hits; do print -r -- "HIT:$hit"; done
  builtin compadd "$@"
}
setopt no_beep; finish() { print -r -- "DONE:"; comppostfuncs=(finish) }; comppostfuncs=(finish); bindkey "^I" complete-word
print RE""ADY'
while zpty -r z line; do [[ $line == *READY* ]] && break; done
shift
for typed; do
  zpty -n -w z "$typed"$'\t'
  while zpty -r z line; do
    line=${"$"}{line//[$'\r\n']/}
    [[ $line == *HIT:* ]] && print -r -- ${"$"}{line#*HIT:}
    [[ $line == *DONE:* ]] && break
  done
  zpty -n -w z $'\C-u'
  print -r -- --
done
zpty -d z
`;

const ESCAPE = /\u001b\[/;

describe("help", () => {
  test("names every command", async () => {
    const { code, stdout } = await flow(["--help"]);
    assert.equal(code, 0);
    for (const [name, { summary }] of Object.entries(commands)) {
      assert.match(stdout, new RegExp(`^  ${name} `, "m"));
      assert.ok(stdout.replace(/\s+/g, " ").includes(summary), `${name}: ${summary}`);
    }
  });

  for (const name of Object.keys(commands)) {
    test(`flow ${name} --help has examples that begin with flow ${name}`, async () => {
      const { code, stdout, stderr } = await flow([name, "--help"]);
      assert.equal(code, 0, stderr);
      const examples = stdout.slice(stdout.indexOf("Examples:"));
      assert.match(examples, new RegExp(`^  flow ${name}\\b`, "m"));
    });
  }
});

test("every command that prints data has --json, every subcommand has examples of its own", async () => {
  for (const [name, { load }] of Object.entries(commands)) {
    const loaded = (await load()).command();
    for (const each of loaded.commands.length > 0 ? loaded.commands : [loaded]) {
      const words = each === loaded ? [name] : [name, each.name()];
      if (name !== "completion") assert.ok(each.options.some(({ long }) => long === "--json"), words.join(" "));
      if (each !== loaded) assert.match((await flow([...words, "--help"])).stdout, new RegExp(`^  flow ${words.join(" ")}\\b`, "m"));
    }
  }
});

describe("lint", () => {
  test("a sound graph: exit 0, no problems", async () => {
    const { code, stdout } = await flow(["lint", good, "--json"]);
    assert.deepEqual(JSON.parse(stdout), { problems: [] });
    assert.equal(code, 0);
  });

  test("errors: exit 2, all of them with their places, as one document", async () => {
    const { code, stdout, stderr } = await flow(["lint", bad, "--json"]);
    assert.equal(code, 2);
    assert.equal(stderr, "");
    const { problems } = JSON.parse(stdout) as LintDocument;
    const operator = problems.find((p) => p.code === "UNKNOWN_OPERATOR");
    assert.equal(operator?.line, 7);
    assert.equal(operator?.found, "scene.score");
    assert.equal(operator?.nearest, "scene.scores");
    assert.equal(problems.find((p) => p.code === "UNKNOWN_KEY")?.line, 2);
    for (const problem of problems) assert.ok(problem.hint.length > 0 && problem.file === bad && problem.column > 0);
  });

  test("people read file:line:column and the nearest name", async () => {
    const { stdout } = await flow(["lint", bad]);
    assert.match(stdout, new RegExp(`${bad}:7:\\d+ error UNKNOWN_OPERATOR`));
    assert.match(stdout, /scene\.scores/);
    assert.doesNotMatch(stdout, ESCAPE, "no colours in a pipe");
  });
});

describe("failures", () => {
  test("an unknown graph file: exit 2 and a hint, on stderr", async () => {
    const { code, stdout, stderr } = await flow(["run", "nowhere.yaml"]);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /GRAPH_NOT_FOUND.*nowhere\.yaml/);
    assert.match(stderr, /hint:.*ego\.yaml/);
    assert.doesNotMatch(stderr, /\n\s+at /, "no stack trace");
  });

  test("a folder instead of a graph, and a profile that is not there: what it is, and what is", async () => {
    const folder = await flow(["lint", "graphs"]);
    assert.equal(folder.code, 2);
    assert.match(folder.stderr, /graphs is a folder[^]*hint:.*graphs\/ego\.yaml/);
    const { code, stderr } = await flow(["graph", "graphs/ego.yaml", "--profile", "nope"]);
    assert.equal(code, 2);
    assert.match(stderr, /UNKNOWN_PROFILE[^]*small, full[^]*correct the command line/);
  });

  test("the same with --json: one document on stdout, nothing on stderr", async () => {
    const { code, stdout, stderr } = await flow(["run", "nowhere.yaml", "--json"]);
    assert.equal(code, 2);
    assert.equal(stderr, "");
    const { error } = JSON.parse(stdout) as ErrorDocument;
    assert.equal(error.code, "GRAPH_NOT_FOUND");
    assert.ok(error.hint);
  });

  test("a bad graph: run gives the error and every problem", async () => {
    const { code, stdout } = await flow(["run", bad, "--store", join(dir, "none"), "--json"]);
    assert.equal(code, 2);
    const { error, problems } = JSON.parse(stdout) as ErrorDocument;
    assert.equal(error.code, "BAD_GRAPH");
    assert.ok(problems?.some((p) => p.code === "UNKNOWN_OPERATOR"));
  });

  test("FLOW_DEBUG shows the stack", async () => {
    const { stderr } = await flow(["lint", "nowhere.yaml"], { env: { FLOW_DEBUG: "1" } });
    assert.match(stderr, /\n\s+at /);
  });

  test("a mistyped option, command or argument: exit 2, help is named", async () => {
    for (const args of [["lint", good, "--jsno"], ["lnit"], ["lint"], ["run", good, "-p", "fps"], ["show", "--limit", "x"]]) {
      const { code, stderr, stdout } = await flow(args);
      assert.equal(code, 2, args.join(" "));
      assert.match(stderr, /BAD_ARGUMENTS/);
      assert.match(stderr, /--help/);
      assert.equal(stdout, "");
    }
    const { code, stdout } = await flow(["lint", good, "--jsno", "--json"]);
    assert.equal(code, 2);
    assert.equal((JSON.parse(stdout) as ErrorDocument).error.code, "BAD_ARGUMENTS");
  });

  test("a store that is not there", async () => {
    for (const name of ["show", "errors", "runs", "search", "report"]) {
      const { code, stdout } = await flow([name, ...(name === "search" ? ["car"] : []), "--store", join(dir, "none"), "--json"]);
      assert.equal(code, 2, name);
      assert.equal((JSON.parse(stdout) as ErrorDocument).error.code, "NO_STORE", name);
    }
  });

  test("an unknown operator names the nearest", async () => {
    const { code, stdout } = await flow(["explain", "scene.cuts", "--json"]);
    assert.equal(code, 2);
    assert.match((JSON.parse(stdout) as ErrorDocument).error.hint, /scene\.cut/);
  });
});

describe("graph commands", () => {
  test("list: every operator with its family and the models of the package", async () => {
    const { stdout } = await flow(["list", "--json"]);
    const { operators, models } = JSON.parse(stdout) as ListDocument;
    assert.ok(operators.some((op) => op.name === "scene.cut" && op.family === "scene"));
    assert.ok(models.some((model) => model.id === "lite-image" && model.dims === 512));
  });

  test("plan: decode outputs, nodes in order, states; nothing is written", async () => {
    const store = join(dir, "unmade");
    const { code, stdout } = await flow(["plan", good, "--store", store, "--json"]);
    assert.equal(code, 0);
    const plan = JSON.parse(stdout) as PlanDocument;
    assert.deepEqual(plan.nodes.map((node) => node.name), ["media", "scores", "scenes", "scene"]);
    assert.equal(plan.decode.length, 1);
    assert.equal(plan.media[0]?.state, "new");
    assert.equal((await flow(["show", "--store", store])).code, 2, "plan makes no store");
  });

  test("explain refuses a version that is not here; list says when nothing is found", async () => {
    const pinned = await flow(["explain", "scene.cut@99", "--json"]);
    assert.equal(pinned.code, 2);
    assert.equal((JSON.parse(pinned.stdout) as { error: { code: string } }).error.code, "OPERATOR_VERSION");
    assert.match((await flow(["list", "zzzz"])).stdout, /No operator and no model mentions "zzzz"/);
  });

  test("plan --resolved names where a value came from", async () => {
    const { stdout } = await flow(["plan", good, "-p", "input=./graphs/demo/clip.mp4", "--resolved", "--json"]);
    const { resolved } = JSON.parse(stdout) as { resolved: { path: string; value: unknown; origin: { from: string } }[] };
    assert.equal(resolved.find((value) => value.path === "params.input")?.origin.from, "command line");
  });

  test("graph: Mermaid with an arrow per edge", async () => {
    const { stdout } = await flow(["graph", good]);
    assert.match(stdout, /^(flowchart|graph) /m);
    assert.match(stdout, /scene\.scores/);
    assert.equal(stdout.match(/-->/g)?.length, 4, "three edges and one output");
  });

  test("explain: ports, config and an example", async () => {
    const { stdout } = await flow(["explain", "scene.cut"]);
    assert.match(stdout, /threshold/);
    assert.match(stdout, /scores/);
  });
});

describe("completion", () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    test(`${shell}: every command and its options`, async () => {
      const { code, stdout } = await flow(["completion", shell]);
      assert.equal(code, 0);
      for (const name of Object.keys(commands)) assert.ok(stdout.includes(name), name);
      for (const option of ["until", "profile", "tolerance"]) assert.ok(stdout.includes(option), option);
    });
  }
  test("what a graph, a store or the catalogue knows", async () => {
    const store = join(dir, "completed");
    assert.equal((await flow(["run", good, smallClip(), "--until", "media", "--store", store])).code, 0);
    const [medium] = (JSON.parse((await flow(["show", "--store", store, "--json"])).stdout) as ShowDocument).records;
    const id = medium!.id.slice(0, 8);
    const vectors = join(dir, "vectors");
    {
      await using made = await Store.open(vectors, {});
      await made.commitRecord({ record: { kind: "scene", id: "1", parent: null, media: "m", startUs: 0, endUs: 1, fields: {}, outcome: "done", vectors: { video: { dims: 1, space: "s" } } }, vectors: { video: new Float32Array([1]) } });
    }
    for (const [line, ...words] of [
      ["run graphs/ego.yaml a.mp4 --until scene", "scenes", "scene"],
      ["run graphs/ego.yaml --until = scenes", "scenes"],
      ["run --store x graphs/ego.yaml --only scenes,tex", "scenes,text"],
      ["plan graphs/ego.yaml -p thr", "threshold="],
      ["explain scene.c", "scene.cut"],
      ["models show lite-i", "lite-image"],
      ["export --format np", "npz"],
      ["export --format = np", "npz"],
      ["run graphs/ego.yaml --until=scenes", "scenes"],
      ["run graphs/ego.yaml --profile sm", "small"],
      ["models pull graphs/ego.yaml --profile = f", "full"],
      ["plan graphs/ego.yaml -p detector=ad", "detector=adaptive"],
      ["plan graphs/ego.yaml -p detector = ad", "adaptive"],
      ["plan graphs/ego.yaml -p fps =", "all"],
      ["plan graphs/ego.yaml --param=events=", "events=true", "events=false"],
      ["plan graphs/ego.yaml --param = events = f", "false"],
      ["plan graphs/ego.yaml --profile small -p captioner=o", "captioner=objects"],
      ["show --kind s", "scene"],
      ["export --kind=e", "event"],
      ["search car --space wo", "words"],
      [`search car --store ${vectors} --space words,vi`, "words,video"],
      [`export --store ${vectors} --vectors vi`, "video"],
      ["help sh", "show"],
      ["run --log j", "json"],
      [`show --store ${store} ${id.slice(0, 3)}`, id],
      [`clip --pad 1 --store ${store} ${id.slice(0, 3)}`, id],
      ["run graphs/ego.yaml -p threshold="], ["run nothing.yaml --profile s"], ["search car --from 0"], ["search car --store nothing --space vi"],
      ["run graphs/eg"], ["run nothing.yaml --until s"], ["show --store nothing 1"], ["nothing x"], [""],
    ] as string[][]) {
      assert.deepEqual(await completionWords(line!.split(" ")), words, line);
    }
    // Through the program: a shell in the middle of a line sees no message, whatever is wrong.
    for (const [line, said] of [["run graphs/ego.yaml --until = scene", "scenes\nscene\n"], ["run nothing.yaml --until s", ""], ["show --store nothing 1", ""]] as const) {
      const { code, stdout, stderr } = await flow(["completion", "words", "--", ...line.split(" ")]);
      assert.deepEqual([code, stdout, stderr], [0, said, ""], line);
    }
  });

  test("bash asks for them, and leaves files to bash", { skip: spawnSync("bash", ["--version"]).status !== 0 && "no bash here" }, async () => {
    const { stdout: script } = await flow(["completion", "bash"]);
    const complete = (...words: string[]): string[] => {
      const shell = `flow() { '${process.execPath}' '${MAIN}' "$@"; }\n${script}\nCOMP_WORDS=(flow "$@"); COMP_CWORD=$#; _flow 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return spawnSync("bash", ["-c", shell, "bash", ...words], { cwd: ROOT, encoding: "utf8" }).stdout.split("\n").filter(Boolean);
    };
    assert.deepEqual(complete("ru"), ["run", "runs"]);
    assert.deepEqual(complete("models", "where", "--"), ["--json", "--help"]);
    assert.deepEqual(complete("run", "graphs/ego.yaml", "--from", "caption"), ["caption", "captionvec"]);
    assert.deepEqual(complete("run", "graphs/e"), []);
    assert.deepEqual(complete("run", "graphs/ego.yaml", "--profile", "sm"), ["small"]);
    assert.deepEqual(complete("run", "graphs/ego.yaml", "-p", "detector", "=", "ad"), ["adaptive"]);
    assert.deepEqual(complete("run", "graphs/ego.yaml", "-p", "events", "="), ["true", "false"]);
    assert.deepEqual(complete("run", "graphs/ego.yaml", "--until", "=", "scene"), ["scenes", "scene"]);
  });

  // Each shell is asked in its own way how these lines go on, with the script that `flow completion` prints for it.
  const LINES = [
    ["flow ru", "run", "runs"],
    ["flow models ver", "verify"],
    ["flow models where --", "--help", "--json"],
    ["flow help sh", "show"],
    ["flow run graphs/ego.yaml --until scene", "scene", "scenes"],
    ["flow run graphs/ego.yaml --only scenes,tex", "scenes,text"],
    ["flow run graphs/ego.yaml --profile sm", "small"],
    ["flow plan graphs/ego.yaml -p thr", "threshold="],
    ["flow plan graphs/ego.yaml -p detector=ad", "detector=adaptive"],
    ["flow show --kind sc", "scene"],
    ["flow search car --space wo", "words"],
    ["flow explain scene.c", "scene.cut"],
  ] as [string, ...string[]][];
  const bin = join(dir, "bin");
  before(() => {
    mkdirSync(bin);
    writeFileSync(join(bin, "flow"), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, { mode: 0o755 });
  });
  const shell = (name: string, args: string[]): string[] => {
    const { stdout, stderr } = spawnSync(name, args, { cwd: ROOT, encoding: "utf8", timeout: 120_000, env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}`, HOME: dir, XDG_DATA_HOME: dir } });
    assert.equal(stderr, "", args.at(-1));
    return stdout.split("\n").filter(Boolean);
  };
  const lacks = (name: string): string | false => spawnSync(name, ["--version"]).status !== 0 && `no ${name} here`;

  test("fish completes", { skip: lacks("fish") }, async () => {
    const script = join(dir, "flow.fish");
    writeFileSync(script, (await flow(["completion", "fish"])).stdout);
    for (const [line, ...words] of LINES) {
      const found = shell("fish", ["--no-config", "-c", `source ${script}; complete -C '${line}'`]).map((text) => text.split("\t")[0]!);
      // fish also offers what only contains the letters in their order.
      assert.deepEqual(found.filter((word) => word.startsWith(line.split(" ").at(-1)!)).sort(), words, line);
    }
    assert.deepEqual(shell("fish", ["--no-config", "-c", `source ${script}; complete -C 'flow run graphs/eg'`]), ["graphs/ego.yaml"]);
  });

  test("zsh completes", { skip: lacks("zsh") }, async () => {
    writeFileSync(join(bin, "_flow"), (await flow(["completion", "zsh"])).stdout);
    const driver = join(dir, "press-tab.zsh");
    writeFileSync(driver, PRESS_TAB);
    const lines = [...LINES, ["flow run graphs/eg", "ego.yaml"]] as typeof LINES;
    const offered = shell("zsh", ["-f", driver, bin, ...lines.map(([line]) => line)]).join("\n").split(/^--$/m);
    for (const [n, [line, ...words]] of lines.entries()) assert.deepEqual(offered[n]?.split("\n").filter(Boolean).sort(), words, line);
  });

  test("another shell: exit 2", async () => assert.equal((await flow(["completion", "tcsh"])).code, 2));
});
