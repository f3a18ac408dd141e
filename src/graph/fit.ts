import { LEVELS, portToString, type Kind, type Level, type PlanInput, type PortType } from "../contracts/index.js";
import type { ProblemCode } from "./problems.js";

export interface Misfit {
  code: ProblemCode;
  message: string;
  found: string;
  expected: string;
  hint?: string;
}

/** < 0: a is coarser than b (media ⊃ scene ⊃ frame ⊃ detection). */
export const compareLevels = (a: Level, b: Level): number => LEVELS.indexOf(a) - LEVELS.indexOf(b);

export const modeOf = (source: Level, node: Level): PlanInput["mode"] => (source === node ? "same" : compareLevels(source, node) > 0 ? "group" : "broadcast");

/** What turns a kind into something coarser; named when an input is too fine. */
const BRIDGES: Partial<Record<Kind, (level: Level) => string>> = {
  vector: (level) => `add vectors.mean over: ${level}`,
  rows: (level) => `add audio.loudness over: ${level} or another operator that reads rows`,
  frames: (level) => (level === "scene" ? "add image.embed and video.pool, or scene.keyframes" : "add image.embed and vectors.mean over: media"),
  audio: (level) => `add audio.embed and vectors.mean over: ${level}`,
  image: () => "add scene.keyframes with images",
};

/** Inputs of join and text.embed take any kind, but one value per item: what must be folded first is refused with the bridge. */
export function misfitOfMap(source: PortType, level: Level, operator: string): Misfit | null {
  const bridge = BRIDGES[source.kind]?.(level);
  const neverWhole = source.kind === "frames" || source.kind === "audio";
  if (!bridge || (compareLevels(source.level, level) <= 0 && !neverWhole)) return null;
  return {
    code: neverWhole ? "KIND_MISMATCH" : "LEVEL_MISMATCH",
    message: `${label(source)} into ${operator} by ${level}: ${bridge}.`,
    found: portToString(source),
    expected: `one value per ${level}`,
    hint: `${capital(bridge)}; see \`flow list\`.`,
  };
}

/**
 * All reasons why `source` cannot feed the declared input `port` of an operator that runs at `level`. `inherits`: the level comes
 * from by / over, so the port's own level says nothing.
 */
export function misfits(source: PortType, port: PortType, level: Level, inherits: boolean, operator: string): Misfit[] {
  const found = portToString(source);
  const expected = portToString(inherits ? { ...port, level: source.level } : port);
  const name = `${operator}`;
  if (!port.any && source.kind !== port.kind) {
    return [{ code: "KIND_MISMATCH", message: `${name} takes ${port.kind}, and this is ${source.kind}.`, found, expected, hint: `flow explain ${operator}` }];
  }
  const list: Misfit[] = [];
  const fault = (code: ProblemCode, message: string, own: Partial<Misfit> = {}): void => void list.push({ code, message, found, expected, hint: port.hint ?? `flow explain ${operator}`, ...own });
  if (!inherits && source.level !== port.level) {
    const finer = compareLevels(source.level, port.level) > 0;
    // A coarser value is the same for every item; a series where one value is wanted, or the reverse, is another thing.
    const broadcast = !finer && compareLevels(port.level, level) <= 0;
    if (!broadcast) {
      const bridge = finer ? BRIDGES[source.kind]?.(port.level) : undefined;
      fault("LEVEL_MISMATCH", `${label(source)} into ${name}, which takes ${label(port)}${bridge ? `: ${bridge}` : ""}.`, bridge ? { hint: `${capital(bridge)}; see \`flow list\`.` } : {});
    }
  }
  const differs = (key: "dims" | "space" | "sampleRate" | "color" | "geometry"): boolean => port[key] !== undefined && source[key] !== undefined && port[key] !== source[key];
  if (differs("dims")) fault("DIMS_MISMATCH", `${name} takes vectors of ${port.dims} numbers, and these have ${source.dims}.`);
  if (port.norm === "unit" && source.norm === "none") fault("NORM_MISMATCH", `${name} needs unit vectors, and these are not normalised.`, { hint: "vectors.mean normalises (renormalize: true)." });
  if (differs("space")) fault("SPACE_MISMATCH", `${name} takes vectors of the space ${port.space}, and these belong to ${source.space}.`);
  if (differs("sampleRate")) fault("SAMPLE_RATE_MISMATCH", `${name} takes sound at ${port.sampleRate} Hz, and this has ${source.sampleRate} Hz.`);
  if (differs("color")) fault("COLOR_MISMATCH", `${name} takes ${port.color} frames, and these are ${source.color}.`);
  if (differs("geometry")) fault("GEOMETRY_MISMATCH", `${name} reads coordinates of the ${port.geometry} raster, and these refer to the ${source.geometry} one.`);
  if (port.columns && source.columns) {
    const missing = port.columns.filter((column) => !source.columns?.includes(column));
    const names = missing.join(", ");
    if (missing.length > 0) fault("COLUMNS_MISSING", `${name} reads the column${missing.length > 1 ? "s" : ""} ${names}, which these rows lack.`, { found: `rows without ${names}`, expected: `rows with ${names}` });
  }
  return list;
}

const label = (type: PortType): string => `${capital(type.kind)}@${type.level}`;
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
