/** 83.456 s → "1:23.5"; an hour and more → "1:00:00.0". */
export function clock(us: number, digits: 0 | 1 | 3 = 1): string {
  const unit = 10 ** (6 - digits);
  const rounded = Math.round(us / unit) * unit;
  const total = Math.floor(rounded / 1e6);
  const [h, m, s] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const two = (n: number): string => String(n).padStart(2, "0");
  const fraction = digits === 0 ? "" : `.${String(Math.floor((rounded % 1e6) / unit)).padStart(digits, "0")}`;
  return `${h > 0 ? `${h}:${two(m)}` : m}:${two(s)}${fraction}`;
}

export const range = (startUs: number, endUs: number): string => `${clock(startUs)} – ${clock(endUs)}`;

/** A length: "3.4 s", "1 min 13 s", "2 h 5 min". */
export function length(us: number): string {
  const seconds = us / 1e6;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
}

/** Decimal units, as file managers show them. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export const count = (n: number): string => n.toLocaleString("en-US");
export const plural = (n: number, word: string, many = `${word}s`): string => `${count(n)} ${n === 1 ? word : many}`;

/** A number as people write it: at most `digits` decimals, a real minus sign. */
export const decimal = (value: number, digits = 1): string => String(Number(value.toFixed(digits))).replace("-", "−");

/** A word as the shell reads it back. */
export const shellWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
