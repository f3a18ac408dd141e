import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";
import { redactUri } from "../contracts/redact.js";

type Colours = ReturnType<typeof pc.createColors>;

/** Colours for a stream: on a terminal or with FORCE_COLOR (but 0 and false), never with NO_COLOR (https://no-color.org). */
export function coloursFor(stream: NodeJS.WriteStream): Colours {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return pc.createColors(false);
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "") return pc.createColors(FORCE_COLOR !== "0" && FORCE_COLOR !== "false");
  return pc.createColors(TERM !== "dumb" && stream.isTTY === true);
}

export const colours = coloursFor(process.stdout);

/** A line on stdout. No line shows the credentials of a URL. */
export function print(text = ""): void {
  process.stdout.write(`${redactUri(text)}\n`);
}

/** The one document of a `--json` command. */
export function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, withoutCredentials, 2)}\n`);
}

// Addresses, and what speaks of them; a transcript that quotes one stays as it was spoken.
function withoutCredentials(key: string, value: unknown): unknown {
  return typeof value === "string" && (/^[a-z][a-z0-9+.-]*:\/\//i.test(value) || key === "message" || key === "hint") ? redactUri(value) : value;
}

/** A line on stderr: notes, progress, errors. */
export function note(text: string): void {
  process.stderr.write(`${redactUri(text)}\n`);
}

export interface TableOptions {
  head?: readonly string[];
  /** Columns aligned right (numbers), by index. */
  right?: readonly number[];
  indent?: number;
  /** On a terminal, wide columns are cut until a row fits one line. */
  fit?: boolean;
}

/** Aligned columns, two spaces apart; cells may hold colours. */
export function table(rows: readonly (readonly string[])[], { head, right = [], indent = 2, fit = true }: TableOptions = {}): string {
  const all = head ? [head.map((cell) => colours.dim(cell)), ...rows] : rows;
  const widths: number[] = [];
  for (const row of all) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, visible(cell))));
  if (fit && process.stdout.isTTY) narrow(widths, (process.stdout.columns || 100) - indent, right);
  return all
    .map((row) => {
      const cells = row.map((cell, i) => {
        const width = widths[i] ?? 0;
        const text = cut(cell, width);
        const gap = " ".repeat(Math.max(0, width - visible(text)));
        return right.includes(i) ? gap + text : text + gap;
      });
      return (" ".repeat(indent) + cells.join("  ")).trimEnd();
    })
    .join("\n");
}

const NARROWEST = 6;

/** Takes characters from the widest text column until the row fits the terminal; numbers stay whole. */
function narrow(widths: number[], room: number, right: readonly number[]): void {
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + 2 * (widths.length - 1);
  while (total() > room) {
    let widest = -1;
    widths.forEach((width, i) => {
      if (i > 0 && !right.includes(i) && width > NARROWEST && (widest < 0 || width > (widths[widest] ?? 0))) widest = i;
    });
    if (widest < 0) return;
    widths[widest]! -= 1;
  }
}

const visible = (text: string): number => stripVTControlCharacters(text).length;

/** Cuts to `room` characters, with an ellipsis; colours are lost when it cuts. */
export function cut(text: string, room: number): string {
  const plain = stripVTControlCharacters(text);
  return plain.length <= room ? text : `${plain.slice(0, Math.max(1, room - 1)).trimEnd()}…`;
}

/** 83.456 s → "1:23.456"; an hour → "1:00:00.000". */
export function clock(us: number, digits: 0 | 1 | 3 = 1): string {
  const unit = 10 ** (6 - digits);
  const rounded = Math.round(us / unit) * unit;
  const total = Math.floor(rounded / 1_000_000);
  const [h, m, s] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const two = (n: number): string => String(n).padStart(2, "0");
  const fraction = digits === 0 ? "" : `.${String(Math.floor((rounded % 1_000_000) / unit)).padStart(digits, "0")}`;
  return `${h > 0 ? `${h}:${two(m)}` : m}:${two(s)}${fraction}`;
}

/** A whole number: 1234567 → "1,234,567". By hand: the first toLocaleString of a process takes 10 to 25 ms. */
export const count = (n: number): string => String(n).replace(/\B(?=(?:\d{3})+$)/g, ",");

/** Bytes with a unit: "1.9 MB" (decimal, as file managers show it). */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** "0.8 s", "2 min 5 s". */
export function elapsed(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h} h ${m} min` : `${m} min ${s} s`;
}

/** "3 scenes", "1 scene". */
export const plural = (n: number, word: string, many = `${word}s`): string => `${count(n)} ${n === 1 ? word : many}`;

/** A word as the shell reads it back. */
export const shellWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
