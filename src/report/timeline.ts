import type { Interval } from "../contracts/index.js";
import { html, jsonBlock, Html, type Part } from "./escape.js";
import { clock, range } from "./format.js";
import type { MediumReport } from "./data.js";
import type { Curve, TimelineData } from "./timeline-data.js";

const LOUDNESS_FLOOR = -60;
/** A line needs a length the eye can find: shorter spans are drawn this share of the whole wide. */
const LEAST_SHARE = 0.0012;
const TICK_SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
const MOST_TICKS = 8;

/** Lanes over one time axis: HTML names, one SVG a lane whose x is a percentage, so that it fits any width without distorting text. */
export function timeline(medium: MediumReport): Html {
  const data = medium.timeline;
  if (!data) return html``;
  const shown = new Set(medium.scenes.map((scene) => scene.id));
  const posters = new Set(medium.scenes.filter((scene) => scene.keyframes[scene.poster]?.uri).map((scene) => scene.id));
  const sceneHeight = posters.size > 0 ? 58 : 24;
  const lanes: Part[] = [
    lane("Scenes", "", "scenes", sceneHeight, sceneMarks(data, shown, posters, sceneHeight)),
    data.change && lane("Change", "frame to frame", "change", 44, [cutLines(data), area(scaled(data.change, 0, Math.max(40, peak(data.change))), 44)]),
    data.motion && lane("Motion", "movement", "motion", 36, area(scaled(data.motion, 0, Math.max(0.02, 1.15 * quantile(data.motion, 0.96))), 36)),
    data.loudness && lane("Loudness", `${LOUDNESS_FLOOR} – 0 LUFS`.replace("-", "−"), "loudness", 48, [spanMarks(data.silence ?? [], data, "shade", "silence"), area(scaled(data.loudness, LOUDNESS_FLOOR, 0), 48)]),
    medium.hasAudio && data.silence && lane("Silence", "", "silence", 16, spanMarks(data.silence, data, "mark", "silence")),
    medium.kind === "video" && (data.black || data.freeze) && lane("Black · frozen", "", "picture", 16, [spanMarks(data.black ?? [], data, "mark black", "black", [0, 50]), spanMarks(data.freeze ?? [], data, "mark freeze", "frozen picture", [50, 50])]),
    data.cues.length > 0 && lane(data.cuesFrom === "cues" ? "Subtitles" : "Transcript", data.cuesFrom === "cues" ? "" : "per scene", "cues", 24, cueMarks(data)),
    lane("", "", "axis", 20, ticks(data)),
  ];
  return html`<div class="timeline" id="t-${medium.anchor}" data-timeline>
<div class="readout" aria-live="off"><span class="readout-text">Point at the lanes to read their values; the arrow keys do it too.</span></div>
<div class="lanes" tabindex="0" role="slider" aria-label="Timeline of ${medium.name}: arrow keys move, Enter opens the scene" aria-valuemin="0" aria-valuemax="${Math.round(data.durationUs / 1e6)}" aria-valuenow="0" aria-valuetext="start">
${lanes}
<div class="cursor" hidden></div></div>
${jsonBlock({ us: data.durationUs, change: rounded(data.change, 1), motion: rounded(data.motion, 4), loudness: rounded(data.loudness, 1), scenes: data.scenes.map((s) => [s.startUs, s.endUs, s.number, shown.has(s.id) ? s.id : ""]), silence: data.silence?.map(pair) ?? [], black: data.black?.map(pair) ?? [], freeze: data.freeze?.map(pair) ?? [], cues: data.cues.map((cue) => [cue.startUs, cue.endUs, cue.text]) }, "timeline-data")}
</div>
`;
}

const pair = ({ startUs, endUs }: Interval): [number, number] => [startUs, endUs];

function lane(name: string, unit: string, key: string, height: number, content: Part): Html {
  return html`<div class="lane lane-${key}"><div class="lane-name">${name}${unit !== "" && html` <small>${unit}</small>`}</div><svg class="plot" width="100%" height="${height}" aria-hidden="true" focusable="false">${content}</svg></div>
`;
}

const percent = (us: number, data: TimelineData): string => `${Number(((100 * us) / data.durationUs).toFixed(3))}%`;
const width = ({ startUs, endUs }: Interval, data: TimelineData, least = LEAST_SHARE): string => `${Number((100 * Math.max(least, (Math.min(endUs, data.durationUs) - startUs) / data.durationUs)).toFixed(3))}%`;

function sceneMarks(data: TimelineData, shown: ReadonlySet<string>, posters: ReadonlySet<string>, height: number): Part[] {
  return data.scenes.map((scene) => {
    const { id, number } = scene;
    const wide = (scene.endUs - scene.startUs) / data.durationUs;
    const body = html`<svg x="${percent(scene.startUs, data)}" width="${width(scene, data)}" height="${height}" class="scene-mark${number % 2 === 0 ? " even" : ""}"><rect class="ground" width="100%" height="100%"/>${posters.has(id) && wide > 0.012 && html`<image data-copy="${id}" width="100%" height="${height - 16}" preserveAspectRatio="xMidYMid slice"/>`}<rect class="edge" width="1" height="100%"/>${wide > 0.024 && html`<text x="5" y="${height - 4}">${number}</text>`}<title>Scene ${number}, ${range(scene.startUs, scene.endUs)}</title></svg>`;
    return shown.has(id) ? html`<a href="#s-${id}" tabindex="-1">${body}</a>` : body;
  });
}

const cutLines = (data: TimelineData): Part[] => data.scenes.slice(1).map(({ startUs }) => html`<line class="cut" x1="${percent(startUs, data)}" x2="${percent(startUs, data)}" y1="0" y2="100%"/>`);

const spanMarks = (spans: readonly Interval[], data: TimelineData, className: string, what: string, [top, height] = [0, 100]): Part[] =>
  spans.map((span) => html`<rect class="${className}" x="${percent(span.startUs, data)}" width="${width(span, data)}" y="${top}%" height="${height}%"><title>${what} ${range(span.startUs, span.endUs)}</title></rect>`);

const cueMarks = (data: TimelineData): Part[] =>
  data.cues.map((cue) => html`<svg class="cue" x="${percent(cue.startUs, data)}" width="${width(cue, data)}" height="24"><rect width="100%" height="22" y="1" rx="3"/><text x="6" y="16">${cue.text}</text><title>${range(cue.startUs, cue.endUs)}: ${cue.text}</title></svg>`);

function ticks(data: TimelineData): Part[] {
  const seconds = data.durationUs / 1e6;
  const step = TICK_SECONDS.find((s) => seconds / s <= MOST_TICKS) ?? Math.ceil(seconds / MOST_TICKS);
  const marks: Part[] = [];
  for (let at = 0; at < seconds * 0.93; at += step) {
    const x = percent(at * 1e6, data);
    marks.push(html`<line class="tick" x1="${x}" x2="${x}" y1="0" y2="5"/><text class="tick-name" x="${x}" dx="${at === 0 ? 0 : 3}" y="16">${clock(at * 1e6, step < 1 ? 1 : 0)}</text>`);
  }
  return marks;
}

const peak = (curve: Curve): number => curve.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
/** Scale of the motion lane: the jumps at cuts, which the lane above shows, would flatten everything between them. */
function quantile(curve: Curve, q: number): number {
  const sorted = curve.filter((value) => value !== null).sort((a, b) => a - b);
  return sorted[Math.floor(q * (sorted.length - 1))] ?? 0;
}

const rounded = (curve: Curve | null, digits: number): Curve | null => curve?.map((value) => (value === null ? null : Number(value.toFixed(digits)))) ?? null;

/** To 0..1 of [low, high]. */
const scaled = (curve: Curve, low: number, high: number): Curve => curve.map((value) => (value === null ? null : Math.max(0, Math.min(1, (value - low) / (high - low)))));

/** Filled curves, one path; a null ends one and the next value starts another. */
export function area(curve: Curve, height: number): Html {
  const steps: string[] = [];
  let open = false;
  const y = (value: number): string => String(Number((height - 1 - value * (height - 3)).toFixed(1)));
  curve.forEach((value, x) => {
    if (value === null) {
      if (open) steps.push(`V${height}Z`);
      open = false;
    } else if (open) steps.push(`L${x + 0.5} ${y(value)}`);
    else {
      steps.push(`M${x} ${height}V${y(value)}L${x + 0.5} ${y(value)}`);
      open = true;
    }
    if (open && (x + 1 === curve.length || curve[x + 1] === null)) steps.push(`H${x + 1}`);
  });
  if (open) steps.push(`V${height}Z`);
  return html`<svg viewBox="0 0 ${curve.length} ${height}" preserveAspectRatio="none" width="100%" height="${height}"><path class="curve" d="${steps.join("")}"/></svg>`;
}
