import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { EXIT, FlowError } from "../contracts/errors.js";
import { cacheFolder, givenFolders, layout } from "../models/store/folders.js";

let root: string | undefined;

/** Folder of this package: the first one upwards that holds its package.json. */
export function packageRoot(): string {
  if (root !== undefined) return root;
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!isPackage(dir)) {
    const up = dirname(dir);
    if (up === dir) throw new FlowError("NO_PACKAGE", "The folder of this program cannot be found: no package.json above it.", { hint: "Install it again: npm ci && npm run build.", exit: EXIT.environment });
    dir = up;
  }
  return (root = dir);
}

function isPackage(dir: string): boolean {
  try {
    return (JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as { name?: string }).name === "flow";
  } catch {
    return false;
  }
}

/** Folders with model manifests, later ones win: the package's own, those that `flow models add` wrote, then the folders of FLOW_MODELS_DIR that hold any. */
export function modelFolders(): string[] {
  const added = layout.manifests(cacheFolder());
  return [join(packageRoot(), "models"), ...(existsSync(added) ? [added] : []), ...givenFolders().filter(holdsManifests)];
}

/** A folder that cannot be read counts: that is reported. */
function holdsManifests(dir: string): boolean {
  try {
    return readdirSync(dir).some((name) => /\.ya?ml$/.test(name));
  } catch {
    return true;
  }
}

/** The graph file behind what was typed: a path, a graph of this package (`graphs/ego.yaml` from anywhere), or its bare name (`ego`). */
export function graphFile(typed: string): string {
  const inPackage = join(packageRoot(), "graphs");
  const candidates = [typed, join(packageRoot(), typed), join(inPackage, typed), join(inPackage, `${typed}.yaml`)];
  const found = candidates.find((path) => existsSync(path) && !isFolder(path));
  if (found !== undefined) return found;
  if (isFolder(typed)) {
    const inside = readdirSync(typed).filter((name) => /\.ya?ml$/.test(name)).sort();
    const some = inside.slice(0, 5).map((name) => join(typed, name)).join(", ");
    throw new FlowError("GRAPH_NOT_FOUND", `${typed} is a folder, and a graph is one YAML file.`, { hint: inside.length > 0 ? `Name one of its files: ${some}${inside.length > 5 ? ", …" : ""}.` : "No .yaml file lies in it.", exit: EXIT.badInput });
  }
  const known = readdirSync(inPackage).filter((name) => name.endsWith(".yaml")).map((name) => relative(process.cwd(), join(inPackage, name)));
  throw new FlowError("GRAPH_NOT_FOUND", `There is no graph file ${typed}.`, { hint: `Graphs that come with flow: ${known.join(", ")}.`, exit: EXIT.badInput });
}

function isFolder(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Version of this program. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { version: string }).version;
}
