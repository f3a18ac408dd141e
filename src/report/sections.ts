import type { NodeCounts } from "../contracts/index.js";
import type { MediumReport, ReportData, RunReport } from "./data.js";
import { html, type Html, type Part } from "./escape.js";
import { clock, count, plural, range, shellWord } from "./format.js";
import { command } from "./storyboard.js";

const STATES = { look: "look", clear: "clear", none: "—" } as const;
const MOST_SPANS = 24;

export function quality(medium: MediumReport): Part {
  if (!medium.checks) return null;
  const looks = medium.checks.filter((check) => check.state === "look").length;
  return html`<h3 id="q-${medium.anchor}">Quality</h3>
<p class="note">${looks === 0 ? "Nothing that a person should look at." : `${plural(looks, "check")} of ${medium.checks.length} found something to look at.`}</p>
<div class="scroll"><table class="checks"><thead><tr><th scope="col">Check</th><th scope="col">Result</th><th scope="col">Found</th></tr></thead><tbody>
${medium.checks.map(
  ({ name, state, detail, spans }) => html`<tr class="${state}"><th scope="row">${name}</th><td><span class="state ${state}">${STATES[state]}</span></td><td>${detail}${spans.length > 0 && html`<span class="spans">${spans.slice(0, MOST_SPANS).map((span) => html`<a href="#t-${medium.anchor}" data-at="${span.startUs}">${span.startUs === span.endUs ? clock(span.startUs) : range(span.startUs, span.endUs)}</a> `)}${spans.length > MOST_SPANS && `and ${count(spans.length - MOST_SPANS)} more`}</span>`}</td></tr>
`,
)}</tbody></table></div>
`;
}

const OUTCOMES = ["done", "cached", "skipped", "dropped", "failed", "inFlight"] as const;
const OUTCOME_WORDS: Record<(typeof OUTCOMES)[number], string> = { done: "done", cached: "cached", skipped: "skipped", dropped: "dropped", failed: "failed", inFlight: "in flight" };

export function funnel(run: RunReport): Html {
  const used = OUTCOMES.filter((outcome) => run.nodes.some(({ counts }) => counts[outcome] > 0));
  const columns = used.length > 0 ? used : (["done"] as const);
  const wide = columns.length > 2;
  const most = Math.max(1, ...run.nodes.map(({ counts }) => counts.in));
  return html`<div class="scroll"><table class="funnel${wide && " wide"}"><thead><tr><th scope="col">node</th><th scope="col" class="operator">operator</th><th scope="col" class="right">in</th>${columns.map((outcome) => html`<th scope="col" class="right">${OUTCOME_WORDS[outcome]}</th>`)}<th scope="col" class="shares">items, log scale</th></tr></thead><tbody>
${run.nodes.map(
  ({ name, operator, counts }) => html`<tr><th scope="row">${name}</th><td class="operator"><code>${operator}</code></td><td class="right">${count(counts.in)}</td>${columns.map((outcome) => html`<td class="right${counts[outcome] === 0 && " zero"}${outcome === "failed" && counts.failed > 0 && " bad"}">${counts[outcome] === 0 ? "·" : count(counts[outcome])}</td>`)}<td class="shares">${shares(counts, most)}</td></tr>
`,
)}</tbody></table></div>
`;
}

/** Length: items on a logarithmic scale, so that 9 scenes and 1,825 frames stand side by side; colours: shares of the outcomes. */
function shares(counts: NodeCounts, most: number): Html {
  const whole = counts.in === 0 ? 0 : (100 * Math.log(1 + counts.in)) / Math.log(1 + most);
  let at = 0;
  const parts = OUTCOMES.map((outcome) => {
    const share = counts.in === 0 ? 0 : (whole * counts[outcome]) / counts.in;
    const part = share > 0 && html`<rect class="${outcome}" x="${Number(at.toFixed(2))}%" width="${Number(share.toFixed(2))}%" height="100%"/>`;
    at += share;
    return part;
  });
  return html`<svg class="bar" aria-hidden="true" focusable="false">${parts}</svg>`;
}

export function failures(data: ReportData): Part {
  if (data.failureCount === 0) return null;
  return html`<section class="panel" id="failures"><h2>Failed items</h2>
<p class="note">${plural(data.failureCount, "item")} failed${data.failureCount > data.failures.length ? `; the first ${data.failures.length} are listed` : ""}. Again: <code>flow retry --store ${shellWord(data.store.argument)}</code></p>
<div class="scroll"><table class="failures"><thead><tr><th scope="col">Node</th><th scope="col">Item</th><th scope="col">Error</th></tr></thead><tbody>
${data.failures.map(({ node, medium, uri, startUs, endUs, error }) => html`<tr><th scope="row">${node}</th><td><span class="name">${uri}</span> ${medium !== "" && html`<span class="time">${startUs === endUs ? clock(startUs) : range(startUs, endUs)}</span>`}</td><td><code>${error.code}</code> ${error.message} <span class="hint">${error.hint}</span></td></tr>
`)}</tbody></table></div></section>
`;
}

const STATUS_WORDS: Record<string, string> = { done: "done", "failed-items": "finished with failed items", interrupted: "interrupted" };

export function lastRun(data: ReportData): Part {
  const { run } = data;
  if (!run) return html`<section class="panel" id="run"><h2>Run</h2><p class="empty">No run is logged in this store.</p></section>`;
  const at = ["--store", data.store.argument].map(shellWord).join(" ");
  const facts: [string, Part][] = [
    ["status", html`<span class="tag ${run.status === "done" ? "same" : "warn"}">${STATUS_WORDS[run.status] ?? run.status}</span>`],
    ["started", `${new Date(run.startedMs).toISOString().slice(0, 19).replace("T", " ")} UTC`],
    ["took", `${(run.durationMs / 1000).toFixed(1)} s`],
    ["frames decoded", run.framesDecoded === null ? null : count(run.framesDecoded)],
    ["rows inferred", run.inferences === null ? null : count(run.inferences)],
    ["digest", run.digest === "" ? null : html`<code class="wrap">${run.digest}</code>`],
    ["digest of the numbers", run.digestNumbers === "" ? null : html`<code class="wrap">${run.digestNumbers}</code>`],
    ["made with", `${data.version ? `flow ${data.version}, ` : ""}store ${data.store.name}, run ${run.id}${data.runCount > 1 ? ` (of ${count(data.runCount)})` : ""}`],
  ];
  return html`<section class="panel" id="run"><h2>Last run</h2>
<p class="note">What came into each node and what became of it. In is the sum of the outcomes.</p>
${funnel(run)}</section>
<section class="panel" id="repeat"><h2>Repeat it</h2>
<p class="note">The first command makes this store again; with nothing changed it decodes and infers nothing. The same inputs, graph and models give the same digests.</p>
${command(`flow run ${run.args.map(shellWord).join(" ")} ${at}`)}
${command(`flow plan ${run.args.map(shellWord).join(" ")} ${at}`)}
${command(`flow search "words" ${at}`)}
${command(`flow report ${at}`)}
<dl class="facts">${facts.map(([name, value]) => value !== null && html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>
`;
}
