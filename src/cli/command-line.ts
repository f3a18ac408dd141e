import { resolve } from "node:path";
import { shellWord } from "./output.js";

/** What of a command line decides what a run does. */
export interface Repeatable {
  param?: Record<string, string>;
  profile?: string;
  only?: string[];
  from?: string;
  until?: string;
  mockModels?: true | string[];
}

/** Arguments of `flow run` that repeat a run in its store; --force is not among them: what it dropped is dropped. */
export function repeatArguments(graph: string, inputs: readonly string[], options: Repeatable): string[] {
  const words = [graph, ...inputs];
  if (options.only) words.push("--only", options.only.join(","));
  if (options.from) words.push("--from", options.from);
  if (options.until) words.push("--until", options.until);
  for (const [name, value] of Object.entries(options.param ?? {})) words.push("-p", `${name}=${value}`);
  if (options.profile) words.push("--profile", options.profile);
  if (options.mockModels !== undefined) words.push(options.mockModels === true ? "--mock-models" : `--mock-models=${options.mockModels.join(",")}`);
  return words;
}

/** The command that runs this, or goes on with it. */
export const runCommand = (graph: string, inputs: readonly string[], options: Repeatable & { store: string }): string => ["flow", "run", ...repeatArguments(undashed(graph), inputs.map(undashed), options), ...storeWords(options.store)].map((word) => shellWord(word)).join(" ");

/** The command that repeats a logged run, with more options: inputs are absolute paths or addresses, so that the first word with a dash begins the options. `inputs`: others than it had. */
export function repeatCommand(args: readonly string[], store: string, { inputs, more = [] }: { inputs?: readonly string[]; more?: readonly string[] } = {}): string {
  const [graph = "GRAPH", ...rest] = args;
  const at = rest.findIndex((word) => word.startsWith("-"));
  const [own, options] = at < 0 ? [rest, []] : [rest.slice(0, at), rest.slice(at)];
  return ["flow", "run", graph, ...(inputs ?? own), ...options, ...more, ...storeWords(store)].map(shellWord).join(" ");
}

/** A file whose name begins with a dash, so that it is not read as an option. */
const undashed = (file: string): string => (file.startsWith("-") ? `./${file}` : file);

const storeWords = (store: string): string[] => (store === "./.flow" && !process.env["FLOW_STORE"] ? [] : ["--store", store]);

/** ` --store DIR` for a suggested command; nothing for the default store. */
export const storeOption = (store: string): string => storeWords(store).map((word) => ` ${shellWord(word)}`).join("");

/** Runs are logged with paths that hold from any folder. */
export const absolute = (input: string): string => (/^[a-z][a-z0-9+.-]+:\/\//i.test(input) ? input : resolve(input));
