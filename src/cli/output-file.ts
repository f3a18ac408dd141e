import { statSync, type Stats } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { EXIT, FlowError } from "../contracts/errors.js";
import type { Store } from "../store/index.js";

/**
 * Whether a command may write to `out`; throws OUTPUT_REFUSED, or OUTPUT_UNWRITABLE when its folder is not there. A file that is there is replaced, but not a medium of the store or the store itself; and nothing
 * else than a file is: what is written appears by a rename, which would put it in the place of a device or a pipe.
 */
export function checkOutput(out: string, store: Store): void {
  const refuse = (why: string): FlowError => new FlowError("OUTPUT_REFUSED", `${out} cannot be written: ${why}.`, { hint: "Name another file with -o.", exit: EXIT.badInput });
  if (out === "-") throw refuse("results go into a file, not to standard output");
  const folder = dirname(resolve(out));
  if (!statOf(folder)?.isDirectory()) throw new FlowError("OUTPUT_UNWRITABLE", `${out} cannot be written: there is no folder ${folder}.`, { hint: "Name a file in an existing folder with -o.", exit: EXIT.environment });
  const there = statOf(out);
  if (!there) return;
  if (!there.isFile()) throw refuse(there.isDirectory() ? "it is a folder" : "it is no regular file");
  const same = (path: string): boolean => {
    const other = statOf(path);
    return other !== null && other.ino === there.ino && other.dev === there.dev;
  };
  if (["data.mdb", "data.mdb-lock"].some((name) => same(join(store.dir, name)))) throw refuse("it is the store");
  for (const { info, uris } of store.mediaRows({ superseded: true })) {
    if ([info.uri, ...uris].some(same)) throw refuse("it is a medium of the store");
  }
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}
