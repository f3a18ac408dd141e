/** Fresh processes for the benches, and the arithmetic of their results. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/**
 * As the first line of the command sets it (src/cli/main.ts): glibc gives each of a dozen threads an arena of its own, and what one thread allocates and
 * another frees leaves holes in all of them.
 */
export const COMMAND_ENV = { MALLOC_ARENA_MAX: "1" };

/** Runs a compiled module of this folder in a process of its own and parses the last line it prints. */
export async function inChild<T>(module: string, args: string[], env: Record<string, string> = {}): Promise<T> {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(new URL(module, import.meta.url)), ...args], { maxBuffer: 1 << 28, env: { ...process.env, ...env } });
  return JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as T;
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
export const round = (value: number, digits = 3): number => +value.toFixed(digits);
/** Median and range, rounded. */
export const spread = (values: readonly number[], digits = 3): { median: number; min: number; max: number } => ({ median: round(median(values), digits), min: round(Math.min(...values), digits), max: round(Math.max(...values), digits) });
