// Last step of `npm run build`: dist/src/cli/main.js and what it imports become a few files, because reading 700 modules took half of a run that finds everything in its
// store (580 ms, bundled 350). Compiled by tsc alone it is the same program, file by file. The SDK, the workers and the tests import the files as tsc wrote them.
import { chmodSync, readFileSync, rmSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const main = `${root}dist/src/cli/main.js`;
const chunks = `${root}dist/src/chunks`;

/** Packages with native parts, and those that start files of their own. */
const EXTERNAL = ["@ffmpeg-installer/ffmpeg", "@ffprobe-installer/ffprobe", "@huggingface/transformers", "lmdb", "msgpackr-extract", "onnxruntime-node", "piscina", "sharp"];

/** rxjs gives Node CommonJS files; of its ES modules only what is imported is kept. */
const ES_MODULES = { rxjs: `${root}node_modules/rxjs/dist/esm/index.js` };

/** A module stays at home: what it says of its place (operators to workers, workers' files) is true of its own file in dist/src. Every bundled file lies two folders below dist. */
const places: Plugin = {
  name: "places",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/dist\/src\/.*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll("import.meta.url", () => `new URL(${JSON.stringify(`../${relative(`${root}dist/src`, path)}`)}, import.meta.url).href`),
    })),
};

/** Messages of zod are English: its other fifty languages stay out. */
const english: Plugin = {
  name: "english",
  setup: ({ onLoad }) => onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({ contents: 'export { default as en } from "./en.js";' })),
};

rmSync(chunks, { recursive: true, force: true });
await build({
  entryPoints: { "cli/main": main },
  outdir: `${root}dist/src`,
  allowOverwrite: true,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  mainFields: ["module", "main"],
  alias: ES_MODULES,
  external: EXTERNAL,
  plugins: [places, english],
  // CommonJS packages ask for Node's own modules by require().
  banner: { js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);' },
  sourcemap: true,
  sourcesContent: false,
  logLevel: "warning",
});
chmodSync(main, 0o755);
