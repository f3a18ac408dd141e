import { redactUri } from "./uri.js";

const MAX_MESSAGES = 50;

/** The decoder's complaints: one line each without addresses and credentials, repeated ones counted, bounded in number. */
export class HealthLog {
  readonly #seen = new Map<string, number>();
  #text = "";
  #unsaid = 0;
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
    // "[h264 @ 0x5581]" differs from run to run.
    const line = redactUri(raw.replaceAll(this.uri, "input").replace(/\s@\s0x[0-9a-f]+/g, "").trim()).slice(0, 300);
    if (line === "") return;
    this.last = line;
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
