import { z } from "zod";
import { parseDurationUs } from "./duration.js";

/**
 * Config field for a length of time: accepts "0.6s", "40ms", "5m" or a number of seconds, gives integer microseconds.
 * Write its default as the reader will see it: `duration().prefault("0.6s")`.
 */
export function duration() {
  return z.union([z.number(), z.string()]).meta({ title: "duration" }).transform((value, ctx) => {
    const us = parseDurationUs(value);
    if (us !== null) return us;
    ctx.issues.push({ code: "custom", message: 'a duration like "0.6s", "40ms" or "5m" expected', input: value });
    return z.NEVER;
  });
}
