import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { flow, type Finished } from "./spawn.js";

/** What one thread loaded. */
export interface Loaded {
  files: string[];
  packages: Set<string>;
}

/** Runs the real program; what each of its threads loaded, as V8's coverage lists it. A bundled file stands for the packages that its source map names. */
export async function loadedBy(args: readonly string[]): Promise<Finished & { main: Loaded; workers: Loaded[] }> {
  const dir = mkdtempSync(join(tmpdir(), "flow-loaded-"));
  try {
    const finished = await flow(args, { env: { NODE_V8_COVERAGE: dir } });
    const threads = readdirSync(dir).map((name) => {
      const { result } = JSON.parse(readFileSync(join(dir, name), "utf8")) as { result: { url: string }[] };
      const files = result.flatMap(({ url }) => (url.startsWith("file:") ? fileURLToPath(url) : []));
      return { files, packages: packagesOf(files) };
    });
    const isMain = ({ files }: Loaded): boolean => files.some((file) => file.endsWith("/src/cli/main.js"));
    return { ...finished, main: threads.find(isMain)!, workers: threads.filter((thread) => !isMain(thread)) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function packagesOf(files: readonly string[]): Set<string> {
  const bundled = (file: string): string[] => (existsSync(`${file}.map`) ? (JSON.parse(readFileSync(`${file}.map`, "utf8")) as { sources: string[] }).sources : []);
  return new Set(files.flatMap((file) => [file, ...bundled(file)]).flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []));
}
