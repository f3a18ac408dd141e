import { createHash } from "node:crypto";

/** JSON with sorted keys: equal values give equal texts. `undefined` members vanish, as in JSON. */
export function canonicalJson(value: unknown): string {
  if (value instanceof RegExp || value instanceof Date) return JSON.stringify(String(value));
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const record = value as Record<string, unknown>;
    const keys = Object.keys(record).filter((key) => record[key] !== undefined).sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(record[key])}`).join(",")}}`;
  }
  if (typeof value === "bigint") return `"${value}n"`;
  return JSON.stringify(value) ?? "null";
}

/** First 16 hex characters of SHA-256 over canonical JSON. */
export const shortHash = (value: unknown): string => createHash("sha256").update(canonicalJson(value)).digest("hex").slice(0, 16);
