/** Manifests that come with flow, as the build has read and checked them. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { z } from "zod";
import type { manifestSchema } from "./manifest-schema.js";

/** Beside this file: digest of a manifest's text → JSON of what it says. Written by check-manifests.ts. */
export const CHECKED = new URL("./checked-manifests.json", import.meta.url);

export const textDigest = (text: string): string => createHash("sha256").update(text).digest("hex");

let known: Record<string, string> | null = null;

/** What the manifest of this text says; undefined for another text than the build has seen, a changed manifest's for one. */
export function checkedManifest(text: string): z.infer<typeof manifestSchema> | undefined {
  const json = (known ??= read())[textDigest(text)];
  return json === undefined ? undefined : (JSON.parse(json) as z.infer<typeof manifestSchema>);
}

function read(): Record<string, string> {
  try {
    return JSON.parse(readFileSync(CHECKED, "utf8")) as Record<string, string>;
  } catch {
    // Compiled by tsc alone: each manifest is read as anybody's.
    return {};
  }
}
