export { cacheFolder, givenFolders, layout } from "./folders.js";
export { createLocate } from "./locate.js";
export { ModelsLock, lockKey } from "./lock.js";
export { missingOf, pull, type PullFile, type PullOptions, type PullResult } from "./pull.js";
export { importFolder, type Imported } from "./import.js";
export { remove, removePartial, type Removed } from "./remove.js";
export { pageOf, sourceText } from "./sources.js";
