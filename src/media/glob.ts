import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Files that match an absolute pattern: `*`, `?`, `[…]` within a name, `**` for any folders, `{a,b}`. Unsorted. (fs.glob needs Node 22.) */
export async function globFiles(pattern: string): Promise<string[]> {
  const found = new Set<string>();
  for (const alternative of braces(pattern)) {
    const parts = alternative.split("/").filter((part) => part !== "");
    await walk("/", parts, found);
  }
  return [...found];
}

async function walk(dir: string, parts: string[], found: Set<string>): Promise<void> {
  const [part, ...rest] = parts;
  if (part === undefined) return;
  if (!/[*?[]/.test(part)) return enter(join(dir, part), rest, found);
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  if (part === "**") {
    await walk(dir, rest.length === 0 ? ["*"] : rest, found);
    for (const entry of entries) if (entry.isDirectory() && !entry.name.startsWith(".")) await walk(join(dir, entry.name), parts, found);
    return;
  }
  const expression = nameExpression(part);
  for (const entry of entries) {
    if (entry.name.startsWith(".") && !part.startsWith(".")) continue;
    // A name with brackets is found by itself, too.
    if (entry.name === part || expression.test(entry.name)) await enter(join(dir, entry.name), rest, found);
  }
}

async function enter(path: string, rest: string[], found: Set<string>): Promise<void> {
  if (rest.length > 0) return walk(path, rest, found);
  const info = await stat(path).catch(() => null);
  if (info?.isFile()) found.add(path);
}

function nameExpression(part: string): RegExp {
  const body = part.replace(/\[(!?)([^\]]+)\]|[*?]|[.+^${}()|[\]\\]/g, (token, not: string | undefined, set: string | undefined) => {
    if (set !== undefined) return `[${not ? "^" : ""}${set.replace(/[\\\]^]/g, "\\$&")}]`;
    return token === "*" ? ".*" : token === "?" ? "." : `\\${token}`;
  });
  return new RegExp(`^${body}$`, "s");
}

function braces(pattern: string): string[] {
  const match = /\{([^{}]*,[^{}]*)\}/.exec(pattern);
  if (!match) return [pattern];
  const before = pattern.slice(0, match.index);
  const after = pattern.slice(match.index + match[0].length);
  return (match[1] as string).split(",").flatMap((choice) => braces(before + choice + after));
}
