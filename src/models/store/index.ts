export { cacheFolder, givenFolders, layout } from "./folders.js";
export { createLocate } from "./locate.js";
export { ModelsLock } from "./lock.js";
export { lockKey } from "./lock-key.js";
export { missingOf, pull, type PullFile, type PullOptions, type PullResult } from "./pull.js";
export { importFolder, type Imported } from "./import.js";
export { remove, removeFolder, type Removed } from "./remove.js";
export { endPending, partialFiles, pendingAdds, pendingId, removePartial, removePending, startPending } from "./pending.js";
export { pageOf, sourceText } from "./sources.js";
