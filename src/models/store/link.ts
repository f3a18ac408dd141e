import { linkSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { dirname } from "node:path";
import { infoOf } from "./folders.js";

/**
 * Makes `to` stand for the file `from`; what stood there before is replaced. hard: both are in the cache (a loader that resolves symbolic links
 * would look for a model's external weights among the bytes by hash), symbolic where the file system has no hard links, or for a file used in place.
 * false: the folder cannot be written.
 */
export function linkInto(from: string, to: string, how: "hard" | "symbolic"): boolean {
  if (from === to || stands(from, to)) return true;
  try {
    mkdirSync(dirname(to), { recursive: true });
    rmSync(to, { force: true });
    if (how === "hard") {
      try {
        linkSync(from, to);
        return true;
      } catch {
        // Another device, or a file system without hard links.
      }
    }
    symlinkSync(from, to);
    return true;
  } catch {
    // Another process may have made it in the meantime.
    return stands(from, to);
  }
}

function stands(from: string, to: string): boolean {
  try {
    if (readlinkSync(to) === from) return true;
  } catch {
    // Not a symbolic link.
  }
  const [a, b] = [infoOf(from), infoOf(to)];
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}
