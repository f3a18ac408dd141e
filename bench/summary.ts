/** What a bench result says against its budget, and the page that shows all of them. */
export interface CaseResult {
  name: string;
  command: string;
  date: string;
  seconds: number;
  quick: boolean;
  machine: { gpu?: string; cpu: string; cores: number; memoryGB: number; kernel: string; node: string; versions: Record<string, string> };
  load: { before: number[]; after: number[] };
  // The cases print what they like; the figures below say what counts.
  result: Record<string, any>;
}

export interface Figure {
  figure: string;
  value: string;
  budget: string;
  ok: boolean;
}

type Spread = { median: number; min: number; max: number };
const range = ({ median, min, max }: Spread): string => `${median} (${min}–${max})`;
const atLeast = (figure: string, value: number, budget: number, shown = String(value)): Figure => ({ figure, value: shown, budget: `≥ ${budget}`, ok: value >= budget });
const atMost = (figure: string, value: number, budget: number, shown = String(value)): Figure => ({ figure, value: shown, budget: `≤ ${budget}`, ok: value <= budget });
const told = (figure: string, value: string): Figure => ({ figure, value, budget: "–", ok: true });

const FIGURES: Record<string, (r: CaseResult["result"]) => Figure[]> = {
  "content-score": (r) => [atMost("content score, ms per 256×144 frame", r["result"].content.medianMs, 0.3), told("all default columns, ms per frame", String(r["result"].default.medianMs))],
  decode: (r) => [atLeast("decode + scene scores against the same ffmpeg into a discarding reader", r["ratio"].median, 0.9, `${r["ratio"].median} (of the fastest rounds ${r["ratio"].ofMinima})`)],
  whole: (r) => [
    atLeast("whole ego run (lite) against its floor, wall time", r["ratio"].median, 0.85, range(r["ratio"])),
    told("the same in CPU time: Σ stages alone / whole run", range(r["cpuRatio"])),
    told("against the harder floor (ffmpeg to null + models alone), wall time", range(r["hardRatio"])),
    told("speed, × real time", range(r["realTime"])),
    atMost("main-thread utilisation", r["mainUtilisation"].median, 0.1, range(r["mainUtilisation"])),
    ...(r["mainComputed"]?.median ? [told("of it computing, by the scheduler's account", range(r["mainComputed"]))] : []),
  ],
  inference: (r) => [atLeast("pool with a ViT-B/32-shaped model against an onnxruntime-only loop", r["ratio"], 0.95, `${r["ratio"]} (${Math.min(...r["ratios"])}–${Math.max(...r["ratios"])}; CPU time ${r["cpuRatio"]})`), atMost("dispatch (round trip of an empty call of 16 items) against a batch of 16", r["dispatchShare"], 0.01, `${r["dispatchShare"]} (${r["dispatchUs"].items16} µs of ${r["batchMs"]} ms; a call of 1 item ${r["dispatchUs"].items1} µs)`)],
  pipeline: (r) => [
    atLeast(`image embedding from a ${r["size"]} video against ffmpeg to JPEG + a transformers.js pipeline, times as fast`, r["ratio"].median, 3, `${range(r["ratio"])}; the model alone allows ${r["highestPossibleRatio"]}`),
    atLeast("the same run against the floor of its stages", r["ofFloor"].median, 0.85, `${range(r["ofFloor"])}, ${r["seconds"]} s of video`),
    told("the model alone / the whole of flow, wall time", String(r["ofModel"])),
  ],
  gpu: (r) =>
    r["batches"].map((one: Record<string, any>) =>
      atLeast(`pool with a ViT-B/32-shaped model on ${r["device"]} against an onnxruntime-only loop there, batches of ${one["batch"]}`, one["ratio"].median, 0.95, `${range(one["ratio"])}; ${one["engineItemsPerSecond"]} items/s, ${one["vramMB"] ?? "?"} MB of video memory, ${r["difference"].toExponential(1)} from the CPU`),
    ),
  "pipeline-gpu": (r) => [atLeast(`image embedding from a ${r["size"]} video, both on ${r["device"]}, times as fast as ffmpeg to JPEG + a transformers.js pipeline`, r["ratio"].median, 3, `${range(r["ratio"])}; ${r["seconds"]} s of video in ${r["flowMs"].median / 1000} s`)],
  fill: (r) => [atLeast(`${r["media"]} media at once: how full the batches are`, r["fill"], 0.9)],
  isolation: (r) => [
    atMost(`load, run, unload ${r["rounds"]} times with isolation: process: growth over the last half, MB`, r["growthMB"], 2, `${r["growthMB"]} (${r["lastMB"]} MB at the end, ${r["loadedMB"]} with the model)`),
    told(`the same ${r["threads"]?.rounds ?? 0} times with threads, MB`, `${r["threads"]?.firstMB ?? "–"} → ${r["threads"]?.lastMB ?? "–"}`),
  ],
  budget: (r) => [
    atMost("memory against a stated budget, worst of its limits", r["worst"], 1.1, `${r["worst"]} (${r["each"].map((one: { limitGB: number; peakMB: number; passes: number }) => `${one.limitGB} GB: ${one.peakMB} MB in ${one.passes} ${one.passes === 1 ? "pass" : "passes"}`).join(", ")})`),
  ],
  rerun: (r) => [
    atLeast(`rerun of ${r["long"].minutes} minutes, times faster than its first run of ${r["long"].firstS} s`, r["long"].faster, 50, `${r["long"].faster} (rerun ${range(r["long"].rerunMs)} ms)`),
    atLeast("first run of that input, s", r["long"].firstS, 60),
    atMost("rerun of the bundled clip, ms", r["short"].rerunMs.median, 600, range(r["short"].rerunMs)),
    { figure: "inferences and frames decoded in reruns", value: r["nothingDecodedOrInferred"] ? "0, 0" : "some", budget: "0, 0", ok: r["nothingDecodedOrInferred"] === true },
  ],
  memory: (r) => [
    atMost(`peak memory of ${r["long"].minutes} minutes against ${r["short"].minutes} minutes`, r["ratio"].peak, 1.1, `${r["ratio"].peak} (${r["long"].peakMB} / ${r["short"].peakMB} MB; medians after minute 2: ${r["ratio"].settled})`),
    atMost("slope after minute 2, MB per 10 minutes", r["slopeMBPer10Minutes"], 1),
    atMost("main-thread utilisation", r["mainUtilisation"], 0.1),
    ...(r["main"] ? [told("of it computing, by the scheduler's account", String(r["main"].computed))] : []),
  ],
  store: (r) => [atLeast("store: rows of 512 floats a second", r["rowsPerS"], 50_000), atMost("store: file against the vectors' bytes", r["sizeRatio"], 1.15)],
  kill: (r) => [{ figure: `stores that differ after ${r["kills"]} SIGKILLs (${Object.keys(r["media"]).join(", ")})`, value: `${r["mismatches"]} (ffmpeg left: ${r["orphans"]})`, budget: "0", ok: r["mismatches"] === 0 && r["orphans"] === 0 }],
};

export const figuresOf = ({ name, result }: CaseResult): Figure[] => FIGURES[name]?.(result) ?? [];

const machineOf = ({ machine }: CaseResult): string =>
  `${machine.gpu === undefined ? "" : `${machine.gpu}; `}${machine.cpu}, ${machine.cores} cores, ${machine.memoryGB} GB, kernel ${machine.kernel}, Node ${machine.node}, ffmpeg ${machine.versions["ffmpeg"]}, onnxruntime-node ${machine.versions["onnxruntime-node"]}, piscina ${machine.versions["piscina"]}, lmdb ${machine.versions["lmdb"]}.`;

/** One page of Markdown, a table a machine. */
export function summary(results: readonly CaseResult[]): string {
  if (results.length === 0) return "# Benchmarks\n\nNo results yet: `npm run bench`.\n";
  const tables = [...new Set(results.map(machineOf))].map((machine) => {
    const rows = results
      .filter((result) => machineOf(result) === machine)
      .flatMap((result) => figuresOf(result).map(({ figure, value, budget, ok }) => `| ${result.name} | ${figure} | ${value} | ${budget} | ${budget === "–" ? "" : ok ? "holds" : "**does not hold**"} | ${result.load.before[0]} |`));
    return `${machine}\n\n| case | figure | measured: median (range) | budget | | load |\n|---|---|---|---|---|---|\n${rows.join("\n")}\n`;
  });
  const commands = results.map(({ name, command, date, quick, seconds }) => `- ${name}: \`${command}\`${quick ? " (quick)" : ""}, ${date.slice(0, 16).replace("T", " ")} UTC, ${seconds} s`);
  return `# Benchmarks

Written by \`npm run bench\`; the numbers behind each line are in the JSON beside this page. Ratios are taken within one run; the load column is the machine's
load average when the case began: above 0 the machine was shared, and wall times say less than CPU times.

${tables.join("\n")}
## Commands

${commands.join("\n")}
`;
}
