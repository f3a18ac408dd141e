import { MISSING_END_US, type Complaint, type MediumInfo } from "../contracts/index.js";
import type { MediumResult } from "./medium-context.js";

/** Media that are named; of more only the number is told. */
const NAMED = 5;

/** How far picture and sound were read; null what was not. */
export interface ReadEnds {
  video: number | null;
  audio: number | null;
}

/** What a person has to know of a medium that was read to its end all the same; null for a whole one. */
export function damageOf(info: MediumInfo, ends: ReadEnds, complaints: readonly Complaint[]): string | null {
  const readUs = info.video ? ends.video : ends.audio;
  const promisedUs = promisedEndUs(info, ends);
  const missing = readUs !== null && promisedUs !== null && promisedUs - readUs >= MISSING_END_US ? `only ${at(readUs)} of ${at(promisedUs)} could be read` : null;
  const [first] = complaints;
  const complained = first ? `the decoder complained ${complaints.length === 1 ? "once" : `${complaints.length} times`}${first.atUs >= 0 ? `, first after ${at(first.atUs)}` : ""}: ${first.message.replace(/\.$/, "")}` : null;
  return missing || complained ? [missing, complained].filter(Boolean).join("; ") : null;
}

/** Where the main stream should end. The length of the whole is no promise of a picture whose sound goes on to there. */
function promisedEndUs({ video, audio, durationUs, startUs }: MediumInfo, ends: ReadEnds): number | null {
  const told = (video ?? audio)?.endUs;
  if (durationUs === null) return null;
  if (told !== null && told !== undefined) return Math.min(durationUs, told - startUs);
  return video && ends.audio !== null && durationUs - ends.audio < MISSING_END_US ? null : durationUs;
}

/** The notes of a run. */
export function damageNotes(results: readonly Pick<MediumResult, "name" | "damage">[]): string[] {
  const damaged = results.filter(({ damage }) => damage);
  const rest = damaged.length - NAMED;
  return [...damaged.slice(0, NAMED).map(({ name, damage }) => `${name} is damaged: ${damage}`), ...(rest > 0 ? [`${rest} more media are damaged: flow show --kind media --json has their health`] : [])];
}

const at = (us: number): string => `${(us / 1e6).toFixed(1)} s`;
