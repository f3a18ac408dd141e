import { existsSync } from "node:fs";
import { join } from "node:path";
import { probe } from "../../src/media/index.js";
import type { MediumInfo } from "../../src/contracts/media.js";

/** Path of a given medium, or the reason to skip. */
export function mediaFile(path: string): { path: string; skip: false | string } {
  const dir = process.env["FLOW_MEDIA_DIR"];
  const full = dir ? join(dir, path) : "";
  return { path: full, skip: full && existsSync(full) ? false : `needs FLOW_MEDIA_DIR with ${path}` };
}

export async function openMedium(path: string): Promise<MediumInfo> {
  return { ...(await probe(path)), id: path, memoisable: true };
}
