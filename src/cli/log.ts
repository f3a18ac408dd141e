import { note } from "./output.js";

/** What a long command says on stderr: lines for people, or one JSON object a line (`event`, `at`, …) with `--log json`; nothing with `--quiet`. */
export class Log {
  constructor(readonly format: "text" | "json" | "off") {}

  /** `text`: how people read it; null: they do not need it. */
  event(event: string, data: Record<string, unknown>, text: string | null): void {
    if (this.format === "json") note(JSON.stringify({ event, at: new Date().toISOString(), ...data }));
    else if (this.format === "text" && text !== null) note(text);
  }
}
