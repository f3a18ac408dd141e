import type { Interval, MediumInfo } from "../contracts/index.js";
import { decimal, length, plural } from "./format.js";

/** One line of the quality table. */
export interface Check {
  name: string;
  /** `look`: a person should; `clear`: measured, nothing found; `none`: not measured. */
  state: "look" | "clear" | "none";
  detail: string;
  spans: Interval[];
}

export const plainObject = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value) ? (value as Record<string, unknown>) : undefined;

/** The [startUs, endUs) of a stored list; what is not one is left out. */
export function intervals(value: unknown): Interval[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry) => {
    const { startUs, endUs } = plainObject(entry) ?? {};
    return typeof startUs === "number" && typeof endUs === "number" ? [{ startUs, endUs }] : [];
  });
}

const percent = (share: unknown): string => `${Math.round(100 * Number(share))} %`;

/** The report of quality.report as a checklist: what was looked at is as telling as what was found. */
export function qualityChecks(quality: Record<string, unknown>, info: MediumInfo): Check[] {
  const checks: Check[] = [];
  const spans = (name: string, key: string, what: string, measured: boolean): void => {
    const found = intervals(quality[key]);
    const totalUs = found.reduce((sum, span) => sum + span.endUs - span.startUs, 0);
    if (!measured) checks.push({ name, state: "none", detail: `there is no ${what}`, spans: [] });
    else checks.push({ name, state: found.length > 0 ? "look" : "clear", detail: found.length > 0 ? `${plural(found.length, "span")}, ${length(totalUs)} in all` : "none found", spans: found });
  };
  spans("Black", "black", "picture", info.video !== null);
  spans("Frozen picture", "freeze", "moving picture", info.kind === "video");
  spans("Silence", "silence", "sound", info.audio !== null);

  const bars = plainObject(quality["borders"]);
  if (bars) checks.push({ name: "Black bars", state: "look", detail: `${String(bars["kind"])}: ${percent(Number(bars["top"]) + Number(bars["bottom"]))} of the height, ${percent(Number(bars["left"]) + Number(bars["right"]))} of the width`, spans: [] });
  else if (info.video) checks.push({ name: "Black bars", state: "clear", detail: "none found", spans: [] });

  const timing = plainObject(quality["timing"]);
  if (timing) {
    const ms = (key: string): string => decimal(Number(timing[key]) / 1e3);
    const variable = timing["variable"] === true;
    const gaps = intervals(timing["gaps"]);
    checks.push({ name: "Frame timing", state: variable ? "look" : "clear", detail: variable ? `variable: frames ${ms("minIntervalUs")} to ${ms("maxIntervalUs")} ms apart` : `constant, a frame every ${ms("medianIntervalUs")} ms`, spans: [] });
    checks.push({ name: "Missing frames", state: gaps.length > 0 ? "look" : "clear", detail: gaps.length > 0 ? plural(gaps.length, "gap") : "no gaps", spans: gaps });
  }
  offset(checks, "Sound starts", quality["audioOffsetUs"], 40_000);
  offset(checks, "Sound ends", quality["audioEndOffsetUs"], 500_000);

  const damage = Array.isArray(quality["damage"]) ? quality["damage"].map(plainObject).filter((entry) => entry !== undefined) : [];
  checks.push({
    name: "Damage",
    state: damage.length > 0 ? "look" : "clear",
    detail: damage.length > 0 ? [...new Set(damage.map((entry) => String(entry["message"])))].slice(0, 5).join("; ") : "the decoder had no complaint",
    spans: damage.flatMap((entry) => (Number(entry["atUs"]) >= 0 ? [{ startUs: Number(entry["atUs"]), endUs: Number(entry["atUs"]) }] : [])),
  });
  return checks;
}

/** The bars are those of quality.report's own findings. */
function offset(checks: Check[], name: string, value: unknown, barUs: number): void {
  if (typeof value !== "number") return;
  const detail = value === 0 ? "with the picture" : `${length(Math.abs(value))} ${value > 0 ? "after" : "before"} the picture`;
  checks.push({ name, state: Math.abs(value) >= barUs ? "look" : "clear", detail, spans: [] });
}
