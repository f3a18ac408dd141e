export { Batcher, isItemError, type BatcherOptions } from "./batcher.js";
export type { DeviceChoice } from "./device-chooser.js";
export { autoDevice, CUDA_COMMAND, devicesHere, unavailable } from "./devices.js";
export { InferencePool, type PoolOptions, type PoolStats, type WorkerStats } from "./pool.js";
export { DEFAULT_CHECK, type CallRuntime, type EachItem, type PoolCall, type PoolResult } from "./protocol.js";
