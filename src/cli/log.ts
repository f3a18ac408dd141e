import type { FlowErrorData, Problem } from "../contracts/index.js";
import { note } from "./output.js";

/** What a long command says on stderr: lines for people, or one JSON object a line (LogLine in json.ts) with `--log json`; nothing but failures with `--quiet`. */
export class Log {
  constructor(readonly format: "text" | "json" | "off") {}

  /** `text`: how people read it; null: they do not need it. */
  event(event: string, data: Record<string, unknown>, text: string | null): void {
    if (this.format === "json") logLine(event, data);
    else if (this.format === "text" && text !== null) note(text);
  }
}

/** One line of `--log json`. */
export function logLine(event: string, data: Record<string, unknown>): void {
  note(JSON.stringify({ event, at: new Date().toISOString(), ...data }));
}

/** The line of `--log json` that a command fails with, also when `--quiet`. */
export function logError(error: FlowErrorData, problems: Problem[] | undefined): void {
  logLine("error", { error, ...(problems ? { problems } : {}) });
}
