import type { Command } from "commander";

export interface CommandEntry {
  summary: string;
  group: string;
  /** The command's module; nothing of it is loaded for `flow --help`. */
  load: () => Promise<{ command: () => Command }>;
}

const entry = (group: string, summary: string, load: CommandEntry["load"]): CommandEntry => ({ group, summary, load });

/** Every command, in the order of the help. */
export const commands = {
  run: entry("Run", "Run a graph over its inputs; only what is missing or stale is computed.", () => import("./run.js")),
  demo: entry("Run", "Index the bundled clip and check the result against its truth.", () => import("./demo.js")),
  errors: entry("Run", "List the items that failed, and why.", () => import("./errors.js")),
  retry: entry("Run", "Run a graph again for the items that failed.", () => import("./retry.js")),
  runs: entry("Run", "List the runs of a store.", () => import("./runs.js")),
  gc: entry("Run", "Remove from a store what no result needs any more, and shrink its file.", () => import("./gc.js")),

  lint: entry("Graph", "Check a graph: every problem with file, line, column and what helps.", () => import("./lint.js")),
  plan: entry("Graph", "Show what a run would do: per node new, stale, cached or failed, and why.", () => import("./plan.js")),
  graph: entry("Graph", "Print the graph as a Mermaid diagram.", () => import("./graph.js")),
  list: entry("Graph", "List operators and models.", () => import("./list.js")),
  explain: entry("Graph", "Describe one operator: ports, config, examples.", () => import("./explain.js")),

  show: entry("Answers", "Show the records of a store.", () => import("./show.js")),
  search: entry("Answers", "Find scenes by words, an image, a sound or a condition.", () => import("./search.js")),
  report: entry("Answers", "Write one self-contained HTML page about a store.", () => import("./report.js")),
  clip: entry("Answers", "Cut a record's interval out of its medium into a file.", () => import("./clip.js")),
  export: entry("Answers", "Write records and vectors as jsonl, npz, parquet, safetensors or webvtt.", () => import("./export.js")),
  diff: entry("Answers", "Compare two stores.", () => import("./diff.js")),

  models: entry("Models", "List, download, import, check and describe models.", () => import("./models.js")),

  doctor: entry("Help", "Check what this machine has: binaries, models, memory, the store.", () => import("./doctor.js")),
  completion: entry("Help", "Print a completion script for bash, zsh or fish.", () => import("./completion.js")),
} satisfies Record<string, CommandEntry>;

export type CommandName = keyof typeof commands;
