import { Command, InvalidArgumentError, Option } from "commander";
import { commands, type CommandName } from "./commands/index.js";
import { badArguments, reportFailure } from "./failure.js";

export interface Definition {
  /** What a user must know beyond the summary: cost, order, loss. */
  description?: string;
  /** Shown under "Examples:" by `--help`: the command line and what it does. */
  examples: readonly (readonly [line: string, what: string])[];
}

/** One command: name and summary from the table, its help ends with examples. */
export function define(name: CommandName, { description, examples }: Definition): Command {
  const command = new Command(name).summary(commands[name].summary).description([commands[name].summary, description].filter(Boolean).join("\n\n"));
  const width = Math.max(...examples.map(([line]) => line.length));
  command.addHelpText("after", ["", "Examples:", ...examples.map(([line, what]) => `  ${line.padEnd(width)}   ${what}`)].join("\n"));
  return command.helpOption("-h, --help", "show this help").showHelpAfterError(false);
}

/** Gives the command its work; what it throws is reported as `--json` or text, what it returns is the exit code. */
export function act<O>(command: Command, work: (args: (string | string[] | undefined)[], options: O) => Promise<number | void>): Command {
  return command.action(async (...received: unknown[]) => {
    const options = received.at(-2) as O & { json?: boolean; log?: string };
    try {
      nothingEmpty(command);
      process.exitCode = (await work(received.slice(0, -2) as string[], options)) ?? 0;
    } catch (thrown) {
      process.exitCode = reportFailure(thrown, options);
    }
  });
}

/**
 * An empty word is a variable that was not set: it names nothing, and as the beginning of a name or an id it would name everything. Words of a list are the
 * command's own matter. Throws BAD_ARGUMENTS.
 */
function nothingEmpty(command: Command): void {
  const operand = command.registeredArguments.find((argument, i) => !argument.variadic && command.args[i] === "");
  const option = command.options.find((each) => command.getOptionValue(each.attributeName()) === "");
  const what = operand ? `${operand.required ? `<${operand.name()}>` : `[${operand.name()}]`}` : option?.long;
  if (what !== undefined) throw badArguments(`${what} is empty.`, operand?.required ? "Give it a value." : "Give it a value, or leave it out.");
}

export interface JsonOptions {
  json?: boolean;
}
export interface StoreOptions extends JsonOptions {
  store: string;
}
export interface GraphOptions extends JsonOptions {
  param?: Record<string, string>;
  profile?: string;
}
export interface LogOptions {
  log: "text" | "json";
  quiet?: boolean;
}

export const withJson = (command: Command): Command =>
  command.options.some((option) => option.long === "--json") ? command : command.option("--json", "print one JSON document on stdout (shapes: src/cli/json.ts)");

export const withStore = (command: Command): Command => withJson(command.option("--store <dir>", "folder of the store", folder, process.env["FLOW_STORE"] || DEFAULT_STORE));

/** For commands that read records: those of a file that has been replaced since are left out, unless asked for. */
export const withSuperseded = (command: Command): Command => command.option("--superseded", "also results of files whose content has changed since, until `flow gc`");

export const withGraph = (command: Command): Command =>
  withJson(command)
    .option("-p, --param <name=value>", "value of a graph parameter (repeatable)", parameter)
    .option("--profile <name>", "apply a profile of the graph");

export interface MockOptions {
  /** True: all models. */
  mockModels?: true | string[];
}

const DEFAULT_STORE = "./.flow";

/** `--mock-models`, `--mock-models a,b`. */
export const withMocks = (command: Command): Command =>
  command.option("--mock-models [roles]", "stand-ins instead of models, all or these roles (a,b): any graph runs without weights, in a store of its own (./.flow-mock; one of real results is refused)", (text: string, before: true | string[] | undefined) => names(text, Array.isArray(before) ? before : []));

/** Where results go: those of stand-ins never beside real ones, unless the user says so. */
export const storeFor = ({ mockModels, store }: MockOptions & StoreOptions): string => (mockModels !== undefined && store === DEFAULT_STORE ? "./.flow-mock" : store);

export const withLog = (command: Command): Command =>
  command.addOption(new Option("--log <format>", "text: progress on stderr, summary on stdout; json: everything as JSON lines on stderr (shapes: src/cli/json.ts)").choices(["text", "json"]).default("text")).option("--quiet", "no progress and no summary: errors only");

/** An empty one is a variable that is not set, not the current folder. */
function folder(text: string): string {
  if (text === "") throw new InvalidArgumentError("Expected a folder.");
  return text;
}

function parameter(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected name=value, as in -p fps=1.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** `a,b` and repetition both add to the list. */
export function names(text: string, before: string[] = []): string[] {
  const found = text.split(",").map((name) => name.trim()).filter(Boolean);
  if (found.length === 0) throw new InvalidArgumentError("Expected names, as in a,b.");
  return [...before, ...found];
}

/** A whole number of at least `min`. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min) throw new InvalidArgumentError(`Expected a whole number ≥ ${min}.`);
    return value;
  };
}

/** A number of at least 0. */
export function quantity(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError("Expected a number ≥ 0.");
  return value;
}

const CLOCK = /^(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)$/;

/** Integer microseconds of "83.5", "1:23.5" or "1:02:03". */
export function timeUs(text: string): number {
  const match = CLOCK.exec(text.trim().replace(/s$/, ""));
  if (!match) throw new InvalidArgumentError("Expected a time like 83.5, 1:23.5 or 1:02:03.");
  return Math.round((Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3])) * 1_000_000);
}
