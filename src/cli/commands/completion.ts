import type { Command } from "commander";
import { completionScript, SHELLS, type CommandWords } from "../completion-script.js";
import { act, define } from "../define.js";
import { badArguments } from "../failure.js";
import { print } from "../output.js";
import { commands } from "./index.js";

export function command(): Command {
  const completion = define("completion", {
    examples: [
      ["flow completion bash > ~/.local/share/bash-completion/completions/flow", "bash"],
      ["flow completion zsh > ~/.zfunc/_flow", "zsh; ~/.zfunc must be in fpath"],
      ["flow completion fish > ~/.config/fish/completions/flow.fish", "fish"],
    ],
  })
    .argument("<shell>", SHELLS.join(", "))
    .argument("[line...]", "for the scripts themselves: `flow completion words -- LINE` prints how its last word may go on");
  return act(completion, async ([shell, line]) => {
    if (shell === "words") {
      const { completionWords } = await import("../completion-words.js");
      for (const word of await completionWords((line ?? []) as string[])) print(word);
      return;
    }
    const known = SHELLS.find((name) => name === shell);
    if (!known) throw badArguments(`No completion for ${String(shell)}.`, `Shells: ${SHELLS.join(", ")}.`);
    print(completionScript(known, await describe()));
  });
}

async function describe(): Promise<CommandWords[]> {
  return Promise.all(
    Object.entries(commands).map(async ([name, entry]) => {
      const loaded = (await entry.load()).command();
      const subcommands = loaded.commands.map((sub) => ({ name: sub.name(), summary: sub.summary(), options: optionsOf(sub) }));
      return { name, summary: entry.summary, options: optionsOf(loaded), subcommands };
    }),
  );
}

const optionsOf = (command: Command): CommandWords["options"] =>
  command.options.map((option) => ({ long: option.long ?? option.flags, ...(option.short ? { short: option.short } : {}), summary: option.description, value: !option.required && !option.optional ? "none" : /<(file|dir|paths?)>$/.test(option.flags) ? "file" : "word" }));
