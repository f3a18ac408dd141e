import { createHash } from "node:crypto";
import type { MediumReport, ReportData } from "./data.js";
import { html, Html, type Part } from "./escape.js";
import { count, length, plural, shellWord, size } from "./format.js";
import { failures, lastRun, quality } from "./sections.js";
import { SCRIPT } from "./script.js";
import { storyboard } from "./storyboard.js";
import { STYLES } from "./styles.js";
import { timeline } from "./timeline.js";

/** The page: one file that loads nothing. The policy names its one style sheet and its one script by hash; injected markup could run neither. */
export function renderPage(data: ReportData): string {
  const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const policy = `default-src 'none'; img-src data:; style-src ${hash(STYLES)}; script-src ${hash(SCRIPT)}; base-uri 'none'; form-action 'none'`;
  const title = data.media.length === 1 && data.store.media === 1 ? data.media[0]!.name : plural(data.store.media, "medium", "media");
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title} · flow report</title>
<link rel="icon" href="data:,">
<style>${new Html(STYLES)}</style>
</head>
<body>
<a class="skip" href="#media">Skip to the content</a>
<header class="top">
<p class="kicker">flow report</p>
<h1 class="name">${title}</h1>
${data.mocked.length > 0 && html`<p class="mocked" role="alert"><strong>Stand-ins</strong> played ${data.mocked.join(", ")} (<code>--mock-models</code>): nothing that they say is real.</p>`}
${tiles(data)}
</header>
${toolbar(data)}
<main id="media">
${data.media.map((medium) => mediumSection(medium, data))}
${data.media.length === 0 && html`<section class="panel"><p class="empty">This store holds no media yet. Fill it: <code>flow run graphs/ego.yaml VIDEO --store ${shellWord(data.store.argument)}</code></p></section>`}
${data.media.length < data.store.media && html`<section class="panel"><p class="note">${count(data.store.media - data.media.length)} more media are in the store and not on this page. All of them: <code>flow show --store ${shellWord(data.store.argument)}</code></p></section>`}
${failures(data)}
${lastRun(data)}
${vectors(data)}
</main>
<footer>Made by flow from the store alone. This page loads nothing and sends nothing.</footer>
<script>${new Html(SCRIPT)}</script>
</body>
</html>
`;
  return page.text;
}

function tiles(data: ReportData): Html {
  const rows = data.store.vectors.reduce((sum, { rows }) => sum + rows, 0);
  const values: [string, string][] = [
    [count(data.store.media), data.store.media === 1 ? "medium" : "media"],
    [length(data.store.durationUs), "of material"],
    [count(data.sceneCount), data.sceneCount === 1 ? "scene" : "scenes"],
    [count(rows), rows === 1 ? "vector" : "vectors"],
    [size(data.store.bytes), "store"],
  ];
  const findings = data.media.reduce((sum, medium) => sum + (medium.checks ?? []).filter((check) => check.state === "look").length, 0);
  if (data.media.some((medium) => medium.checks)) values.push([count(findings), findings === 1 ? "check to look at" : "checks to look at"]);
  if (data.failureCount > 0) values.push([count(data.failureCount), data.failureCount === 1 ? "failed item" : "failed items"]);
  return html`<ul class="tiles">${values.map(([value, name]) => html`<li><strong>${value}</strong> <span>${name}</span></li>`)}</ul>`;
}

function toolbar(data: ReportData): Html {
  const links: Part[] =
    data.media.length > 1
      ? data.media.slice(0, 30).map((medium) => html`<a href="#${medium.anchor}">${medium.name}</a>`)
      : data.media.map((medium) => html`${medium.timeline && html`<a href="#t-${medium.anchor}">Timeline</a>`}<a href="#b-${medium.anchor}">Scenes</a>${medium.checks && html`<a href="#q-${medium.anchor}">Quality</a>`}`);
  return html`<div class="toolbar">
<nav aria-label="Sections">${links}${data.failureCount > 0 && html`<a href="#failures">Failed</a>`}<a href="#run">Run</a><a href="#repeat">Repeat</a></nav>
<div class="filter" hidden><label class="hidden" for="filter">Filter scenes by caption, transcript and labels</label><input id="filter" type="search" placeholder="Filter scenes…" autocomplete="off" spellcheck="false"><output for="filter" id="filter-count"></output></div>
</div>
`;
}

function mediumSection(medium: MediumReport, data: ReportData): Html {
  // The page's own title says it already.
  const alone = data.store.media === 1;
  return html`<section class="panel medium" id="${medium.anchor}" aria-labelledby="h-${medium.anchor}">
<h2 id="h-${medium.anchor}"${alone && html` class="hidden"`}><span class="name">${medium.name}</span></h2>
<p class="facts-line">${!medium.complete && html`<span class="tag warn">incomplete: run again to finish it</span> `}${medium.facts.map((fact) => html`<span>${fact}</span> `)}</p>
<p class="uri"><span class="name">${medium.uri}</span></p>
${timeline(medium)}
<h3 id="b-${medium.anchor}">Scenes <small>${count(medium.sceneCount)}</small></h3>
${storyboard(medium, data)}
${quality(medium)}</section>
`;
}

function vectors(data: ReportData): Part {
  const { records, vectors: spaces } = data.store;
  if (spaces.length === 0) return null;
  return html`<section class="panel" id="holdings"><h2>What the store holds</h2>
<p class="note">${Object.entries(records).map(([kind, n], i) => `${i > 0 ? ", " : ""}${kind === "media" ? plural(n, "media record") : plural(n, `${kind} record`)}`)}</p>
<div class="scroll"><table><thead><tr><th scope="col">Vectors</th><th scope="col">Space</th><th scope="col" class="right">Dims</th><th scope="col" class="right">Rows</th></tr></thead><tbody>
${spaces.map(({ kind, name, space, dims, rows }) => html`<tr><th scope="row">${kind}.${name}</th><td class="space">${space}</td><td class="right">${count(dims)}</td><td class="right">${count(rows)}</td></tr>
`)}</tbody></table></div></section>
`;
}
