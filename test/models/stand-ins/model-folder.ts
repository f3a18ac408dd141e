/** A model that a test builds: a temporary folder with its files and the manifest that names them with size and hash. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { stringify } from "yaml";
import type { ModelManifest } from "../../../src/contracts/model.js";
import { manifestOf } from "../../../src/models/manifest.js";
import type { OnnxGraph } from "../../../models/build/onnx-writer.js";

export interface Built {
  dir: string;
  manifest: ModelManifest;
}

/** `files`: path → content; `more` fills the folder by itself. Everything in the folder is a file of the model. */
export function buildModel(id: string, fields: Record<string, unknown>, files: Record<string, OnnxGraph | Uint8Array | string | object>, more: (dir: string) => void = () => undefined): Built {
  const dir = mkdtempSync(join(tmpdir(), "flow-stand-in-"));
  after(() => rmSync(dir, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), bytesOf(content));
  }
  more(dir);
  const names = (readdirSync(dir, { recursive: true, withFileTypes: true }) as { name: string; parentPath: string; isDirectory(): boolean }[])
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    // The file that runs comes first, as in the manifests.
    .sort((a, b) => Number(b.endsWith(".onnx")) - Number(a.endsWith(".onnx")) || (a < b ? -1 : 1));
  const listed = names.map((path) => {
    const bytes = readFileSync(join(dir, path));
    return { path, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  const value = { id, summary: "A stand-in of a test.", licence: "MIT", limits: [], files: listed, ...fields };
  writeFileSync(join(dir, `${id}.yaml`), stringify(value));
  return { dir, manifest: manifestOf(value, join(dir, `${id}.yaml`)) };
}

function bytesOf(content: OnnxGraph | Uint8Array | string | object): Uint8Array | string {
  if (typeof content === "string" || content instanceof Uint8Array) return content;
  return "encode" in content ? (content as OnnxGraph).encode() : JSON.stringify(content);
}
