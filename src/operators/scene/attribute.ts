import type { Attribute } from "../../contracts/items.js";
import { rounded } from "../series-rows.js";
import { SYNONYMS } from "./attribute-words.js";

/** `label`: only if the number passed its bar. `digits`: what the number is worth. */
export function attribute(name: string, value: number, unit: string, digits: number, label: string | null): Attribute {
  return { name, value: rounded(value, digits), unit, label, synonyms: label === null ? [] : [...(SYNONYMS[label] ?? [])] };
}
