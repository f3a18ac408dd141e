import type { MediumReport, ReportData } from "./data.js";
import { html, type Html, type Part } from "./escape.js";
import { clock, count, decimal, length, plural, range, shellWord } from "./format.js";
import type { SceneReport } from "./scene-data.js";
import { area } from "./timeline.js";
import type { TimelineData } from "./timeline-data.js";

const MOST_CHIPS = 8;

/** One card a scene; a card is a disclosure, so that it opens without a script and from the keyboard. */
export function storyboard(medium: MediumReport, data: ReportData): Html {
  if (medium.sceneCount === 0) return html`<p class="empty">No scenes are stored for this medium.</p>`;
  const part = medium.scenes.length < medium.sceneCount && html`<p class="note">${count(medium.scenes.length)} of ${plural(medium.sceneCount, "scene")} are shown here, evenly spread. All of them: <code>flow show --store ${shellWord(data.store.argument)}</code></p>`;
  return html`${part}
<div class="cards">
${medium.scenes.map((scene) => card(scene, medium, data))}</div>
`;
}

function card(scene: SceneReport, medium: MediumReport, data: ReportData): Html {
  const labels = [...new Set(scene.attributes.flatMap(({ label }) => (label === null ? [] : [label])))];
  const more = labels.length - MOST_CHIPS;
  const timed = medium.kind !== "image";
  return html`<details class="card" id="s-${scene.id}" data-card>
<summary>
<span class="poster" data-scrub>${poster(scene, medium.timeline)}${timed && html`<span class="badge">${length(scene.endUs - scene.startUs)}</span>`}</span>
<span class="card-text">
<span class="card-head"><span class="number">Scene ${scene.number}</span> ${timed && html`<span class="time">${range(scene.startUs, scene.endUs)}</span>`}${scene.outcome !== "done" && html` <span class="tag warn">${scene.outcome}</span>`}</span>
${scene.caption !== "" && html`<span class="caption" dir="auto" data-words>${scene.caption}</span>`}
${scene.transcript !== "" && html`<span class="transcript" dir="auto" data-words>${scene.transcript}</span>`}
${labels.length > 0 && html`<span class="chips">${labels.slice(0, MOST_CHIPS).map((label) => html`<span class="chip" data-words>${label}</span> `)}${more > 0 && html`<span class="chip more">+${more}</span>`}</span>`}
</span>
</summary>
<div class="detail">
${keyframes(scene)}
<div class="columns">
${similar(scene, medium)}
${sound(scene)}
${measured(scene)}
${identity(scene, data)}
</div></div></details>
`;
}

const pictureName = (scene: SceneReport, ptsUs: number): string => `Scene ${scene.number} at ${clock(ptsUs)}${scene.caption === "" ? "" : `: ${scene.caption}`}`;

function poster(scene: SceneReport, timeline: TimelineData | null): Html {
  const picture = scene.keyframes[scene.poster];
  if (picture?.uri) return html`<img id="p-${scene.id}" src="${picture.uri}" alt="${pictureName(scene, picture.ptsUs)}" decoding="async">`;
  const curve = timeline?.loudness;
  if (!timeline || !curve) return html`<span class="no-picture">no picture</span>`;
  const bin = (us: number): number => Math.round((us / timeline.durationUs) * timeline.bins);
  const values = curve.slice(bin(scene.startUs), Math.max(bin(scene.startUs) + 2, bin(scene.endUs))).map((value) => (value === null ? null : Math.max(0, 1 + value / 60)));
  return html`<span class="no-picture sound-picture" role="img" aria-label="Loudness of scene ${scene.number}">${area(values, 90)}</span>`;
}

function keyframes(scene: SceneReport): Part {
  const pictures = scene.keyframes.filter((picture) => picture.uri !== null);
  if (pictures.length < 2) return null;
  // The main picture is on the page once; the script copies it here.
  return html`<div class="strip">${pictures.map((picture) => {
    const main = scene.keyframes[scene.poster] === picture;
    return html`<figure>${main ? html`<img data-copy="${scene.id}" alt="${pictureName(scene, picture.ptsUs)}">` : html`<img src="${picture.uri}" alt="${pictureName(scene, picture.ptsUs)}" decoding="async" data-frame>`}<figcaption>${clock(picture.ptsUs)}</figcaption></figure>`;
  })}</div>`;
}

function similar(scene: SceneReport, medium: MediumReport): Part {
  if (!scene.similarBy || scene.similar.length === 0) return null;
  const { calibrated, vector, space } = scene.similarBy;
  return html`<section><h4>Similar scenes</h4><ol class="similar">${scene.similar.map(
    (other) => html`<li><a href="#s-${other.id}"><img data-copy="${other.id}" alt="" hidden><span class="similar-text"><strong>Scene ${other.number}</strong> <span class="time">${range(other.startUs, other.endUs)}</span>${other.anchor !== medium.anchor && html` <span class="name">${other.medium}</span>`}${other.same && html` <span class="tag same">alike</span>`}
<span class="score">${bar(Math.max(0, other.score), "share")}<span class="value">${other.score.toFixed(2).replace("-", "−")}</span></span></span></a></li>`,
  )}</ol><p class="hint">${calibrated ? "0 = a typical pair of unrelated scenes, 1 = identical" : "cosine"}, by <code>${vector}</code> (${space})</p></section>`;
}

/** A bar whose length is a share; SVG, because the page's policy allows no style attributes. */
export function bar(share: number, className: string): Html {
  return html`<svg class="bar" aria-hidden="true" focusable="false"><rect class="${className}" width="${Number((100 * Math.min(1, share)).toFixed(1))}%" height="100%" rx="2"/></svg>`;
}

const LOUDNESS_WORDS: Record<string, [string, string]> = { integratedLufs: ["loudness", "LUFS"], rangeLu: ["range", "LU"], truePeakDb: ["true peak", "dBTP"], rmsDb: ["level", "dBFS"] };

function sound(scene: SceneReport): Part {
  const values = Object.entries(scene.loudness ?? {}).flatMap(([key, value]) => {
    const words = LOUDNESS_WORDS[key];
    return words && typeof value === "number" ? [html`<div><dt>${words[0]}</dt><dd>${decimal(value)} <small>${words[1]}</small></dd></div>`] : [];
  });
  const events = scene.events.map((event) => html`<div><dt>${event.label}</dt><dd><span class="time">${range(event.startUs, event.endUs)}</span>${event.value !== null && event.value !== 0 && html` <small>${event.value > 0 ? "+" : ""}${decimal(event.value)} ${event.unit}</small>`}</dd></div>`);
  if (values.length + events.length === 0) return null;
  return html`<section><h4>Sound</h4>${values.length > 0 && html`<dl>${values}</dl>`}${events.length > 0 && html`<h5>Changes</h5><dl>${events}</dl>`}</section>`;
}

function measured(scene: SceneReport): Part {
  if (scene.attributes.length === 0) return null;
  return html`<section><h4>Measured</h4><dl class="measured">${scene.attributes.map(({ name, value, unit, label }) => html`<div${label !== null && html` class="labelled"`}><dt>${name.replaceAll(".", " ")}</dt><dd>${label !== null && html`<b>${label}</b> `}${decimal(value, 2)} <small>${unit}</small></dd></div>`)}</dl></section>`;
}

function identity(scene: SceneReport, data: ReportData): Part {
  const vectors = Object.entries(scene.vectors);
  return html`<section><h4>Record</h4><dl>
<div><dt>id</dt><dd><code>${scene.id}</code></dd></div>
${scene.frames && html`<div><dt>frames</dt><dd>${count(scene.frames[0])} – ${count(scene.frames[1])}</dd></div>`}
${vectors.map(([name, { dims, space }]) => html`<div><dt>${name}</dt><dd>${dims} <small>${space}</small></dd></div>`)}
${scene.other.map(([name, value]) => html`<div><dt>${name}</dt><dd class="wrap">${value}</dd></div>`)}
</dl>${command(`flow clip ${shellWord(scene.id)} --store ${shellWord(data.store.argument)} -o scene-${scene.number}.mp4`)}</section>`;
}

/** A command line with a button that copies it (shown by the script). */
export function command(line: string): Html {
  // Words stay whole where there is room: a break inside "--store" reads as two words.
  const words = line.split(" ").map((word, i) => html`${i > 0 && " "}<span>${word}</span>`);
  return html`<div class="command"><code>${words}</code><button type="button" data-copy-text hidden>Copy</button></div>`;
}
