/** What the scripts of `flow completion` cannot know: names that stand in a graph, a store or the catalogue. */
import type { Command, Option } from "commander";
import { commands, type CommandName } from "./commands/index.js";
import { WORDS } from "./commands/search.js";
import { SHELLS } from "./completion-script.js";

/** How the last of `words` (a command line behind `flow`) may go on. Empty: a file, or nothing that is known. */
export async function completionWords(words: readonly string[]): Promise<string[]> {
  try {
    const { whole, hidden } = joined(words);
    const { before, last, cut } = apart(whole);
    return (await candidates(await read(before), last)).filter((word) => word.startsWith(last)).map((word) => word.slice(Math.max(0, hidden - cut)));
  } catch {
    // A shell in the middle of a line is no place for messages.
    return [];
  }
}

/** bash takes `-p fps=4` for four words, and completes the last: what of it stands in the words before is `hidden`. */
function joined(words: readonly string[]): { whole: string[]; hidden: number } {
  const whole: string[] = [];
  let [hidden, glue] = [0, false];
  for (const word of words) {
    const before = glue || (word === "=" && whole.length > 0) ? (whole.pop() ?? "") : null;
    hidden = before === null ? 0 : word === "=" ? before.length + 1 : before.length;
    whole.push((before ?? "") + word);
    glue = word === "=";
  }
  return { whole, hidden };
}

/** `--until=sc` is an option and the beginning of its value, in which `cut` characters do not count. */
function apart(whole: readonly string[]): { before: string[]; last: string; cut: number } {
  const [before, last] = [whole.slice(0, -1), whole.at(-1) ?? ""];
  const option = /^(--[^=]+)=/.exec(last)?.[1];
  return option === undefined ? { before, last, cut: 0 } : { before: [...before, option], last: last.slice(option.length + 1), cut: option.length + 1 };
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

async function candidates(line: Line, last: string): Promise<string[]> {
  const { name, operands, given, open } = line;
  const store = given.get("--store") ?? process.env["FLOW_STORE"] ?? "./.flow";
  const listed = (words: Iterable<string>): string[] => [...words].map((word) => `${last.slice(0, last.lastIndexOf(",") + 1)}${word}`);
  switch (open?.long ?? `${name} ${operands.length}`) {
    case "--only":
    case "--force":
      return listed(await nodes(line));
    case "--from":
    case "--until":
      // `flow search` has times under this name.
      return open?.flags.endsWith("<node>") ? nodes(line) : [];
    case "--param":
      return parameters(line, last);
    case "--profile":
      return (await words(line))?.profiles ?? [];
    case "--node":
      return fromStore(store, (opened) => [...opened.failures()].map(({ node }) => node));
    case "--in":
      return fromStore(store, (opened) => [...opened.mediaRows()].map(({ info }) => info.name));
    case "--space":
      return listed([WORDS, ...(await vectorNames(store).catch(() => []))]);
    case "--vectors":
      return listed(await vectorNames(store));
    case "show 0":
    case "clip 0":
      return fromStore(store, (opened) => [...opened.records()].map(({ id }) => id.slice(0, 8)));
    case "explain 0":
      return [...(await import("../operators/index.js")).catalogue.keys()];
    case "help 0":
      return Object.keys(commands);
    case "completion 0":
      return [...SHELLS];
  }
  if (open) return open.argChoices ?? [];
  return /^models (show|pull|verify|where|rm|calibrate) /.test(`${name} `) ? [...(await (await import("./open-graph.js")).installedModels()).keys()] : [];
}

async function read([first = "", ...words]: readonly string[]): Promise<Line> {
  if (first === "help") return { name: first, operands: words, given: new Map(), open: undefined };
  let command: Command = (await commands[first as CommandName].load()).command();
  let name = first;
  const below = command.commands.find((each) => each.name() === words[0]);
  if (below) {
    command = below;
    name = `${first} ${words.shift()!}`;
  }
  const line: Line = { name, operands: [], given: new Map(), open: undefined };
  for (const word of words) {
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

/** Names of parameters, then, behind the sign, the words that one takes. */
async function parameters(line: Line, last: string): Promise<string[]> {
  const params = (await words(line))?.params ?? {};
  const at = last.indexOf("=");
  const name = last.slice(0, at);
  return at < 0 ? Object.keys(params).map((param) => `${param}=`) : (params[name] ?? []).map((word) => `${name}=${word}`);
}

async function words({ operands: [graph], given }: Line) {
  if (graph === undefined) return null;
  const [{ graphWords }, { readGraph }] = await Promise.all([import("../graph/index.js"), import("./open-graph.js")]);
  return graphWords(await readGraph(graph), given.get("--profile"));
}

async function nodes({ operands: [graph], given }: Line): Promise<string[]> {
  if (graph === undefined) return [];
  const { loadWithoutInput } = await import("./checked-graph.js");
  const { plan } = await loadWithoutInput(graph, { profile: given.get("--profile"), mock: true });
  return (plan?.nodes ?? []).map((node) => node.name);
}

const vectorNames = (store: string): Promise<string[]> => fromStore(store, (opened) => [...opened.records()].flatMap(({ vectors }) => Object.keys(vectors)));

async function fromStore(dir: string, use: (store: import("../store/index.js").Store) => string[]): Promise<string[]> {
  const { withStore } = await import("./open-store.js");
  return [...new Set(await withStore(dir, use))];
}
