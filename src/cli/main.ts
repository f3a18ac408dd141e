#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node
/** argv → one command. Only the named command's module is loaded; the exit code is set, never forced, so that handles can close. */
import { existsSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { EXIT, FlowError } from "../contracts/errors.js";
import { refuseTelemetry } from "../models/telemetry.js";
import { commands, type CommandEntry } from "./commands/index.js";
import { packageVersion } from "./environment.js";
import { badArguments, reportFailure } from "./failure.js";
import { shellWord } from "./output.js";

export async function main(argv: readonly string[]): Promise<void> {
  refuseTelemetry();
  const program = new Command("flow")
    .description("Long video into searchable, per-scene multimodal records: operator graphs in YAML, streamed, batched, resumable.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .addHelpText("after", ["", "Examples:", "  flow demo                              index the bundled clip, check it, write a report", "  flow run graphs/ego.yaml talk.mp4      index a video into ./.flow", '  flow search "red car"                  ask it', "  flow COMMAND --help                    options and examples of a command"].join("\n"));
  const asked = argv.filter((word) => !word.startsWith("-"));
  const wanted = asked[0] === "help" ? asked[1] : asked[0];
  const loaded: Command[] = [];
  for (const [name, entry] of Object.entries(commands) as [string, CommandEntry][]) {
    // The other commands stand in the help by name and summary only.
    const command = name === wanted ? (await entry.load()).command() : new Command(name).summary(entry.summary).description(entry.summary);
    loaded.push(command.helpGroup(`${entry.group}:`));
  }
  for (const command of [program, ...loaded, ...loaded.flatMap((each) => each.commands)]) {
    // Commander's own words go through reportFailure, so that --json holds for a mistyped option as well.
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  for (const command of loaded) program.addCommand(command);
  if (argv.length === 0) return program.outputHelp();
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === 0) return;
    const help = wanted !== undefined && wanted in commands ? `flow ${wanted} --help` : "flow --help";
    // `flow help WORD` of no command ends in commander's own general help.
    const said = thrown.code === "commander.help" && asked[0] === "help" && wanted !== undefined ? await unknownCommand(wanted) : thrown.message;
    const [message = "", ...more] = said.replace(/^error: /, "").split("\n");
    const error = badArguments(message, [...more.map((line) => line.replace(/^\(|\)$/g, "")), ...dashHint(message, argv), `See \`${help}\`.`].join(" "));
    process.exitCode = reportFailure(error, format(argv));
  }
}

async function unknownCommand(word: string): Promise<string> {
  const { nearestName } = await import("../graph/problems.js");
  const near = nearestName(word, Object.keys(commands));
  return `unknown command '${word}'${near === null ? "" : `\n(Did you mean ${near}?)`}`;
}

/** A file whose name begins with a dash is taken for an option, unless it stands behind `--`. */
function dashHint(message: string, argv: readonly string[]): string[] {
  const word = /^unknown option '(.+)'/.exec(message)?.[1];
  const typed = word === undefined ? undefined : argv.find((arg) => arg === word || arg.startsWith(`${word}=`));
  if (typed === undefined || argv.includes("--") || !(existsSync(typed) || /^-[^-].*\.\w{2,5}$/.test(typed))) return [];
  const line = ["flow", ...argv.filter((arg) => arg !== typed), "--", typed].map(shellWord).join(" ");
  return [`A file whose name begins with a dash goes behind --: \`${line}\`.`];
}

/** A full disk under `> file`. Said once, on stderr: stdout is what cannot be written. The work itself goes on to its end. */
function outputFailed(error: Error): void {
  process.stdout.removeAllListeners("error").on("error", () => undefined);
  const { log } = format(process.argv);
  const exit = reportFailure(new FlowError("OUTPUT_FAILED", `stdout cannot be written: ${error.message}`, { hint: "Free space, or send the output elsewhere; what is in the store stays.", exit: EXIT.environment }), { log });
  process.once("exit", () => (process.exitCode = exit));
}

/** How a failure is to be told, for command lines that could not be parsed. */
const format = (argv: readonly string[]): { json: boolean; log?: string } => ({ json: argv.includes("--json"), ...(argv.includes("--log=json") || (argv.includes("--log") && argv[argv.indexOf("--log") + 1] === "json") ? { log: "json" } : {}) });

// `flow show | head` closes our stdout: that is the reader's right, not an error, and does not change how the command ends.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") outputFailed(error);
});
// Nobody is left to be told; the work goes on.
process.stderr.on("error", () => undefined);
await main(process.argv.slice(2)).catch((thrown: unknown) => {
  process.exitCode = reportFailure(thrown, format(process.argv));
});
