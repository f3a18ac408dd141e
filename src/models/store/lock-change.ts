/** A file that is not what the lock file has. Apart from the lock file itself: workers check files, and need not load what reads it. */
import { EXIT, FlowError, type ModelFile, type ModelManifest } from "../../contracts/index.js";
import { lockKey } from "./lock-key.js";

/** What is wrong with a file that lies where the locked one has to. */
export const changeText = ({ at, sizeBytes, sha256, lock }: ModelFile, found: { size: number; sha256: string }): string =>
  `${at} has changed since it was locked: found ${found.size} bytes sha256 ${found.sha256}, expected ${sizeBytes} bytes sha256 ${sha256} (${lock})`;

/** Whether a source may be asked again for files whose hash was only learned at their first use: what came then may not have been the files. */
export const canRelearn = ({ files }: Pick<ModelManifest, "files">): boolean => files.some((file) => file.lock !== undefined && file.source !== null);

/** The cure where such files turn out not to be the model. `word`: how a command names it. */
export const relearn = (word: string): string => `flow models rm ${word} --unlock && flow models pull ${word}`;

/** MODEL_LOCK of a file that is there. */
export function changedFile(id: string, file: ModelFile, found: { size: number; sha256: string }): FlowError {
  const back = file.source === null ? "Restore the file" : `For the locked bytes: \`flow models pull ${id}\``;
  return new FlowError("MODEL_LOCK", `model ${id}: ${changeText(file, found)}`, {
    hint: `${back}. To accept what is there: \`flow models rm ${id} --unlock\`, or remove the entry ${lockKey(file.source, id, file.path)} from the lock file.`,
    exit: EXIT.environment,
    permanent: true,
  });
}
