export { runPlan, exitCodeOf, type RunOptions, type RunProgress, type RunSummary } from "./run.js";
export { explainPlan, type NodePlanState } from "./explain.js";
export { measuredPlan } from "./memory.js";
export { checkStandIns } from "./stand-ins.js";
export { unbalanced } from "./ledger.js";
