import { MISSING_END_US, type Complaint, type MediumInfo } from "../contracts/index.js";
import type { MediumResult } from "./medium-context.js";

/** Media that are named; of more only the number is told. */
const NAMED = 5;

/**
 * What a person has to know of a medium that was read to its end all the same; null for a whole one.
 * @param readUs how far its main stream was read; null when it was not
 */
export function damageOf({ durationUs }: MediumInfo, readUs: number | null, complaints: readonly Complaint[]): string | null {
  const missing = readUs !== null && durationUs !== null && durationUs - readUs >= MISSING_END_US ? `only ${at(readUs)} of ${at(durationUs)} could be read` : null;
  const [first] = complaints;
  const complained = first ? `the decoder complained ${complaints.length === 1 ? "once" : `${complaints.length} times`}${first.atUs >= 0 ? `, first after ${at(first.atUs)}` : ""}: ${first.message.replace(/\.$/, "")}` : null;
  return missing || complained ? [missing, complained].filter(Boolean).join("; ") : null;
}

/** The notes of a run. */
export function damageNotes(results: readonly Pick<MediumResult, "name" | "damage">[]): string[] {
  const damaged = results.filter(({ damage }) => damage);
  const rest = damaged.length - NAMED;
  return [...damaged.slice(0, NAMED).map(({ name, damage }) => `${name} is damaged: ${damage}`), ...(rest > 0 ? [`${rest} more media are damaged: flow show --kind media --json has their health`] : [])];
}

const at = (us: number): string => `${(us / 1e6).toFixed(1)} s`;
