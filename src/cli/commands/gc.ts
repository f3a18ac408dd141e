import { existsSync } from "node:fs";
import type { Command } from "commander";
import type { Store } from "../../store/index.js";
import { toFlowError } from "../../contracts/errors.js";
import { storeOption } from "../command-line.js";
import { act, define, withStore as withStoreOption, type StoreOptions } from "../define.js";
import type { GcDocument } from "../json.js";
import { colours, count, plural, print, printJson, size, table } from "../output.js";

interface Options extends StoreOptions {
  dryRun?: boolean;
  missing?: boolean;
}

/** A file is written anew when that frees at least this share of it, and this much. */
const WORTH_SHARE = 0.1;
const WORTH_BYTES = 1_000_000;

export function command(): Command {
  const gc = define("gc", {
    description:
      "What stays: every record, and what the plan that made it stored on the way, so that running it again is still cached; all of a medium that a run was interrupted in. " +
      "What goes: blocks and results of other settings (an earlier model, threshold or template: going back to it computes again), records of files whose content has changed since, pictures that no record names. " +
      "Records of files that are gone stay, unless --missing. The file is then written anew without free space (that needs as much free disk as the data). No run may be writing; a kill at any moment loses nothing.",
    examples: [
      ["flow gc --dry-run", "what would go, and how much"],
      ["flow gc", "remove it and shrink the file"],
      ["flow gc --missing", "also all results of files that are gone"],
      ["flow gc --store /data/flow --json", "another store, for a script"],
    ],
  })
    .option("--dry-run", "only say what would go")
    .option("--missing", "also remove media whose files are gone (URLs stay), with all their results");
  return act<Options>(withStoreOption(gc), async (_, options) => {
    const document = await collect(options);
    if (options.json) return printJson(document);
    printDocument(document, options);
  });
}

async function collect(options: Options): Promise<GcDocument> {
  const [{ Store }, { isUrl, localPath }] = await Promise.all([import("../../store/index.js"), import("../../media/index.js")]);
  const dryRun = options.dryRun === true;
  // Reading first: a folder that is no store must not become one.
  const reader = await Store.open(options.store, { readOnly: true });
  if (!dryRun) await reader.close();
  const store = dryRun ? reader : await Store.open(options.store);
  try {
    const beforeBytes = store.fileUse().bytes;
    const { media, removed } = await store.collect({ dryRun, missing: options.missing === true, isGone: (uri) => !isUrl(uri) && !existsSync(localPath(uri)) });
    const reason = dryRun ? null : await compact(store);
    const afterBytes = dryRun || reason !== null ? beforeBytes : store.fileUse().bytes;
    return { dryRun, store: store.dir, media, removed, file: { beforeBytes, afterBytes, compacted: !dryRun && reason === null, ...(reason ? { reason } : {}) } };
  } finally {
    await store.close();
  }
}

/** null: done. Else why not; "" when it is not worth it. */
async function compact(store: Store): Promise<string | null> {
  await store.flushed();
  const { bytes, freeBytes } = store.fileUse();
  if (freeBytes < Math.max(WORTH_BYTES, bytes * WORTH_SHARE)) return "";
  try {
    await store.compact();
    return null;
  } catch (thrown) {
    const error = toFlowError(thrown);
    if (error.code !== "STORE_COMPACT_FAILED") throw error;
    return error.message;
  }
}

function printDocument({ dryRun, media, removed, file }: GcDocument, options: Options): void {
  const rows = Object.entries(removed).filter(([, { count }]) => count > 0);
  const bytes = rows.reduce((sum, [, row]) => sum + row.bytes, 0);
  if (rows.length === 0 && media.length === 0) print("nothing to remove: every row is reached by a result");
  else {
    for (const { uri, why } of media) print(`${colours.yellow(why)} ${uri}`);
    print(table(rows.map(([kind, row]) => [colours.cyan(kind), count(row.count), size(row.bytes)]), { right: [1, 2] }));
    print(`${dryRun ? "would remove" : "removed"} ${plural(rows.reduce((sum, [, row]) => sum + row.count, 0), "row")}, ${size(bytes)}${media.length > 0 ? `, with ${plural(media.length, "medium", "media")}` : ""}`);
  }
  if (file.compacted) print(`file: ${size(file.beforeBytes)} → ${size(file.afterBytes)}`);
  else if (file.reason) print(`${colours.yellow("not shrunk:")} ${file.reason}`);
  else print(`file: ${size(file.beforeBytes)}`);
  if (dryRun && rows.length > 0) print(`${colours.dim("next:")} flow gc${options.missing ? " --missing" : ""}${storeOption(options.store)}`);
}
