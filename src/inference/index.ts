export { Batcher, isItemError, type BatcherOptions } from "./batcher.js";
export { InferencePool, type PoolOptions, type PoolStats, type WorkerStats } from "./pool.js";
export type { EachItem, PoolCall, PoolResult } from "./protocol.js";
