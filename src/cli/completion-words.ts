/** What the scripts of `flow completion` cannot know: names that stand in a graph, a store or the catalogue. */
import type { Command, Option } from "commander";
import { commands, type CommandName } from "./commands/index.js";
import { SHELLS } from "./completion-script.js";

/** How the last of `words` (a command line behind `flow`) may go on. Empty: a file, or nothing that is known. */
export async function completionWords(words: readonly string[]): Promise<string[]> {
  try {
    const last = words.at(-1) ?? "";
    return (await candidates(words.slice(0, -1), last)).filter((word) => word.startsWith(last));
  } catch {
    // A shell in the middle of a line is no place for messages.
    return [];
  }
}

interface Line {
  name: string;
  /** Operands before the last word. */
  operands: string[];
  /** Values of options, by their long name. */
  given: Map<string, string>;
  /** The option whose value the last word is. */
  open: Option | undefined;
}

async function candidates(before: readonly string[], last: string): Promise<string[]> {
  const line = await read(before);
  const { name, operands, given, open } = line;
  const store = given.get("--store") ?? process.env["FLOW_STORE"] ?? "./.flow";
  switch (open?.long ?? `${name} ${operands.length}`) {
    case "--only":
    case "--force":
      return (await nodes(line)).map((node) => `${last.slice(0, last.lastIndexOf(",") + 1)}${node}`);
    case "--from":
    case "--until":
      return nodes(line);
    case "--param":
      return Object.keys((await plan(line))?.params ?? {}).map((param) => `${param}=`);
    case "--format":
      return [...(await import("../store/index.js")).EXPORT_FORMATS];
    case "--node":
      return fromStore(store, (opened) => [...opened.failures()].map(({ node }) => node));
    case "--in":
      return fromStore(store, (opened) => [...opened.mediaRows()].map(({ info }) => info.name));
    case "show 0":
    case "clip 0":
      return fromStore(store, (opened) => [...opened.records()].map(({ id }) => id.slice(0, 8)));
    case "explain 0":
      return [...(await import("../operators/index.js")).catalogue.keys()];
    case "completion 0":
      return [...SHELLS];
  }
  if (open) return open.argChoices ?? [];
  return /^models (show|pull|verify|where|rm|calibrate) /.test(`${name} `) ? [...(await (await import("./open-graph.js")).installedModels()).keys()] : [];
}

async function read([first = "", ...words]: readonly string[]): Promise<Line> {
  let command: Command = (await commands[first as CommandName].load()).command();
  let name = first;
  const below = command.commands.find((each) => each.name() === words[0]);
  if (below) {
    command = below;
    name = `${first} ${words.shift()!}`;
  }
  const line: Line = { name, operands: [], given: new Map(), open: undefined };
  for (const word of words) {
    // bash takes `--until=x` for three words.
    if (word === "=") continue;
    const [flag = "", ...value] = word.split("=");
    const option = command.options.find(({ long, short }) => long === flag || short === flag);
    if (line.open) {
      line.given.set(line.open.long ?? "", word);
      line.open = undefined;
    } else if (option?.required && value.length === 0) line.open = option;
    else if (option) line.given.set(option.long ?? "", value.join("="));
    else line.operands.push(word);
  }
  return line;
}

async function plan({ operands: [graph], given }: Line) {
  if (graph === undefined) return null;
  const { loadWithoutInput } = await import("./checked-graph.js");
  return (await loadWithoutInput(graph, { profile: given.get("--profile"), mock: true })).plan;
}

const nodes = async (line: Line): Promise<string[]> => ((await plan(line))?.nodes ?? []).map((node) => node.name);

async function fromStore(dir: string, use: (store: import("../store/index.js").Store) => string[]): Promise<string[]> {
  const { withStore } = await import("./open-store.js");
  return [...new Set(await withStore(dir, use))];
}
