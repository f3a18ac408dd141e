/** The public SDK: what a program embeds and what a plugin imports. */
export * from "./contracts/index.js";
export { duration } from "./contracts/duration-field.js";
export { loadGraph, compileExpression } from "./graph/index.js";
export { runPlan, exitCodeOf, type RunOptions, type RunProgress, type RunSummary } from "./engine/index.js";
export { Store } from "./store/index.js";
export { catalogue } from "./operators/index.js";
export { loadModels } from "./models/manifest.js";
export { runGraph, openStore, type RunGraphOptions } from "./sdk.js";
