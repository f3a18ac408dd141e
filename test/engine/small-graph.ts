/** Small graphs over a small clip with operators that misbehave on demand. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Store, runGraph, type RunGraphOptions, type OperatorDefinition, type RunSummary } from "../../src/index.js";
import { testFlaky } from "./operators/test.flaky.js";
import { testGather } from "./operators/test.gather.js";
import { testNote } from "./operators/test.note.js";
import { smallClip } from "../clips.js";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
export const SMALL = smallClip();

export const HEAD = `flow: 1\nname: small\nparams: { input: { type: media, default: "${SMALL}", positional: true } }\n`;
export const SCENES = `nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores } }
`;
export const OUTPUT = `  scene: { op: join, by: scene, in: { note: note.text } }
outputs: { scene: { from: scene } }
`;

export class Workbench {
  private constructor(readonly dir: string) {}

  static async with<T>(work: (bench: Workbench) => Promise<T>): Promise<T> {
    const dir = await mkdtemp(join(tmpdir(), "flow-engine-"));
    await mkdir(join(dir, "marks"));
    try {
      return await work(new Workbench(dir));
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  get marks(): string {
    return join(this.dir, "marks");
  }

  get store(): string {
    return join(this.dir, "store");
  }

  async run(yaml: string, options: Partial<RunGraphOptions> = {}): Promise<RunSummary> {
    const file = join(this.dir, "graph.yaml");
    await writeFile(file, yaml);
    return await runGraph(file, { store: this.store, operators: [testFlaky, testNote, testGather] as OperatorDefinition[], ...options });
  }

  async read<T>(look: (store: Store) => T, dir = this.store): Promise<T> {
    await using store = await Store.open(dir, { readOnly: true });
    return look(store);
  }
}

/** Every item of every node is in exactly one column, and none is open. */
export function balanced(summary: RunSummary): void {
  for (const [node, c] of Object.entries(summary.nodes)) {
    assert.equal(c.in, c.done + c.cached + c.skipped + c.dropped + c.failed + c.inFlight, node);
    assert.equal(c.inFlight, 0, `${node} has items without an outcome`);
  }
}
