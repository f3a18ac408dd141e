import { statSync } from "node:fs";
import type { Command } from "commander";
import { EXIT, FlowError, toFlowError } from "../../contracts/errors.js";
import { repeatCommand } from "../command-line.js";
import { act, define, quantity, withStore as withStoreOption, type StoreOptions } from "../define.js";
import type { IdentityCache } from "../../media/index.js";
import type { ClipDocument } from "../json.js";
import { withStore } from "../open-store.js";
import { clock, print, printJson, size } from "../output.js";
import { checkOutput } from "../output-file.js";
import { findRecord } from "../records.js";

/**
 * The first of the medium's paths that still holds it; throws what is wrong with the first. Another file under the same path would give a clip that shows
 * something else than the record says.
 */
async function whereItIs(medium: string, uris: readonly string[], identities: IdentityCache, goOn: string): Promise<string> {
  const { identify, isUrl } = await import("../../media/index.js");
  let problem: FlowError | undefined;
  for (const uri of uris) {
    try {
      if (isUrl(uri) || (await identify(uri, identities)).id === medium) return uri;
      problem ??= new FlowError("MEDIUM_CHANGED", `${uri} is not the file that the record was made from: its bytes have changed.`, { hint: "Put the old file back, or run the graph again and take a record of the new one.", exit: EXIT.badInput });
    } catch (cause) {
      problem ??= notThere(uri, toFlowError(cause), goOn);
    }
  }
  throw problem ?? new FlowError("MEDIUM_NOT_FOUND", "No path of the medium is known.", { hint: `Run the graph again: \`${goOn}\`.`, exit: EXIT.badInput });
}

function notThere(uri: string, cause: FlowError, goOn: string): FlowError {
  const moved = cause.code === "MEDIA_NOT_FOUND";
  return new FlowError(cause.code, moved ? `${uri}, which the record was made from, is no longer there: it was moved, renamed or deleted.` : cause.message, { hint: moved ? `Put it back, or tell the store where it is now: \`${goOn}\` computes nothing again and keeps the record's id.` : cause.hint, exit: EXIT.badInput, cause });
}

export function command(): Command {
  const clip = define("clip", {
    description: "Encodes H.264 and AAC, exact to the frame; the medium must still be where it was.",
    examples: [
      ["flow clip 3f2a -o car.mp4", "the interval of one record"],
      ["flow clip 3f2a -o car.mp4 --pad 1", "with a second before and after"],
      [`flow clip $(flow search "red car" --json | jq -r '.hits[0].id') -o car.mp4`, "the best hit of a search"],
    ],
  })
    .argument("<hit>", "id of a record, as `flow search` and `flow show` print it, or its beginning")
    .requiredOption("-o, --out <file>", "file to write: .mp4, .mkv or .mov")
    .option("--pad <seconds>", "seconds to add before and after", quantity, 0);
  return act<StoreOptions & { out: string; pad: number }>(withStoreOption(clip), async ([id], options) => {
    const { record, uri, endsUs } = await withStore(options.store, async (store) => {
      const found = findRecord(store, String(id));
      const row = store.getMedium(found.media);
      if (row?.info.kind === "image") throw new FlowError("CLIP_INVALID", `${row.info.uri} is a picture: there is nothing to cut out of it.`, { hint: "Take the file itself, or a record of a video or a sound.", exit: EXIT.badInput });
      if (!row) throw new FlowError("MEDIUM_NOT_FOUND", `The store does not know the medium of ${found.id}.`, { hint: "Run the graph again on it.", exit: EXIT.failedItems });
      checkOutput(options.out, store);
      const uri = await whereItIs(found.media, [...new Set([row.info.uri, ...row.uris])], store.identities, repeatCommand([...store.runs()][0]?.args ?? [], options.store, { inputs: ["NEW_PATH"] }));
      return { record: found, uri, endsUs: row.info.durationUs };
    });
    const { cutClip } = await import("../../media/index.js");
    const padUs = Math.round(options.pad * 1e6);
    const startUs = Math.max(0, record.startUs - padUs);
    const endUs = Math.min(record.endUs + padUs, Math.max(endsUs ?? Infinity, record.endUs));
    await cutClip({ uri, startUs, endUs, out: options.out });
    const bytes = statSync(options.out).size;
    if (options.json) return printJson({ path: options.out, bytes, id: record.id, uri, startUs, endUs } satisfies ClipDocument);
    print(`${options.out}: ${clock(startUs)} – ${clock(endUs)} of ${uri}, ${size(bytes)}`);
  });
}
