import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, extname, isAbsolute, join, resolve } from "node:path";
import { z } from "zod";
import { EXIT, FlowError } from "../contracts/errors.js";
import type { Interval } from "../contracts/items.js";
import { globFiles } from "./glob.js";
import { mediumName } from "./probe.js";
import { isUrl, localPath } from "./uri.js";

/** One input as given: two paths with the same bytes stay two (the engine merges them by content id). */
export interface InputItem {
  /** Absolute path or URL. */
  uri: string;
  name: string;
  scenes?: Interval[];
  narration?: string;
}

const EXTENSIONS = new Set(
  ("mp4 m4v mov mkv webm avi ts mts m2ts mpg mpeg wmv flv ogv 3gp y4m gif mxf vob " + "mp3 wav flac m4a aac ogg oga opus wma aiff aif " + "jpg jpeg png webp tif tiff avif heic").split(" "),
);

const GLOB = /[*?{}[\]]/;

// Scenes in seconds, as everywhere where a person writes a time.
const SCENE = z.object({ start: z.number().min(0), end: z.number().positive() }).refine((scene) => scene.end > scene.start, "end must lie after start");
const LIST = z.array(z.union([z.string().min(1), z.object({ path: z.string().min(1), name: z.string().optional(), scenes: z.array(SCENE).optional(), narration: z.string().optional() })]));

/**
 * Files, folders (recursive, known extensions), globs, JSON lists `[{path, name?, scenes?: [{start, end}], narration?}]` (seconds; paths relative to
 * the list; scenes of a medium that is listed several times are joined) and URLs as one ordered list: inputs in the order given, the content of folders and globs sorted by name. Throws INPUT_* naming the input.
 */
export async function expandInputs(inputs: readonly string[], baseDir: string = process.cwd()): Promise<InputItem[]> {
  const items: InputItem[] = [];
  for (const input of inputs) items.push(...(await expand(input, baseDir)));
  return items;
}

async function expand(input: string, baseDir: string): Promise<InputItem[]> {
  if (isUrl(input)) return [{ uri: input, name: mediumName(input) }];
  const path = resolve(baseDir, localPath(input));
  const info = await stat(path).catch(() => null);
  if (info?.isDirectory()) return folder(input, path);
  if (info !== null) return extname(path).toLowerCase() === ".json" ? list(input, path) : [{ uri: path, name: mediumName(path) }];
  if (GLOB.test(input)) return matches(input, baseDir);
  throw fail("INPUT_NOT_FOUND", input, "does not exist", `Check the path (looked for ${path}).`);
}

async function folder(input: string, path: string): Promise<InputItem[]> {
  const found: string[] = [];
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
    const file = join(entry.parentPath, entry.name);
    if ((entry.isFile() || entry.isSymbolicLink()) && isMedium(file)) found.push(file);
  }
  if (found.length === 0) throw fail("INPUT_EMPTY", input, "holds no video, sound or picture", "Name the files themselves if they have unusual extensions.");
  return sorted(found);
}

async function matches(input: string, baseDir: string): Promise<InputItem[]> {
  const found = await globFiles(resolve(baseDir, localPath(input)));
  if (found.length === 0) throw fail("INPUT_EMPTY", input, "matches no file", "Quote the pattern so that the shell leaves it alone, or name a folder.");
  return sorted(found);
}

async function list(input: string, path: string): Promise<InputItem[]> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw fail("INPUT_LIST_INVALID", input, `is not valid JSON (${cause instanceof Error ? cause.message : String(cause)})`, LIST_HINT);
  }
  const result = LIST.safeParse(parsed);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw fail("INPUT_LIST_INVALID", input, `is not a list of media: ${issue?.path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("") || "the file"}: ${issue?.message}`, LIST_HINT);
  }
  if (result.data.length === 0) throw fail("INPUT_EMPTY", input, "lists no media", LIST_HINT);
  const items: InputItem[] = [];
  for (const [n, given] of result.data.entries()) {
    const entry = typeof given === "string" ? { path: given } : given;
    const expanded = await expand(isUrl(entry.path) || isAbsolute(entry.path) ? entry.path : resolve(dirname(path), localPath(entry.path)), dirname(path)).catch((cause: unknown) => {
      if (cause instanceof FlowError) throw fail(cause.code, input, `entry ${n + 1}: ${cause.message}`, cause.hint);
      throw cause;
    });
    for (const item of expanded) {
      items.push({
        uri: item.uri,
        name: (expanded.length === 1 ? entry.name : undefined) ?? item.name,
        ...(entry.scenes ? { scenes: entry.scenes.map(({ start, end }) => ({ startUs: Math.round(start * 1e6), endUs: Math.round(end * 1e6) })) } : {}),
        ...(entry.narration === undefined ? {} : { narration: entry.narration }),
      });
    }
  }
  return items;
}

const LIST_HINT = 'A list looks like [{"path": "a.mp4", "name": "A", "scenes": [{"start": 0, "end": 4.5}]}].';

function isMedium(path: string): boolean {
  return EXTENSIONS.has(extname(path).slice(1).toLowerCase());
}

// By code unit, not by locale: the same order on every machine.
function sorted(paths: string[]): InputItem[] {
  return [...new Set(paths)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).map((uri) => ({ uri, name: mediumName(uri) }));
}

function fail(code: string, input: string, what: string, hint: string): FlowError {
  return new FlowError(code, `Input ${input} ${what.replace(/\.$/, "")}.`, { hint, item: input, exit: EXIT.badInput });
}
