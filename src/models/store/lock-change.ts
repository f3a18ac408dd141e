/** A file that is not what the lock file has. Apart from the lock file itself: workers check files, and need not load what reads it. */
import { sep } from "node:path";
import { EXIT, FlowError, type ModelFile, type ModelManifest } from "../../contracts/index.js";
import { cacheFolder } from "./folders.js";
import { lockKey } from "./lock-key.js";

/** What is wrong with a file that lies where the locked one has to. */
export const changeText = ({ at, sizeBytes, sha256, lock }: ModelFile, found: { size: number; sha256: string }): string =>
  `${at} has changed since it was locked: found ${found.size} bytes sha256 ${found.sha256}, expected ${sizeBytes} bytes sha256 ${sha256} (${lock})`;

/** Files whose hash was only learned at their first use, from a source that can be asked again: what came then may not have been the files. */
const learnedOf = ({ files }: Pick<ModelManifest, "files">): ModelFile[] => files.filter((file) => file.lock !== undefined && file.source !== null);

export const canRelearn = (model: Pick<ModelManifest, "files">): boolean => learnedOf(model).length > 0;

/** The cure where such files turn out not to be the model. What lies outside the cache would be found and trusted again. `word`: how a command names the model. */
export function relearn(model: Pick<ModelManifest, "files">, word: string): string {
  const outside = learnedOf(model).map(({ at }) => at).filter((at) => !at.startsWith(cacheFolder() + sep));
  return `${outside.length > 0 ? `take ${outside.join(", ")} away, then ` : ""}flow models rm ${word} --unlock && flow models pull ${word}`;
}

/** MODEL_LOCK of a file that is there. */
export function changedFile(id: string, file: ModelFile, found: { size: number; sha256: string }): FlowError {
  const back = file.source === null ? "Restore the file" : `For the locked bytes: \`flow models pull ${id}\``;
  return new FlowError("MODEL_LOCK", `model ${id}: ${changeText(file, found)}`, {
    hint: `${back}. To accept what is there: \`flow models rm ${id} --unlock\`, or remove the entry ${lockKey(file.source, id, file.path)} from the lock file.`,
    exit: EXIT.environment,
    permanent: true,
  });
}
