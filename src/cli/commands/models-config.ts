import { readFileSync } from "node:fs";
import { EXIT, FlowError } from "../../contracts/errors.js";

/** The object in a file, or why there is none. */
export function jsonObject(path: string): Record<string, unknown> | string {
  try {
    const value = JSON.parse(readFileSync(path, "utf8")) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : "it holds no JSON object";
  } catch (thrown) {
    return thrown instanceof SyntaxError ? `it is no JSON (${thrown.message})` : (thrown as Error).message;
  }
}

/** Of configuration that is the model's. */
export const unreadable = (what: string, why: string, hint: string): FlowError => new FlowError("MODEL_CONFIG", `${what} cannot be read: ${why}`, { hint, exit: EXIT.badInput });
