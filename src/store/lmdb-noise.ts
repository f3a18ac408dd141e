/**
 * lmdb (3.5, write.js) prints the error of a failed commit with console.error before it rejects the writes of that commit. Those rejections are
 * what we report, with a hint; its print is a stack trace in front of it. While a writer is open, exactly this print is kept back (an Error with
 * LMDB's numeric code, alone, from lmdb's own file) and kept as the reason; everything else is printed as ever.
 */
let writers = 0;
let original: typeof console.error | null = null;
let last: string | null = null;

export function holdBackCommitTraces(): void {
  writers += 1;
  if (original) return;
  const print = (original = console.error);
  console.error = (...args: unknown[]): void => {
    if (isCommitFailure(args)) last = (args[0] as Error).message;
    else print.apply(console, args);
  };
}

export function letTracesThrough(): void {
  writers -= 1;
  if (writers > 0 || !original) return;
  console.error = original;
  original = null;
}

/** What the system said of the last commit that failed, as "No space left on device"; null if nothing did. */
export const lastCommitFailure = (): string | null => last;

function isCommitFailure(args: readonly unknown[]): boolean {
  const [error] = args;
  return args.length === 1 && error instanceof Error && typeof (error as { code?: unknown }).code === "number" && /[\\/]lmdb[\\/]/.test(error.stack ?? "");
}
