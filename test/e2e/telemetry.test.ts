// ONNX Runtime sends usage data unless it is told not to before it is loaded: nothing of ours may load it without that.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import type { RunDocument } from "../../src/cli/json.js";
import { MAIN, ROOT } from "../cli/spawn.js";

const dir = mkdtempSync(join(tmpdir(), "flow-telemetry-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const GRAPH = `flow: 1
name: pictures
params: { isolation: { type: enum, of: [thread, process], default: thread } }
runtime: { pools: { inference: { isolation: "\${params.isolation}" } } }
nodes:
  media:  { op: media.open, with: { uri: ${JSON.stringify(join(ROOT, "graphs/demo/clip.mp4"))} } }
  frames: { op: image.embed, in: { frames: { from: media.frames, fps: 0.1 } }, model: lite-image }
`;

/** The model cache, below the home. */
const OURS = join(".cache", "flow");

/** Runs node as a user's shell would, in a home of its own, and names what others than us left there and in its folder for temporary files. */
async function leftBy(name: string, args: string[]): Promise<string[]> {
  const home = join(dir, name);
  for (const folder of ["home", "tmp"]) mkdirSync(join(home, folder), { recursive: true });
  writeFileSync(join(home, "graph.yaml"), GRAPH);
  const env = { PATH: process.env["PATH"], HOME: join(home, "home"), TMPDIR: join(home, "tmp") };
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: home, env });
  if (args.includes("run")) assert.ok((JSON.parse(stdout) as RunDocument).inferences > 0, "a model ran");
  const files = (folder: string): string[] => readdirSync(join(home, folder), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return [...files("home"), ...files("tmp")].filter((file) => !file.startsWith(join(home, "home", OURS)));
}

describe("ONNX Runtime keeps and sends no usage data", () => {
  for (const isolation of ["thread", "process"]) {
    test(`of a run, isolation: ${isolation}`, async () => assert.deepEqual(await leftBy(isolation, [MAIN, "run", "graph.yaml", "-p", `isolation=${isolation}`, "--store", "store", "--json"]), []));
  }

  test("of a run through the SDK", async () => {
    const program = `import { runGraph } from ${JSON.stringify(join(ROOT, "dist/src/index.js"))}; const { inferences } = await runGraph("graph.yaml", { store: "store" }); if (inferences === 0) throw new Error("no model ran");`;
    assert.deepEqual(await leftBy("sdk", ["--input-type=module", "-e", program]), []);
  });

  test("of flow doctor and flow models add, which open it themselves", async () => {
    assert.deepEqual(await leftBy("doctor", [MAIN, "doctor", "--json"]), []);
    const add = ["models", "add", join(ROOT, "models/lite-image.onnx"), "--id", "copy", "--task", "custom", "--licence", "MIT", "--preprocess", "0..1", "--out", "manifests"];
    assert.deepEqual(await leftBy("add", [MAIN, ...add]), []);
  });
});
