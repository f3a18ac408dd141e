/** What a user finds by trying: the wrong file, the wrong folder, no terminal, a closed pipe. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, closeSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import sharp from "sharp";
import type { ClipDocument, DoctorDocument, ErrorDocument, ErrorsDocument, LintDocument, PlanDocument, RunDocument, ShowDocument } from "../../src/cli/json.js";
import type { Problem } from "../../src/contracts/index.js";
import { ffmpegPath } from "../../src/media/index.js";
import { Store } from "../../src/store/index.js";
import { smallClip } from "../clips.js";
import { flow, MAIN, ROOT } from "./spawn.js";
import { SMALL_GRAPH } from "./small-graph.js";

const dir = mkdtempSync(join(tmpdir(), "flow-odd-"));
after(() => rmSync(dir, { recursive: true }));
const at = ["--store", join(dir, "store")];
const graph = join(dir, "small.yaml");
writeFileSync(graph, SMALL_GRAPH);

async function failure(args: string[], code: number): Promise<ErrorDocument["error"]> {
  const ran = await flow([...args, ...at, "--json"]);
  assert.equal(ran.code, code, ran.stdout + ran.stderr);
  return (JSON.parse(ran.stdout) as ErrorDocument).error;
}

describe("on a store with a clip and a picture", () => {
  let scenes: ShowDocument["records"];
  before(async () => {
    await sharp({ create: { width: 64, height: 48, channels: 3, background: "red" } }).png().toFile(join(dir, "red.png"));
    const ran = await flow(["run", graph, smallClip(), join(dir, "red.png"), ...at]);
    assert.equal(ran.code, 0, ran.stderr);
    scenes = (JSON.parse((await flow(["show", "--kind", "scene", "--json", ...at])).stdout) as ShowDocument).records;
  });

  test("a clip of a picture is refused; so is a folder that is not there, with exit 3", async () => {
    const picture = scenes.find((scene) => scene.endUs - scene.startUs < 1000)!;
    const other = scenes.find((scene) => scene.media !== picture.media)!;
    const refused = await failure(["clip", picture.id, "-o", join(dir, "p.mp4")], 2);
    assert.deepEqual([refused.code, /picture/.test(refused.message)], ["CLIP_INVALID", true]);
    for (const args of [["clip", other.id], ["export", "--format", "jsonl"], ["report"]]) {
      const { code, message } = await failure([...args, "-o", join(dir, "nowhere", "c.mp4")], 3);
      assert.deepEqual([code, message], ["OUTPUT_UNWRITABLE", `${join(dir, "nowhere", "c.mp4")} cannot be written: there is no folder ${join(dir, "nowhere")}.`]);
    }
  });

  test("search proposes to cut the first hit that can be cut, and nothing when all are pictures", async () => {
    const pictures = new Set(scenes.filter((scene) => scene.endUs - scene.startUs < 1000).map(({ id }) => id.slice(0, 8)));
    const proposed = async (...args: string[]): Promise<string | undefined> => / next: flow clip (\w+) /.exec((await flow(["search", ...args, ...at])).stdout)?.[1];
    assert.equal(await proposed("--where", "duration < 1.0"), undefined);
    const cut = (await proposed("--where", "duration >= 0.0", "--top", "100"))!;
    assert.ok(scenes.some(({ id }) => id.startsWith(cut)) && !pictures.has(cut), cut);
  });

  test("a clip of a file that was moved: exit 2, which file, and the command that finds it again", async () => {
    const [before, behind, own] = [join(dir, "before.mp4"), join(dir, "behind.mp4"), ["--store", join(dir, "moved")]];
    copyFileSync(smallClip(), before);
    assert.equal((await flow(["run", graph, before, ...own])).code, 0);
    const id = scenes.find((scene) => scene.endUs - scene.startUs > 1000)!.id;
    renameSync(before, behind);
    const cut = (): ReturnType<typeof flow> => flow(["clip", id, "-o", join(dir, "moved.mp4"), "--json", ...own]);
    const lost = await cut();
    const { error } = JSON.parse(lost.stdout) as ErrorDocument;
    assert.deepEqual([lost.code, error.code], [2, "MEDIA_NOT_FOUND"]);
    assert.ok(error.message.startsWith(before) && error.message.includes("moved"), error.message);
    const command = /`flow (run [^`]+)`/.exec(error.hint)![1]!.split(" ").map((word) => (word === "NEW_PATH" ? behind : word));
    const again = await flow([...command, "--json"]);
    assert.deepEqual([again.code, (JSON.parse(again.stdout) as RunDocument).framesDecoded], [0, 0]);
    assert.equal((await cut()).code, 0);
  });

  test("errors of a node that no run had: exit 2 and the nearest; of one that failed nowhere: none", async () => {
    const { code, hint } = await failure(["errors", "--node", "scenez"], 2);
    assert.equal(code, "BAD_ARGUMENTS");
    assert.match(hint, /Did you mean scenes\?.*media, scores/);
    assert.equal((await flow(["errors", "--node", "scenes", ...at])).stdout, "no failed items\n");
  });

  test("an empty word is a bad argument, whatever it would stand for", async () => {
    const lines = [["clip", "", "-o", "c.mp4"], ["show", ""], ["show", "--in", ""], ["search", ""], ["search", "car", "--in", ""], ["export", "--format", "jsonl", "--in", ""], ["export", "--format", "jsonl", "-o", ""], ["report", "-o", ""], ["errors", "--node", ""]];
    for (const line of lines) assert.equal((await failure(line, 2)).code, "BAD_ARGUMENTS", line.join(" "));
    for (const line of [["diff", "", ""], ["diff", join(dir, "store"), ""], ["lint", ""], ["run", ""], ["explain", ""], ["models", "show", ""], ["show", "--store", ""]]) {
      const { code, stdout } = await flow([...line, "--json"]);
      assert.deepEqual([code, (JSON.parse(stdout) as ErrorDocument).error.code], [2, "BAD_ARGUMENTS"], line.join(" "));
    }
  });

  test("a clip comes from the path that still holds the medium", async () => {
    const [first, second, own] = [join(dir, "a.mp4"), join(dir, "b.mp4"), ["--store", join(dir, "twice")]];
    for (const path of [first, second]) copyFileSync(smallClip(), path);
    assert.equal((await flow(["run", graph, first, second, ...own])).code, 0);
    const { records } = JSON.parse((await flow(["show", "--json", ...own])).stdout) as ShowDocument;
    const { uri, uris } = records[0]!.fields as { uri: string; uris: string[] };
    assert.deepEqual([...uris].sort(), [first, second]);
    const cut = (): ReturnType<typeof flow> => flow(["clip", records[1]!.id, "-o", join(dir, "cut.mp4"), "--json", ...own]);
    writeFileSync(uri, "other bytes");
    const clip = await cut();
    assert.equal(clip.code, 0, clip.stdout);
    assert.notEqual((JSON.parse(clip.stdout) as ClipDocument).uri, uri);
    for (const path of uris) rmSync(path);
    assert.equal((JSON.parse((await cut()).stdout) as ErrorDocument).error.code, "MEDIA_NOT_FOUND");
  });

  test("a list of media alone counts no scenes", async () => {
    assert.match((await flow(["show", ...at])).stdout, /, 9 scenes\n/);
    assert.doesNotMatch((await flow(["show", "--kind", "media", ...at])).stdout, /scene/);
    assert.doesNotMatch((await flow(["show", "--limit", "3", ...at])).stdout, /\d scenes/);
  });

  test("a condition that is none, or compares what cannot be compared: exit 2", async () => {
    for (const where of ["duration", "1", '"night"', "kind > 5"]) assert.equal((await failure(["search", "--where", where], 2)).code, "BAD_WHERE", where);
    const none = await flow(["search", "--where", "duration > 7.5", "--in", "red.png", ...at]);
    assert.match(none.stdout, /is true of no record that the other filters let through/);
  });

  test("a condition that cannot be parsed is answered with conditions of records", async () => {
    const { code, hint } = await failure(["search", "--where", "duration >"], 2);
    assert.equal(code, "BAD_WHERE");
    const examples = hint.replace(/^Examples: /, "").replace(/\.$/, "").split(", ");
    assert.ok(examples.length > 2);
    for (const example of examples.filter((text) => /^(duration|media|start)/.test(text))) assert.equal((await flow(["search", "--where", example, ...at])).code, 0, example);
  });

  test("a reader that has enough closes the pipe: no error, no trace", async () => {
    const child = spawn(process.execPath, [MAIN, "show", "--json", ...at], { stdio: ["ignore", "pipe", "pipe"] });
    let noise = "";
    child.stderr.on("data", (text) => (noise += String(text)));
    child.stdout.once("data", () => child.stdout.destroy());
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.deepEqual([code, noise], [0, ""]);
  });

  test("a full disk under stdout is told in one place, with exit 3", { skip: !existsSync("/dev/full") && "no /dev/full here" }, async () => {
    const full = openSync("/dev/full", "w");
    try {
      for (const args of [["show", "--json"], ["show", "nobody", "--json"]]) {
        const child = spawn(process.execPath, [MAIN, ...args, ...at], { stdio: ["ignore", full, "pipe"] });
        let noise = "";
        child.stderr!.on("data", (text) => (noise += String(text)));
        const code = await new Promise((resolve) => child.once("close", resolve));
        assert.equal(code, 3);
        assert.match(noise, /^error OUTPUT_FAILED stdout cannot be written: ENOSPC.*\nhint: [^\n]+\n$/);
      }
    } finally {
      closeSync(full);
    }
  });

  test("a run whose messages nobody can read any more goes on to its end", { skip: !existsSync("/dev/full") && "no /dev/full here" }, async () => {
    const full = openSync("/dev/full", "w");
    try {
      const child = spawn(process.execPath, [MAIN, "run", graph, smallClip(), "--log", "json", ...at], { stdio: ["ignore", "pipe", full] });
      child.stdout!.resume();
      assert.equal(await new Promise((resolve) => child.once("close", resolve)), 0);
    } finally {
      closeSync(full);
    }
  });

  test("no colours without a terminal or with NO_COLOR", async () => {
    for (const env of [{}, { NO_COLOR: "1" }] as Record<string, string>[]) {
      for (const args of [["show"], ["search", "harbour"], ["plan", graph, "nowhere.mp4"], ["list"]]) {
        const { stdout, stderr } = await flow([...args, ...(args[0] === "list" ? [] : at)], { env });
        assert.doesNotMatch(stdout + stderr, /\u001b\[/);
      }
    }
  });
});

test("errors advises what can help: retry, another file, or --force", async () => {
  const folder = join(dir, "advised");
  const failed = { medium: "", startUs: 0, endUs: 0, error: { code: "X", message: "no", hint: "" }, atMs: 0 };
  const advice = async (): Promise<string[]> => (await flow(["errors", "--store", folder])).stdout.split("\n").filter((line) => line.startsWith("next:"));
  const put = async (...rows: { node: string; operator: string; uri: string; permanent: boolean }[]): Promise<void> => {
    await using store = await Store.open(folder, {});
    for (const row of rows) await store.putFailure({ ...failed, ...row });
  };
  await put({ node: "media", operator: "media.open", uri: "/text.mp4", permanent: true });
  assert.match((await advice()).join(), /^next: flow retry --store \S+ {2}once the file has been repaired or replaced[^,]*$/);
  await put({ node: "tags", operator: "image.tag", uri: "/b.mp4", permanent: true });
  const [file, forced, ...none] = await advice();
  assert.match(file!, /flow retry.*once the file/);
  assert.match(forced!, /^next: flow run GRAPH --store \S+ --force tags|^next: flow run GRAPH --force tags --store/);
  assert.deepEqual(none, []);
  await put({ node: "caption", operator: "caption.image", uri: "/c.mp4", permanent: false });
  const [both, , ...more] = await advice();
  assert.equal(both, `next: flow retry --store ${folder}  now, and again once the file has been repaired or replaced: the same bytes fail again`);
  assert.deepEqual(more, []);
});

test("what is no medium is permanent, and a run that has nothing else does not advise to retry", async () => {
  const [noise, own] = [join(dir, "noise.mp4"), ["--store", join(dir, "noise")]];
  writeFileSync(noise, "this is no video");
  const ran = await flow(["run", graph, noise, ...own]);
  assert.deepEqual([ran.code, /flow errors/.test(ran.stdout), /flow retry/.test(ran.stdout)], [1, true, false], ran.stdout);
  const { failures } = JSON.parse((await flow(["errors", "--json", ...own])).stdout) as ErrorsDocument;
  assert.deepEqual(failures.map(({ permanent }) => permanent), [true]);
});

test("what this machine lacks is the command's error, exit 3, and no medium's failure", async () => {
  const mine = ["--store", join(dir, "lacking")];
  for (const variable of ["FLOW_FFPROBE", "FLOW_FFMPEG"]) {
    const env = { [variable]: join(dir, "no-such-binary") };
    const ran = await flow(["run", graph, smallClip(), ...mine, "--json"], { env });
    assert.deepEqual([ran.code, (JSON.parse(ran.stdout) as ErrorDocument).error.code], [3, "FFMPEG_MISSING"]);
    assert.ok(!existsSync(mine[1]!), "nothing is left where nothing was done");
  }
  const planned = await flow(["plan", graph, smallClip(), ...mine, "--json"], { env: { FLOW_FFPROBE: join(dir, "no-such-binary") } });
  assert.deepEqual([planned.code, (JSON.parse(planned.stdout) as ErrorDocument).error.code], [3, "FFMPEG_MISSING"]);
  for (const variable of ["FLOW_FFPROBE", "FLOW_FFMPEG"]) {
    const env = { [variable]: "/bin/ls" };
    // A store of its own: in the other one the medium has been probed already.
    const ran = await flow(["run", graph, smallClip(), "--store", join(dir, variable), "--json"], { env });
    assert.deepEqual([ran.code, (JSON.parse(ran.stdout) as ErrorDocument).error.code], [3, "FFMPEG_UNFIT"]);
    const { ok, checks } = JSON.parse((await flow(["doctor", "--json", ...mine], { env })).stdout) as DoctorDocument;
    assert.deepEqual([ok, checks.filter((check) => !check.ok).map(({ name }) => name)], [false, [variable.slice("FLOW_".length).toLowerCase()]]);
  }
  assert.equal((await flow(["run", graph, smallClip(), ...mine])).code, 0);
});

test("another version of ffmpeg decodes anew; the earlier one's results are found again", async () => {
  const mine = ["--store", join(dir, "versions"), "--json"];
  const other = join(dir, "ffmpeg-99");
  writeFileSync(other, `#!/bin/sh\nif [ "$*" = -version ]; then echo "ffmpeg version 99 of this test"; exit; fi\nexec "${ffmpegPath()}" "$@"\n`, { mode: 0o755 });
  const run = async (env: Record<string, string>): Promise<RunDocument> => JSON.parse((await flow(["run", graph, smallClip(), ...mine], { env })).stdout) as RunDocument;
  const first = await run({});
  const second = await run({ FLOW_FFMPEG: other });
  assert.ok(first.framesDecoded > 0 && second.framesDecoded === first.framesDecoded);
  assert.deepEqual([(await run({ FLOW_FFMPEG: other })).framesDecoded, (await run({ FLOW_FFMPEG: ffmpegPath() })).framesDecoded, (await run({})).framesDecoded], [0, 0, 0]);
});

test("a graph whose input has no default can be linted and drawn; another value that is missing is a problem", async () => {
  const linted = await flow(["lint", graph]);
  assert.equal(linted.code, 0, linted.stdout);
  assert.match(linted.stdout, /flow plan \S+ INPUT/);
  assert.match((await flow(["graph", graph])).stdout, /^flowchart/);
  const needy = join(dir, "needy.yaml");
  writeFileSync(needy, readFileSync(graph, "utf8").replace("params:\n", "params:\n  fps: { type: number }\n"));
  const ran = await flow(["lint", needy, "--json"]);
  assert.equal(ran.code, 2);
  assert.ok((JSON.parse(ran.stdout) as LintDocument).problems.some(({ code, message }) => code === "PARAM_MISSING" && /fps/.test(message)));
  assert.equal((await flow(["graph", needy])).code, 2);
});

test("a graph without outputs says why there are no records", async () => {
  const silent = join(dir, "silent.yaml");
  writeFileSync(silent, readFileSync(graph, "utf8").replace(/^outputs:.*$/m, ""));
  const ran = JSON.parse((await flow(["run", silent, smallClip(), ...at, "--json"])).stdout) as RunDocument;
  assert.match(ran.notes.join(), /no record was written.*outputs:/);
});

test("a list says what is wrong with it, and what of it is not read", async () => {
  const list = join(dir, "list.json");
  writeFileSync(list, "[]");
  assert.equal((await failure(["run", graph, list], 2)).code, "INPUT_EMPTY");
  writeFileSync(list, '{"a":1}');
  const { message, hint } = await failure(["run", graph, list], 2);
  assert.ok(message.endsWith('is not a list of media: found {"a":1}, expected a list, [ … ].'), message);
  assert.match(hint, /\[\{"path": "a\.mp4"/);
  writeFileSync(list, JSON.stringify(["nowhere.mp4"]));
  assert.match((await failure(["run", graph, list], 2)).message, /exist\.$/);
  writeFileSync(list, JSON.stringify([{ path: smallClip(), narration: "a harbour" }]));
  const ran = JSON.parse((await flow(["run", graph, list, ...at, "--json"])).stdout) as RunDocument;
  assert.equal(ran.notes.length, 1);
  assert.match(ran.notes[0]!, /narration/);
});

test("no command, page or export shows the credentials of a URL, not even of one that cannot be opened", async () => {
  const clip = readFileSync(smallClip());
  const server = createServer((request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const head = { etag: '"1"', "accept-ranges": "bytes", "content-length": clip.length - from, "content-range": `bytes ${from}-${clip.length - 1}/${clip.length}` };
    response.writeHead(request.url?.startsWith("/clip") ? (request.headers.range ? 206 : 200) : 404, head).end(request.method === "HEAD" ? "" : clip.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const mine = ["--store", join(dir, "remote")];
  try {
    const base = `http://bob:pa55word@127.0.0.1:${(server.address() as AddressInfo).port}`;
    const inputs = [`${base}/clip.mp4?token=t0psecret`, `${base}/gone.mp4?token=t0psecret`];
    const page = join(dir, "page.html");
    for (const args of [["plan", graph, ...inputs], ["run", graph, ...inputs, "--log", "json"], ["run", graph, ...inputs, "--json"], ["show"], ["show", "--json"], ["errors"], ["errors", "--json"], ["runs", "--json"], ["retry"], ["export", "--format", "jsonl", "-o", join(dir, "x.jsonl")], ["report", "-o", page]]) {
      const { code, stdout, stderr } = await flow([...args, ...mine]);
      assert.ok(code === 0 || code === 1, stderr);
      assert.doesNotMatch(stdout + stderr, /pa55word|t0psecret/, args.join(" "));
    }
    assert.match(readFileSync(page, "utf8"), /\*\*\*@127/);
    for (const file of [page, join(dir, "x.jsonl")]) assert.doesNotMatch(readFileSync(file, "utf8"), /pa55word|t0psecret/);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test("a run that is refused leaves no store", async () => {
  const nowhere = join(dir, "refused", "store");
  for (const args of [["nowhere.mp4"], [smallClip(), "--force", "speach"]]) {
    assert.equal((await flow(["run", graph, ...args, "--store", nowhere])).code, 2);
    assert.ok(!existsSync(join(dir, "refused")), args.join(" "));
  }
});

test("a file of scenes that cannot be used refuses the run and its plan, and leaves what is stored as it is", async () => {
  const [store, file, none] = [join(dir, "scenes-file"), join(dir, "scenes.json"), join(dir, "no-scenes.json")];
  const own = join(dir, "own-scenes.yaml");
  const run = ["run", own, smallClip(), "--store", store];
  const refusal = async (command: string): Promise<ErrorDocument["error"]> => {
    const ran = await flow([command, ...run.slice(1), "--json"]);
    assert.equal(ran.code, 2, ran.stdout + ran.stderr);
    return (JSON.parse(ran.stdout) as ErrorDocument).error;
  };
  const write = (name: string): void => writeFileSync(own, readFileSync(graph, "utf8").replace("in: { scores: scores } }", `in: { scores: scores }, with: { detector: file, file: "${name}" } }`));
  write(none);
  assert.deepEqual([(await refusal("run")).code, existsSync(store)], ["SCENES_FILE", false]);
  write(file);
  writeFileSync(file, '[{"start": 0, "end": 5}]');
  assert.equal((await flow([...run, "--quiet"])).code, 0);
  for (const [text, wrong] of [["[[0, 5]]", /is not a list of scenes/], ["{", /is not JSON/]] as const) {
    writeFileSync(file, text);
    for (const command of ["run", "plan"]) {
      const refused = await refusal(command);
      assert.deepEqual([refused.code, refused.node, wrong.test(refused.message)], ["SCENES_FILE", "scenes", true], refused.message);
    }
  }
  const { records } = JSON.parse((await flow(["show", "--kind", "media", "--store", store, "--json"])).stdout) as ShowDocument;
  assert.deepEqual([records[0]?.fields["complete"], (await flow(["errors", "--store", store])).stdout], [true, "no failed items\n"]);
});

test("folders and stores that we may not read are told as that, by whoever comes upon them", async (t) => {
  const other = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const closed = join(dir, "closed");
  mkdirSync(closed);
  chmodSync(dir, 0o755);
  chmodSync(closed, 0o000);
  t.after(() => chmodSync(closed, 0o755));
  const run = (args: string[]): [number | null, string] => {
    const ran = spawnSync(process.execPath, [MAIN, ...args, "--json"], { ...other, cwd: dir, encoding: "utf8", env: { ...process.env, HOME: dir } });
    assert.ok(ran.stdout, ran.stderr);
    return [ran.status, (JSON.parse(ran.stdout) as ErrorDocument).error.code];
  };
  const clip = smallClip();
  assert.deepEqual(run(["plan", graph, "closed", "--store", "none"]), [2, "INPUT_UNREADABLE"]);
  assert.deepEqual(run(["plan", graph, "closed/a.mp4", "--store", "none"]), [2, "INPUT_UNREADABLE"]);
  for (const args of [["show"], ["plan", graph, clip], ["run", graph, clip]]) assert.deepEqual(run([...args, "--store", "closed"]), [3, "STORE_UNREADABLE"], args[0]);
});

test("a node that an option names and the graph, or the run, does not have is one problem, with the nearest name", async () => {
  const problem = async (...options: string[]): Promise<Problem> => {
    const ran = await flow(["run", graph, smallClip(), ...options, ...at, "--json"]);
    const { error, problems } = JSON.parse(ran.stdout) as ErrorDocument;
    assert.deepEqual([ran.code, error.code, problems?.length], [2, "BAD_GRAPH", 1], ran.stdout);
    return problems![0]!;
  };
  for (const option of ["--only", "--from", "--until", "--force"]) {
    const { code, nearest } = await problem(option, "speach");
    assert.deepEqual([code, nearest], ["UNKNOWN_NODE", "speech"], option);
  }
  const { code, found, expected } = await problem("--until", "scenes", "--force", "speech");
  assert.deepEqual([code, found, expected], ["UNKNOWN_NODE", "speech", "media, scores, scenes"]);
});

test("flow plan says what cannot be opened, whether there is a store or not", async () => {
  writeFileSync(join(dir, "empty.mp4"), "");
  writeFileSync(join(dir, "letter.mp4"), "Dear reader");
  await flow(["run", graph, smallClip(), "--store", join(dir, "planned")]);
  for (const store of ["planned", "none yet"]) {
    const { stdout } = await flow(["plan", graph, join(dir, "empty.mp4"), join(dir, "letter.mp4"), "--store", join(dir, store), "--json"]);
    assert.deepEqual((JSON.parse(stdout) as PlanDocument).media.map(({ state, nodes }) => [state, nodes]), [["unreadable", []], ["unreadable", []]]);
  }
  const { stdout } = await flow(["plan", graph, join(dir, "empty.mp4"), "--store", join(dir, "planned")]);
  assert.match(stdout, /empty\.mp4: unreadable \(.*is empty/);
});

test("an input that is not there is named once", async () => {
  const { stderr } = await flow(["run", graph, "nowhere.mp4", ...at]);
  assert.equal(stderr.split("\n")[0]!.split("nowhere.mp4").length, 2, stderr);
});

test("flow doctor: a model that nobody installed is a note, one that is damaged and a built-in one that is gone are not", async () => {
  const models = join(dir, "models");
  mkdirSync(models);
  const manifest = readFileSync(join(ROOT, "models/lite-text.yaml"), "utf8");
  const doctor = async (): Promise<DoctorDocument> => JSON.parse((await flow(["doctor", "--json", ...at], { env: { FLOW_MODELS_DIR: models } })).stdout) as DoctorDocument;
  writeFileSync(join(models, "another.yaml"), manifest.replace("id: lite-text", "id: another").replaceAll("lite-text.onnx", "another.onnx"));
  const noted = await doctor();
  assert.match(noted.checks.find(({ name }) => name === "more models")!.value, /another/);
  assert.ok(noted.checks.every(({ name, ok }) => ok || !name.startsWith("model")), JSON.stringify(noted.checks));
  writeFileSync(join(models, "another.onnx"), Buffer.alloc(Number(/size: (\d+)/.exec(manifest)![1])));
  assert.equal((await doctor()).checks.find(({ name }) => name === "model another")?.ok, false);
  writeFileSync(join(models, "lite-text.yaml"), manifest.replaceAll("lite-text.onnx", "gone.onnx"));
  const broken = await doctor();
  assert.deepEqual([broken.ok, broken.checks.find(({ name }) => name === "model lite-text")?.ok], [false, false]);
});

test("a mistake on the command line is not blamed on the graph; help of no command names the nearest", async () => {
  const wrong = await failure(["run", graph, smallClip(), "--until", "scens"], 2);
  assert.deepEqual([wrong.code, /command line/.test(wrong.hint), /flow lint/.test(wrong.hint)], ["BAD_GRAPH", true, false]);
  const empty = await failure(["run", graph, "", ...at], 2);
  assert.match(empty.hint, /command line/);
  const twice = await flow(["plan", graph, smallClip(), "-p", "input=other.mp4", "--json"]);
  const { error, problems } = JSON.parse(twice.stdout) as ErrorDocument;
  assert.deepEqual([twice.code, /command line/.test(error.hint), problems?.map(({ code }) => code)], [2, true, ["PARAM_TWICE"]]);
  const nowhere = await flow(["show", "--store", "", "--json"]);
  assert.match((JSON.parse(nowhere.stdout) as ErrorDocument).error.message, /--store.*Expected a folder/);
  const lost = await flow(["help", "shwo"]);
  assert.deepEqual([lost.code, lost.stdout], [2, ""]);
  assert.match(lost.stderr, /unknown command 'shwo'\nhint: Did you mean show\?/);
});
