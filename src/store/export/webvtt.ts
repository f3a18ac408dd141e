import { extname } from "node:path";
import type { Cue, FlowRecord } from "../../contracts/index.js";
import type { Store } from "../store.js";
import { writeAtomically, type WrittenFile } from "./atomic-file.js";
import { nothingSelected, selected, type Selection } from "./selection.js";

/**
 * WebVTT of a text field: its cues where the record has them, else the text over the record's whole time. One file per medium: with several, the
 * medium's number and name go before the extension (talk.vtt → talk.1.lecture.vtt).
 */
export async function exportWebvtt(store: Store, out: string, selection: Selection, field: string): Promise<{ files: WrittenFile[]; records: number }> {
  const media = [...new Set([...cueRecords(store, selection, field)].map(({ record }) => record.media))];
  if (media.length === 0) throw nothingSelected(`no record has a text “${field}”`);
  const mocked = store.standIns ?? [];
  const standIns = mocked.length > 0 ? `\nNOTE stand-ins (--mock-models) instead of ${mocked.join(", ")}: nothing that they say is real\n` : "";
  const files: WrittenFile[] = [];
  let records = 0;
  for (const [index, medium] of media.entries()) {
    const info = store.getMedium(medium)?.info;
    const path = media.length === 1 ? out : numbered(out, index + 1, info?.name ?? medium.slice(0, 8));
    files.push(
      await writeAtomically(path, async (output) => {
        await output.write(`WEBVTT\n\nNOTE ${oneLine(info?.name ?? medium).replaceAll("-->", "->")} (${field})\n${standIns}`);
        for (const { record, cues } of cueRecords(store, { ...selection, media: [medium] }, field)) {
          records++;
          for (const [i, cue] of cues.entries()) await output.write(`\n${record.id}${cues.length > 1 ? `-${i + 1}` : ""}\n${time(cue.startUs)} --> ${time(Math.max(cue.endUs, cue.startUs + 1000))}\n${payload(cue.text)}\n`);
        }
      }),
    );
  }
  return { files, records };
}

function* cueRecords(store: Store, selection: Selection, field: string): IterableIterator<{ record: FlowRecord; cues: Cue[] }> {
  for (const record of selected(store, selection)) {
    const cues = cuesOf(record, field).filter((cue) => cue.text.trim() !== "");
    if (cues.length > 0) yield { record, cues };
  }
}

function cuesOf({ fields, startUs, endUs }: FlowRecord, field: string): Cue[] {
  const value = field === "transcript" && isCues(fields["cues"]) ? fields["cues"] : fields[field];
  if (isCues(value)) return value;
  if (typeof value === "string") return [{ startUs, endUs, text: value }];
  if (typeof value === "object" && value !== null && "text" in value && typeof value.text === "string") return [{ startUs, endUs, text: value.text }];
  return [];
}

const isCues = (value: unknown): value is Cue[] => Array.isArray(value) && value.length > 0 && value.every((cue) => typeof cue === "object" && cue !== null && typeof (cue as Cue).text === "string" && Number.isFinite((cue as Cue).startUs));

/** HH:MM:SS.mmm; hours may have more digits. */
function time(us: number): string {
  const ms = Math.round(us / 1000);
  const part = (value: number, digits = 2): string => String(value).padStart(digits, "0");
  return `${part(Math.floor(ms / 3_600_000))}:${part(Math.floor(ms / 60_000) % 60)}:${part(Math.floor(ms / 1000) % 60)}.${part(ms % 1000, 3)}`;
}

/** A cue ends at an empty line, and "<", "&" and "-->" mean something. */
const payload = (text: string): string => text.trim().replace(/\s*[\r\n]+\s*/g, "\n").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const oneLine = (text: string): string => text.replace(/\s+/g, " ");

function numbered(out: string, number: number, name: string): string {
  const extension = extname(out);
  const stem = extension === "" ? out : out.slice(0, -extension.length);
  return `${stem}.${number}.${name.slice(0, name.length - extname(name).length).replace(/[^\p{L}\p{N}_-]+/gu, "-")}${extension || ".vtt"}`;
}
