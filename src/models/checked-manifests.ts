/** Manifests that come with flow, as the build has read and checked them. */
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { z } from "zod";
import type { manifestSchema } from "./manifest-schema.js";

/** Beside this file: digest of a manifest's text → JSON of what it says. Written by check-manifests.ts. */
export const CHECKED = new URL("./checked-manifests.json", import.meta.url);

/** What reads and checks. */
const CHECKERS = [new URL("./manifest.js", import.meta.url), new URL("./manifest-schema.js", import.meta.url)];

export const textDigest = (text: string): string => createHash("sha256").update(text).digest("hex");

let known: Record<string, string> | null = null;

/** What the manifest of this text says; undefined for another text than the build has seen, a changed manifest's for one. */
export function checkedManifest(text: string): z.infer<typeof manifestSchema> | undefined {
  const json = (known ??= read())[textDigest(text)];
  return json === undefined ? undefined : (JSON.parse(json) as z.infer<typeof manifestSchema>);
}

function read(): Record<string, string> {
  try {
    // Compiled anew by tsc alone: other code may say something else of them, and reads them as anybody's.
    const { mtimeMs } = statSync(CHECKED);
    if (CHECKERS.some((file) => statSync(file).mtimeMs > mtimeMs)) return {};
    return JSON.parse(readFileSync(CHECKED, "utf8")) as Record<string, string>;
  } catch {
    // Somebody's bundle, which has neither.
    return {};
  }
}
