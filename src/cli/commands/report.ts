import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { EXIT, FlowError } from "../../contracts/errors.js";
import { act, define, withStore as withStoreOption, type StoreOptions } from "../define.js";
import { packageVersion } from "../environment.js";
import { installedModels, readable } from "../open-graph.js";
import type { WrittenDocument } from "../json.js";
import { withStore } from "../open-store.js";
import { print, printJson, size } from "../output.js";
import { checkOutput } from "../output-file.js";
import { spacesOf } from "../../models/space.js";

export function command(): Command {
  const report = define("report", {
    description: "Storyboard, timeline, transcript, similar scenes, quality and the funnel; one file, no server, no network.",
    examples: [
      ["flow report", "into the store: .flow/report.html"],
      ["flow report -o talk.html", "into a file to send"],
    ],
  }).option("-o, --out <file>", "file to write (default: report.html in the store)");
  return act<StoreOptions & { out?: string }>(withStoreOption(report), async (_, options) => {
    const document = await writeReport(options.store, options.out);
    if (options.json) return printJson(document);
    print(`${document.path}  ${size(document.bytes)}`);
  });
}

/** Writes the page and says where. */
export async function writeReport(storeDir: string, out = join(storeDir, "report.html")): Promise<WrittenDocument> {
  const [{ renderReport }, models] = await Promise.all([import("../../report/index.js"), installedModels()]);
  // Thresholds and calibration belong to the space, and so to the model that made it.
  const spaces = spacesOf(readable(models));
  const html = await withStore(storeDir, (store) => {
    checkOutput(out, store);
    return renderReport(store, { spaces, storeArgument: storeDir, version: packageVersion() });
  });
  try {
    writeFileSync(out, html);
  } catch (cause) {
    throw new FlowError("OUTPUT_UNWRITABLE", `${out} cannot be written: ${(cause as Error).message}`, { hint: "Name another file with -o.", exit: EXIT.environment, cause });
  }
  return { path: out, bytes: Buffer.byteLength(html) };
}
