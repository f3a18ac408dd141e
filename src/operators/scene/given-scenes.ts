import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { z } from "zod";
import { EXIT, FlowError } from "../../contracts/errors.js";
import type { Interval } from "../../contracts/items.js";
import type { MediumInfo } from "../../contracts/media.js";

const TIMECODE = /^(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)$/;
/** Seconds, or "hh:mm:ss.sss" / "mm:ss". */
const Time = z.union([z.number().nonnegative(), z.string().regex(TIMECODE)]).transform((time) => {
  if (typeof time === "number") return Math.round(time * 1e6);
  const [, h, m, s] = TIMECODE.exec(time)!;
  return Math.round((Number(h ?? 0) * 3600 + Number(m) * 60 + Number(s)) * 1e6);
});
const Scenes = z.array(z.object({ start: Time, end: Time }));
const File = z.union([
  Scenes,
  z.array(z.object({ path: z.string(), scenes: Scenes.optional() })),
  z.record(z.string(), Scenes),
]);

const names = (medium: MediumInfo, key: string): boolean => key === medium.name || key === medium.uri || basename(key) === basename(medium.uri);

const bad = (message: string, hint: string, cause?: unknown): FlowError => new FlowError("SCENES_FILE", message, { hint, exit: EXIT.badInput, cause });

/** What the file holds, whichever medium it is for. `raw`: parsed JSON. */
function scenesFile(raw: unknown, source: string): z.output<typeof File> {
  const parsed = File.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw bad(`${source} is not a list of scenes`, 'Write [{"start": 0, "end": 4.2}, …], {"NAME": [{…}]} or [{"path": …, "scenes": [{…}]}]; times in seconds or "hh:mm:ss.sss".');
}

/** Sorted, within the file's own times; refuses scenes that overlap or end before they start. `raw`: parsed JSON. */
export function givenScenes(raw: unknown, medium: MediumInfo, source: string): Interval[] {
  const content = scenesFile(raw, source);
  let list: z.output<typeof Scenes> | undefined;
  if (!Array.isArray(content)) list = Object.entries(content).find(([key]) => names(medium, key))?.[1];
  else if (content.length > 0 && "path" in content[0]!) list = (content as { path: string; scenes?: z.output<typeof Scenes> }[]).find(({ path }) => names(medium, path))?.scenes;
  else list = content as z.output<typeof Scenes>;
  if (!list) throw bad(`${source} holds no scenes for ${medium.name}`, "Add them under the medium's file name, or leave the medium out of the run.");
  const scenes = list.map(({ start, end }) => ({ startUs: start, endUs: end })).sort((a, b) => a.startUs - b.startUs);
  scenes.forEach((scene, i) => {
    if (scene.endUs <= scene.startUs) throw bad(`${source}: the scene at ${scene.startUs / 1e6} s ends before it starts`, "Give each scene an end after its start.");
    if (i > 0 && scenes[i - 1]!.endUs > scene.startUs) throw bad(`${source}: the scenes at ${scenes[i - 1]!.startUs / 1e6} s and ${scene.startUs / 1e6} s overlap`, "Let each scene end where the next one starts, or earlier.");
  });
  return scenes;
}

export const readGivenScenes = (path: string, medium: MediumInfo): Interval[] => givenScenes(readJson(path), medium, path);

/** Throws unless there is such a file and it holds scenes. */
export const checkScenesFile = (path: string): void => void scenesFile(readJson(path), path);

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw bad(missing ? `The scenes file ${path} does not exist` : `The scenes file ${path} cannot be read: ${(cause as Error).message}`, `Check the \`file\` of scene.cut: relative paths start at the working directory (looked for ${resolve(path)}).`, cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw bad(`${path} is not JSON: ${(cause as Error).message}`, 'Write [{"start": 0, "end": 4.2}, …]; `file` of scene.cut is a JSON file.', cause);
  }
}
