import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { dirname, extname, isAbsolute, join, relative, resolve, sep } from "node:path";
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
  /** Keys of the list's entry that mean nothing here. */
  unread?: string[];
}

const EXTENSIONS = new Set(
  ("mp4 m4v mov mkv webm avi ts mts m2ts mpg mpeg wmv flv ogv 3gp y4m gif mxf vob " + "mp3 wav flac m4a aac ogg oga opus wma aiff aif " + "jpg jpeg png webp tif tiff avif heic").split(" "),
);

const GLOB = /[*?{}[\]]/;

// Scenes in seconds, as everywhere where a person writes a time. What zod would say is what was expected, in our words.
const [SECONDS, PATH] = ["seconds, a number of at least 0", "the path or address of a medium"];
const SCENE = z.object({ start: z.number(SECONDS).min(0, SECONDS), end: z.number(SECONDS).min(0, SECONDS) }, "an object with start and end in seconds").refine((scene) => scene.end > scene.start, "an end behind the start");
const ENTRY = z.object({ path: z.string(PATH).min(1, PATH), name: z.string("a string").optional(), scenes: z.array(SCENE, "a list of scenes").optional(), narration: z.string("a string").optional() }, "a path, or an object with one");
const LIST = z.array(z.preprocess((entry) => (typeof entry === "string" ? { path: entry } : entry), ENTRY.loose()), "a list, [ … ]");

/**
 * Files, folders (recursive, known extensions), globs, JSON lists `[{path, name?, scenes?: [{start, end}], narration?}]` (seconds; paths relative to
 * the list; scenes of a medium that is listed several times are joined) and URLs as one ordered list: inputs in the order given, the content of folders and globs sorted by name. Throws INPUT_* naming the input.
 */
export async function expandInputs(inputs: readonly string[], baseDir: string = process.cwd()): Promise<InputItem[]> {
  const items: InputItem[] = [];
  for (const input of inputs) items.push(...(await expand(input, baseDir)));
  return items;
}

/** `lists`: the lists on the way here, none of which may come again. */
async function expand(input: string, baseDir: string, lists: readonly string[] = []): Promise<InputItem[]> {
  if (isUrl(input)) return [{ uri: input, name: mediumName(input) }];
  const path = resolve(baseDir, localPath(input));
  const info = await stat(path).catch((cause: unknown) => {
    if (NOT_THERE.has(errnoOf(cause))) return null;
    throw unreadable(input, cause);
  });
  if (info?.isDirectory()) return folder(input, path);
  if (info?.isFile() === false) throw fail("INPUT_NOT_A_FILE", input, "is a pipe or a device", "A medium is read more than once: save it to a file first.");
  if (info !== null) return extname(path).toLowerCase() === ".json" ? list(input, path, lists) : [{ uri: path, name: mediumName(path) }];
  if (GLOB.test(input)) return matches(input, baseDir);
  throw fail("INPUT_NOT_FOUND", input, "does not exist", `Check the path (looked for ${path}).`);
}

async function folder(input: string, path: string): Promise<InputItem[]> {
  const found: string[] = [];
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch((cause: unknown) => {
    throw unreadable(input, cause);
  });
  for (const entry of entries) {
    const file = join(entry.parentPath, entry.name);
    if (!isMedium(file) || isHidden(relative(path, file))) continue;
    // A link to a folder is none of its files; one that leads nowhere is a medium that somebody misses.
    if (entry.isFile() || (entry.isSymbolicLink() && (await stat(file).catch(() => null))?.isFile() !== false)) found.push(file);
  }
  if (found.length === 0) throw fail("INPUT_EMPTY", input, "holds no video, sound or picture", "Name the files themselves if they have unusual extensions.");
  return sorted(found);
}

async function matches(input: string, baseDir: string): Promise<InputItem[]> {
  const found = await globFiles(resolve(baseDir, localPath(input)));
  if (found.length === 0) throw fail("INPUT_EMPTY", input, "matches no file", "Quote the pattern so that the shell leaves it alone, or name a folder.");
  return sorted(found);
}

async function list(input: string, path: string, lists: readonly string[]): Promise<InputItem[]> {
  const real = await realpath(path);
  if (lists.includes(real)) throw fail("INPUT_LIST_INVALID", input, "lists itself", LIST_HINT);
  let parsed: unknown;
  try {
    // Windows editors put a byte order mark before it.
    parsed = JSON.parse((await readFile(path, "utf8")).replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw fail("INPUT_LIST_INVALID", input, `is not valid JSON (${cause instanceof Error ? cause.message : String(cause)})`, LIST_HINT);
  }
  const result = LIST.safeParse(parsed);
  if (!result.success) throw fail("INPUT_LIST_INVALID", input, `is not a list of media: ${misfit(parsed, result.error.issues[0]!)}`, LIST_HINT);
  if (result.data.length === 0) throw fail("INPUT_EMPTY", input, "lists no media", LIST_HINT);
  const items: InputItem[] = [];
  for (const [n, entry] of result.data.entries()) {
    const unread = Object.keys(entry).filter((key) => !(key in ENTRY.shape));
    const named = isUrl(entry.path) || isAbsolute(entry.path) ? entry.path : resolve(dirname(path), localPath(entry.path));
    const expanded = await expand(named, dirname(path), [...lists, real]).catch((cause: unknown) => {
      if (cause instanceof FlowError) throw fail(cause.code, input, `entry ${n + 1}: ${cause.message}`, cause.hint);
      throw cause;
    });
    for (const item of expanded) {
      items.push({
        uri: item.uri,
        name: (expanded.length === 1 ? entry.name : undefined) ?? item.name,
        ...(entry.scenes ? { scenes: entry.scenes.map(({ start, end }) => ({ startUs: Math.round(start * 1e6), endUs: Math.round(end * 1e6) })) } : {}),
        ...(entry.narration === undefined ? {} : { narration: entry.narration }),
        ...(unread.length > 0 || item.unread ? { unread: [...new Set([...unread, ...(item.unread ?? [])])] } : {}),
      });
    }
  }
  return items;
}

/** `[0].name: found 5, expected a string`. */
function misfit(list: unknown, { path, message }: z.core.$ZodIssue): string {
  const place = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  const found = JSON.stringify(path.reduce((value: unknown, part) => (value as Record<PropertyKey, unknown> | undefined)?.[part], list)) ?? "nothing";
  return `${place === "" ? "" : `${place}: `}found ${found.length > FOUND_CHARACTERS ? `${found.slice(0, FOUND_CHARACTERS)}…` : found}, expected ${message}`;
}

const FOUND_CHARACTERS = 60;
const LIST_HINT = 'A list looks like [{"path": "a.mp4", "name": "A", "scenes": [{"start": 0, "end": 4.5}]}].';

/** Files of a dot folder, and those with a dot of their own (macOS leaves `._a.mp4` beside `a.mp4`): globs pass over them too. */
function isHidden(path: string): boolean {
  return path.split(sep).some((part) => part.startsWith("."));
}

function isMedium(path: string): boolean {
  return EXTENSIONS.has(extname(path).slice(1).toLowerCase());
}

// By code unit, not by locale: the same order on every machine.
function sorted(paths: string[]): InputItem[] {
  return [...new Set(paths)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).map((uri) => ({ uri, name: mediumName(uri) }));
}

/** What a pattern gives as well, which is no path. */
const NOT_THERE = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG"]);
const errnoOf = (cause: unknown): string => String((cause as NodeJS.ErrnoException).code);
const unreadable = (input: string, cause: unknown): FlowError => fail("INPUT_UNREADABLE", input, `cannot be read: ${(cause as Error).message}`, "Check its permissions, and those of the folders in it and above it.");

function fail(code: string, input: string, what: string, hint: string): FlowError {
  return new FlowError(code, `Input ${input} ${what.replace(/\.$/, "")}.`, { hint, item: input, exit: EXIT.badInput });
}
