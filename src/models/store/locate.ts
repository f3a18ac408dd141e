import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import type { ModelFile } from "../../contracts/index.js";
import type { Locate, LocatedModel } from "../manifest.js";
import { cacheFolder, givenFolders, infoOf, layout } from "./folders.js";
import { HashIndex } from "./hash-index.js";
import { linkInto } from "./link.js";
import { ModelsLock } from "./lock.js";

type Wanted = Omit<ModelFile, "at">;

export interface StoreOptions {
  /** Default: `cacheFolder()`. */
  cache?: string;
  /** Default: `givenFolders()`. */
  folders?: readonly string[];
  lock?: ModelsLock;
}

/**
 * Finds the files of a model: beside its manifest, in the cache, in the folders of FLOW_MODELS_DIR. In those a file of known hash is found
 * under any name (candidates by size, confirmed by SHA-256, hashed once); one without is found where a checkpoint of the hub lies
 * (ORG/NAME/PATH, NAME/PATH, ID/PATH, models--ORG--NAME/snapshots/…/PATH) and locked. Files from several places are brought together
 * as links in the model's folder of the cache. Folders are listed only when a file is looked for there. A locked file that is found nowhere while
 * another lies in its place is given as that one: whoever reads it tells a change from an absence.
 */
export function createLocate(options: StoreOptions = {}): Locate {
  const finder = new Finder(options);
  const models = new Map<string, ReadonlyMap<string, ReturnType<Locate>>>();
  return (id, file, origin, model) => {
    let found = models.get(origin);
    if (!found) models.set(origin, (found = finder.model(id, origin, model ?? { runtime: "onnx", files: [file] })));
    return found.get(file.path) ?? { at: join(dirname(origin), file.path) };
  };
}

class Finder {
  private readonly cache: string;
  private readonly folders: readonly string[];
  private readonly lock: ModelsLock;
  private readonly hashes: HashIndex;
  private bySize: Map<number, string[]> | null = null;

  constructor({ cache = cacheFolder(), folders = givenFolders(), lock = new ModelsLock(cache) }: StoreOptions) {
    this.cache = cache;
    this.folders = folders;
    this.lock = lock;
    this.hashes = new HashIndex(cache);
  }

  model(id: string, origin: string, { runtime, files }: LocatedModel): Map<string, ReturnType<Locate>> {
    const home = layout.model(this.cache, id);
    const known = files.map((file): Wanted => {
      const entry = file.sha256 === null ? this.lock.get(file, id) : null;
      return entry ? { ...file, sha256: entry.sha256, sizeBytes: entry.size, ...this.heldBy(file, id) } : file;
    });
    const found = known.map((file) => this.file(id, file, origin, home));
    // One folder that has them all is used as it is; else links make one.
    const bases = new Set(found.flatMap((path, i) => (path === null ? [] : [baseOf(path, known[i]!.path)])));
    const together = bases.size === 1 && !bases.has(null);
    return new Map(
      known.map((file, i) => {
        const path = found[i] ?? null;
        const located = path === null ? null : this.firstUse(id, file, path);
        const lock = located?.lock ?? file.lock;
        const facts = { sizeBytes: located?.sizeBytes ?? file.sizeBytes, sha256: located?.sha256 ?? file.sha256, ...(lock === undefined ? {} : { lock }) };
        if (path === null) return [file.path, { at: this.changed(id, file, origin) ?? join(file.source === null ? dirname(origin) : home, file.path), ...facts }];
        if (together) return [file.path, { at: path, ...facts }];
        const linked = linkInto(path, join(home, file.path), path.startsWith(this.cache + sep) ? "hard" : "symbolic");
        return [file.path, { at: linked || runtime === "transformers" ? join(home, file.path) : path, ...facts }];
      }),
    );
  }

  /** Where the file is, or null. */
  private file(id: string, file: Wanted, origin: string, home: string): string | null {
    const beside = join(dirname(origin), file.path);
    if (hasSize(beside, file.sizeBytes) && !this.isReplaced(beside, file.sha256)) return beside;
    const cached = this.inCache(file, join(home, file.path));
    if (cached !== null) return cached;
    return this.inFolders(id, file);
  }

  /** Only a locked file's place tells that another one there is a change: what only a manifest knows may never have been there. */
  private changed(id: string, file: Wanted, origin: string): string | null {
    if (file.lock === undefined) return null;
    const beside = join(dirname(origin), file.path);
    return hasSize(beside, null) ? beside : this.byLayout(id, file);
  }

  /** A damaged file beside its manifest is the user's and stays; once the cache has the right bytes (`pull`, `import`), those go before it. Read only where there is this choice. */
  private isReplaced(beside: string, sha256: string | null): boolean {
    return sha256 !== null && infoOf(layout.blob(this.cache, sha256))?.isFile() === true && this.hashOf(beside) !== sha256;
  }

  /**
   * The model's link if it stands for these bytes, else the bytes under their hash. A link that stands for others (a manifest of another revision made
   * it), or for what neither the manifest nor the lock file knows, is taken away: the model would pass for installed. One that was cut short stays, to be told.
   */
  private inCache({ sha256, sizeBytes }: Wanted, linked: string): string | null {
    const blob = sha256 === null ? null : layout.blob(this.cache, sha256);
    const [link, bytes] = [linked, blob].map((path) => (path === null ? undefined : infoOf(path)));
    if (link?.isFile() && sha256 !== null && (bytes?.ino === link.ino || this.hashOf(linked) === sha256)) return linked;
    if (link && !(sha256 !== null && sizeBytes !== null && link.size !== sizeBytes && !this.isWhole(linked))) unlink(linked);
    return bytes?.isFile() ? blob : null;
  }

  /** It lies in the cache under the hash of what it holds. */
  private isWhole(path: string): boolean {
    const sha256 = this.hashOf(path);
    const [here, bytes] = [infoOf(path), sha256 === null ? undefined : infoOf(layout.blob(this.cache, sha256))];
    return here !== undefined && here.ino === bytes?.ino && here.dev === bytes.dev;
  }

  private inFolders(id: string, file: Wanted): string | null {
    if (this.folders.length === 0) return null;
    if (file.sha256 === null || file.sizeBytes === null) return this.byLayout(id, file);
    const candidates = this.listed().get(file.sizeBytes) ?? [];
    const name = basename(file.path);
    // The file's own name first: a hash of gigabytes less, as a rule.
    const ordered = [...candidates].sort((a, b) => Number(basename(b) === name) - Number(basename(a) === name));
    return ordered.find((path) => this.hashOf(path) === file.sha256) ?? null;
  }

  /** A checkpoint of the hub without known hashes is recognised by its folder. */
  private byLayout(id: string, { path, source }: Wanted): string | null {
    for (const folder of this.folders) {
      const places = [join(folder, id, path)];
      if (source?.kind === "huggingface") {
        const { repo, revision } = source;
        const hub = join(folder, `models--${repo.replace("/", "--")}`, "snapshots");
        const snapshots = existsSync(hub) ? readdirSync(hub) : [];
        places.push(...[repo, join(repo, revision), basename(repo)].map((dir) => join(folder, dir, source.path)));
        places.push(...snapshots.filter((name) => snapshots.length === 1 || name === revision).map((name) => join(hub, name, source.path)));
      }
      const found = places.find((place) => hasSize(place, null));
      if (found !== undefined) return found;
    }
    return null;
  }

  /** A published file whose hash nobody states is locked as it is found the first time; one that is only local may change. */
  private firstUse(id: string, file: Wanted, path: string): { sizeBytes: number; sha256: string; lock?: string } | null {
    if (file.sha256 !== null && file.sizeBytes !== null) return null;
    const sha256 = this.hashOf(path);
    if (sha256 === null) return null;
    const entry = { commit: null, size: statSync(path).size, sha256: file.sha256 ?? sha256 };
    const facts = { sizeBytes: entry.size, sha256: entry.sha256 };
    if (file.sha256 !== null || file.source === null) return facts;
    try {
      this.lock.record(file, id, entry);
    } catch {
      // A cache that cannot be written keeps no lock; the run's own check has the hash all the same.
    }
    return { ...facts, ...this.heldBy(file, id) };
  }

  private heldBy(file: Wanted, id: string): { lock?: string } {
    const lock = this.lock.holder(file, id);
    return lock === null ? {} : { lock };
  }

  private hashOf(path: string): string | null {
    try {
      return this.hashes.sha256(path);
    } catch {
      return null;
    }
  }

  private listed(): Map<number, string[]> {
    return (this.bySize ??= filesBySize(this.folders));
  }
}

function unlink(path: string): void {
  try {
    rmSync(path);
  } catch {
    // A cache that is read-only keeps it; pre-flight refuses it by its hash.
  }
}

const SKIPPED = new Set([".git", "node_modules", ".cache"]);

/** Every file below the folders by its size; links to files are followed, links to folders are not (they may turn in a circle). */
export function filesBySize(folders: readonly string[]): Map<number, string[]> {
  const bySize = new Map<number, string[]>();
  const walk = (dir: string): void => {
    for (const entry of readdirQuietly(dir)) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) walk(path);
        continue;
      }
      const info = infoOf(path);
      if (!info?.isFile()) continue;
      const same = bySize.get(info.size);
      if (same) same.push(path);
      else bySize.set(info.size, [path]);
    }
  };
  for (const folder of folders) walk(folder);
  return bySize;
}

function readdirQuietly(dir: string) {
  try {
    return readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}

function hasSize(path: string, sizeBytes: number | null): boolean {
  const info = infoOf(path);
  return info?.isFile() === true && (sizeBytes === null || info.size === sizeBytes);
}

/** The folder in which `at` is `path`; null when it lies under another name. */
function baseOf(at: string, path: string): string | null {
  const end = sep + path.split("/").join(sep);
  return at.endsWith(end) ? at.slice(0, -end.length) : null;
}
