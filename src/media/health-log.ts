import { redactUri } from "./uri.js";

const MAX_MESSAGES = 50;

/** ffmpeg tries a lost connection again after 0, 1, 3, 7, … s, as long as that is no more than this. */
export const RECONNECT_DELAY_MAX_S = 5;

/** The decoder's complaints: one line each without addresses and credentials, repeated ones counted, bounded in number. */
export class HealthLog {
  readonly #seen = new Map<string, number>();
  #text = "";
  #unsaid = 0;
  #lastTry = false;
  /** A connection was tried again for the last time, and reading failed after that: what came is not the whole medium. ffmpeg takes it for the end. */
  lost = false;
  last = "";

  constructor(
    readonly uri: string,
    readonly report: (message: string) => void,
  ) {}

  push(text: string): void {
    const lines = (this.#text + text).split(/[\r\n]+/);
    this.#text = (lines.pop() ?? "").slice(-4096);
    for (const line of lines) this.add(line);
  }

  add(raw: string): void {
    const level = /\[(panic|fatal|error|warning)\] /.exec(raw);
    if (level?.[1] === "warning") {
      const delay = /Will reconnect at \d+ in (\d+) second/.exec(raw)?.[1];
      if (delay !== undefined) this.#lastTry = 1 + 2 * Number(delay) > RECONNECT_DELAY_MAX_S;
      return;
    }
    this.lost ||= this.#lastTry;
    // "[h264 @ 0x5581]" differs from run to run.
    const line = redactUri(raw.replace(level?.[0] ?? "", "").replaceAll(this.uri, "input").replace(/\s@\s0x[0-9a-f]+/g, "").trim()).slice(0, 300);
    if (line === "") return;
    this.last = line;
    // What a cut connection leaves is no damage of the medium.
    if (this.lost) return;
    // The same complaint with other numbers is the same complaint.
    const kind = line.replace(/\d+/g, "#");
    const count = (this.#seen.get(kind) ?? 0) + 1;
    if (count > 1 || this.#seen.size < MAX_MESSAGES) this.#seen.set(kind, count);
    if (count === 1 && this.#seen.size <= MAX_MESSAGES && this.#seen.has(kind)) this.report(line);
    else this.#unsaid++;
  }

  end(): void {
    if (this.#text !== "") this.add(this.#text);
    this.#text = "";
    if (this.#unsaid > 0) this.report(`${this.#unsaid} more messages of these kinds`);
    this.#unsaid = 0;
  }
}
