import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { layout } from "./folders.js";
import { readJson, replaceFile } from "./json-file.js";

interface Known {
  size: number;
  mtimeMs: number;
  sha256: string;
}

const CHUNK_BYTES = 4 << 20;

/** SHA-256 of files by path, size and time of change, kept in the cache so that no file is read twice. */
export class HashIndex {
  private readonly path: string;
  private known: Record<string, Known> | null = null;

  constructor(cache: string) {
    this.path = layout.hashes(cache);
  }

  /** Lower-case hex. Reads the file (blocking, about 1 GB/s) when it is new or has changed. Throws what `fs` throws. */
  sha256(path: string): string {
    const { size, mtimeMs } = statSync(path);
    const before = this.lookup(path, size, mtimeMs);
    if (before !== null) return before;
    const sha256 = hashNow(path);
    this.remember(path, { size, mtimeMs, sha256 });
    return sha256;
  }

  /** What is known without reading the file. */
  lookup(path: string, size: number, mtimeMs: number): string | null {
    const before = this.all()[path];
    return before && before.size === size && before.mtimeMs === mtimeMs ? before.sha256 : null;
  }

  /** Another process may have added its own since: its rows stay. */
  remember(path: string, known: Known): void {
    this.known = { ...readJson<Record<string, Known>>(this.path, {}), ...this.all(), [path]: known };
    try {
      replaceFile(this.path, `${JSON.stringify(this.known)}\n`);
    } catch {
      // A cache that cannot be written costs time, not correctness.
    }
  }

  private all(): Record<string, Known> {
    return (this.known ??= readJson(this.path, {}));
  }
}

function hashNow(path: string): string {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  const file = openSync(path, "r");
  try {
    for (let n = readSync(file, chunk); n > 0; n = readSync(file, chunk)) hash.update(chunk.subarray(0, n));
  } finally {
    closeSync(file);
  }
  return hash.digest("hex");
}
