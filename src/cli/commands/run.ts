import type { Command } from "commander";
import { act, define, names, storeFor, withGraph, withLog, withMocks, withStore, type GraphOptions, type LogOptions, type StoreOptions } from "../define.js";
import type { Selection } from "../execute.js";

interface Options extends GraphOptions, StoreOptions, LogOptions, Selection {
  strict?: boolean;
}

export function command(): Command {
  const run = define("run", {
    description: "A second run decodes and infers nothing. Ctrl-C drains and commits; the same command resumes. Exit 1 when items failed.",
    examples: [
      ["flow run graphs/ego.yaml talk.mp4", "index one video into ./.flow"],
      ["flow run graphs/ego.yaml videos/ -p fps=1", "a folder, one frame a second"],
      ["flow run graphs/ego.yaml a.mp4 --until scenes", "only the scenes and what they need"],
      ["flow run graphs/ego.yaml a.mp4 --force caption", "compute one node again"],
      ["flow run graphs/ego.yaml a.mp4 --profile full --mock-models", "the whole graph in seconds, without its models"],
      ["flow run graphs/ego.yaml a.mp4 --json > run.json", "the summary for a script"],
    ],
  })
    .argument("<graph>", "graph file, or the name of one that comes with flow (ego)")
    .argument("[input...]", "files, folders, globs, JSON lists or URLs (default: those of the graph)")
    .option("--only <nodes>", "only these nodes and what they need (a,b)", names)
    .option("--from <node>", "this node and everything after it")
    .option("--until <node>", "this node and what it needs")
    .option("--force <nodes>", "compute these nodes again, whatever is stored (a,b)", names)
    .option("--strict", "warnings and left-out models are errors");
  return act<Options>(withLog(withStore(withMocks(withGraph(run)))), async ([graph, inputs], options) => {
    // The engine is loaded when there is work, not for --help.
    const { execute } = await import("../execute.js");
    return execute(String(graph), (inputs ?? []) as string[], { ...options, store: storeFor(options) });
  });
}
