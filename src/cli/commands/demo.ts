import { join, relative } from "node:path";
import type { Command } from "commander";
import type { FlowRecord } from "../../contracts/index.js";
import { toFlowError } from "../../contracts/errors.js";
import { storeOption } from "../command-line.js";
import { act, define, withLog, withStore as withStoreOption, type LogOptions, type StoreOptions } from "../define.js";
import { packageRoot } from "../environment.js";
import type { DemoDocument } from "../json.js";
import { Log } from "../log.js";
import { withStore } from "../open-store.js";
import { clock, colours, cut, elapsed, plural, print, printJson, table } from "../output.js";
import { allCached } from "../summary.js";
import { fieldText } from "../records.js";
import { checkAgainstTruth, checkAnswers, checkText, readTruth, type Truth } from "../truth.js";

const GRAPH = "graphs/ego.yaml";
const CLIP = "graphs/demo/clip.mp4";

export function command(): Command {
  const demo = define("demo", {
    description: "What `npm start` runs. The second time everything is cached.",
    examples: [
      ["flow demo", "into ./.flow"],
      ["flow demo --store /tmp/demo --json", "the run, the checks and the scenes as one document"],
    ],
  });
  return act<StoreOptions & LogOptions>(withLog(withStoreOption(demo)), async (_, options) => {
    const { exitCodeOf } = await import("../../engine/index.js");
    const { runGraphFile } = await import("../execute.js");
    const clip = near(join(packageRoot(), CLIP));
    const log = new Log(options.quiet ? "off" : options.log);
    if (!options.json && log.format === "text") print(`${colours.bold("flow run")} ${GRAPH} ${clip}  ${colours.dim(`→ ${options.store}`)}`);
    const { summary, plan } = await runGraphFile(GRAPH, [clip], options);
    if (summary.status === "interrupted") {
      if (options.json) printJson({ run: summary, checks: [], report: null } satisfies DemoDocument);
      log.event("resume", { command: `flow demo${storeOption(options.store)}` }, "interrupted: the same command goes on where it stopped");
      return exitCodeOf(summary);
    }
    const truth = readTruth(join(packageRoot(), "graphs/demo/truth.json"));
    const { scenes, checks } = await withStore(options.store, async (store) => {
      const medium = [...store.records({ kind: "media" })].find((record) => record.media === truth.sha256);
      const found = [...store.records({ kind: "scene", media: truth.sha256 })];
      return { scenes: found, checks: medium ? [...checkAgainstTruth(truth, found, medium), ...(await checkAnswers(truth, found, store))] : [] };
    });
    const report = await import("./report.js").then(({ writeReport }) => writeReport(options.store)).catch((thrown: unknown) => {
      log.event("no-report", { error: toFlowError(thrown).toJSON() }, `no report: ${(thrown as Error).message}`);
      return null;
    });
    log.event("demo", { checks, report }, null);
    if (options.json) printJson({ run: summary, checks, report } satisfies DemoDocument);
    else if (log.format === "text") {
      const cached = allCached(summary, plan);
      const speed = (truth.durationUs / 1000 / Math.max(1, summary.durationMs)).toFixed(1);
      const work = cached ? colours.green("cached 100 %, 0 frames decoded") : `${plural(summary.framesDecoded, "frame")} decoded, ${plural(summary.inferences, "row")} sent to models, ${speed}× real time`;
      print(`${summary.status} in ${elapsed(summary.durationMs)}: ${work}`);
      printFound(truth, scenes);
      const wrong = checks.some((check) => check.right < check.of);
      print(`checked against truth: ${wrong ? colours.yellow(checkText(checks)) : colours.green(checkText(checks))}`);
      print(report ? `report: ${colours.bold(report.path)} (open it in a browser)` : "report: flow report");
      printNext(options.store, truth, scenes);
    }
    return exitCodeOf(summary);
  });
}

function printFound(truth: Truth, scenes: readonly FlowRecord[]): void {
  print(`found ${plural(scenes.length, "scene")} in ${clock(truth.durationUs, 0)}:`);
  const shown = scenes.slice(0, 10);
  print(table(shown.map((scene) => [`${clock(scene.startUs)} – ${clock(scene.endUs)}`, cut([fieldText(scene.fields["transcript"]), fieldText(scene.fields["caption"])].filter(Boolean).join(" · "), 96)])));
  if (scenes.length > shown.length) print(colours.dim(`  … and ${scenes.length - shown.length} more`));
}

/** Three commands whose answers are known from the truth and were looked up in this store. */
function printNext(store: string, truth: Truth, scenes: readonly FlowRecord[]): void {
  const flow = process.env["npm_lifecycle_event"] ? "npx flow" : "flow";
  const at = storeOption(store);
  const spoken = (words: string): FlowRecord | undefined => scenes.find((scene) => fieldText(scene.fields["transcript"]).toLowerCase().includes(words));
  const rows: string[][] = [];
  const car = spoken("red car");
  const fish = spoken("orange fish");
  if (car) rows.push([`${flow} search "red car"${at}`, `the scene at ${clock(car.startUs, 0)}`]);
  if (fish) rows.push([`${flow} clip ${fish.id.slice(0, 8)} -o fish.mp4${at}`, `the reef at ${clock(fish.startUs, 0)} as a file`]);
  rows.push([`${flow} plan ${GRAPH} -p threshold=40${at}`, "what another cut threshold would recompute: no frame is decoded again"]);
  print("try:");
  print(table(rows.map(([line = "", what = ""]) => [colours.cyan(line), colours.dim(what)])));
}

const near = (path: string): string => {
  const text = relative(process.cwd(), path);
  return text.startsWith("..") ? path : text;
};
