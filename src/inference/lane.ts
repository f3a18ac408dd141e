import type { WorkerReply, WorkerTask } from "./protocol.js";

/** Workers of one kind for one device. Rejects with a FlowError when no reply comes (POOL_FULL, NOT_CLONEABLE, WORKER_DIED, WORKER_TIMEOUT). */
export interface Lane {
  run(task: WorkerTask, node: string | undefined, timeoutMs: number | null): Promise<WorkerReply>;
  /** The same warm task in every worker; rejects with the first that failed, when all have ended. */
  everywhere(task: Extract<WorkerTask, { type: "warm" }>): Promise<WorkerReply[]>;
  /** What has not begun is not begun any more. */
  stop(): void;
  /** Nothing runs any more when this is called. */
  close(): Promise<void>;
}

export interface LaneOptions {
  workers: number;
  intraOpThreads: number;
  maxQueue: number;
  stop: Int32Array;
}
