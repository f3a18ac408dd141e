// Ten media at once: how full the batches of their common nodes are. Short clips with ends at different times, all decoded side by side, one pool.
// Budget: >= 90 % of the rows that the calls could have held. node dist/bench/fill.bench.js [--media 10] [--seconds 30]. Prints JSON.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ffmpegPath } from "../src/media/index.js";
import { runGraph } from "../src/sdk.js";
import { CLIP } from "./inputs.js";
import { round } from "./child.js";

const { values } = parseArgs({ options: { media: { type: "string", default: "10" }, seconds: { type: "string", default: "30" } } });

const dir = mkdtempSync(join(tmpdir(), "flow-bench-fill-"));
try {
  const films = join(dir, "films");
  mkdirSync(films);
  for (let n = 0; n < Number(values.media); n++) {
    // A different start makes another content; a different length another end.
    execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", "-stream_loop", "-1", "-ss", String(n), "-i", CLIP, "-map", "0:V", "-map", "0:a", "-c", "copy", "-t", String(Number(values.seconds) + n), join(films, `${n}.mp4`)]);
  }
  const graph = join(dir, "graph.yaml");
  writeFileSync(
    graph,
    `flow: 1
name: fill
params: { input: { type: media, positional: true } }
runtime: { media_in_flight: ${values.media} }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  frames: { op: image.embed, in: { frames: { from: media.frames, fps: 2 } }, model: lite-image, batch: { size: 16 } }
  windows: { op: audio.embed, in: media.audio, model: lite-sound, batch: { size: 8 } }
  picture: { op: vectors.mean, over: media, in: { vectors: frames } }
  sound:  { op: vectors.mean, over: media, in: { vectors: windows } }
  medium: { op: join, by: media, in: { picture: picture, sound: sound } }
outputs: { media: { from: medium } }
`,
  );
  const { status, batches, durationMs } = await runGraph(graph, { store: join(dir, "store"), inputs: [films] });
  if (status !== "done") throw new Error(`the run ended ${status}`);
  const nodes = Object.fromEntries(Object.entries(batches).map(([name, { calls, items, size }]) => [name, { calls, items, size, fill: round(items / (calls * size)) }]));
  const fill = Math.min(...Object.values(nodes).map((node) => node.fill));
  console.log(JSON.stringify({ bench: "fill", ok: fill >= 0.9, media: Number(values.media), seconds: Number(values.seconds), fill, durationMs, nodes }));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
