import { createHash } from "node:crypto";
import type { Interval, Outcome, Series } from "../contracts/index.js";
import { itemMemoKey, sortedNames } from "../store/index.js";

/**
 * Digest of a value as a consumer sees it: type-tagged, key order irrelevant, floats by their bytes. Memo keys are made of these, so an
 * upstream node that ran again and gave the same value leaves everything below it cached (early cutoff).
 */
export function digestValue(value: unknown): string {
  const feed = new Feed();
  feed.value(value);
  return feed.digest();
}

const TEXT_LENGTH = 1 << 16;

/** Texts are gathered and hashed together: a value is many small pieces, and each call of the hash goes out of JavaScript. */
class Feed {
  private readonly hash = createHash("sha256");
  private text = "";

  value(value: unknown): void {
    if (this.text.length > TEXT_LENGTH) this.flush("");
    if (value === null || value === undefined) this.text += "0;";
    else if (typeof value === "string") this.text += `s${value.length}:${value};`;
    else if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") this.text += `${typeof value}${String(value)};`;
    else if (ArrayBuffer.isView(value)) this.bytes(value);
    else if (Array.isArray(value)) {
      this.text += `a${value.length}:`;
      for (const entry of value) this.value(entry);
    } else this.object(value as Record<string, unknown>);
  }

  digest(): string {
    return this.hash.update(this.text).digest("hex").slice(0, 32);
  }

  private bytes(view: ArrayBufferView): void {
    this.flush(`b${view.constructor.name}${view.byteLength}:`);
    this.hash.update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  }

  private flush(text: string): void {
    this.hash.update(this.text + text);
    this.text = "";
  }

  private object(value: Record<string, unknown>): void {
    const names = sortedNames(value);
    this.text += `o${names.length}:`;
    for (const name of names) {
      this.text += `${name}=`;
      this.value(value[name]);
    }
  }
}

const digested = new WeakMap<Series, string>();

/** Made once for a series, which its readers leave as it is. */
export function digestSeries(series: Series): string {
  let digest = digested.get(series);
  if (digest === undefined) digested.set(series, (digest = digestValue({ p: series.ptsUs, d: series.data, b: series.bytes, w: series.width })));
  return digest;
}

/** Memo key of one item of one node: static part × item × what it consumed. Medium and interval stand in clear, for `collect` to read (memo-keys.ts of the store). */
export function memoKey(nodeKey: string, medium: string, interval: Interval, inputDigests: readonly string[]): string {
  return itemMemoKey(nodeKey, medium, interval, digestValue([medium, interval.startUs, interval.endUs, ...inputDigests]));
}

/** A record's id: a hash of exactly what it is about, never an index. */
export function recordId(kind: string, medium: string, interval: Interval): string {
  return digestValue([kind, medium, interval.startUs, interval.endUs]).slice(0, 16);
}

export const digestOutcome = (outcome: Outcome): string =>
  outcome.kind === "done" ? digestValue(outcome.value) : outcome.kind === "failed" ? `failed` : `${outcome.kind}:${outcome.reason}`;
