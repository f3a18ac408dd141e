import type { WorkerReply, WorkerTask } from "./protocol.js";

/** What a task is sent with. */
export interface Terms {
  /** The node whose call it is. */
  node?: string | undefined;
  /** How long a call may take once its models are open; where workers are processes. null: as long as it wants. */
  timeoutMs: number | null;
}

/** Workers of one kind for one device. Rejects with a FlowError when no reply comes (POOL_FULL, NOT_CLONEABLE, WORKER_DIED, WORKER_TIMEOUT, CANCELLED). */
export interface Lane {
  run(task: WorkerTask, terms: Terms): Promise<WorkerReply>;
  /** The same warm task in every worker; rejects with the first that failed, when all have ended. */
  everywhere(task: Extract<WorkerTask, { type: "warm" }>, terms: Terms): Promise<WorkerReply[]>;
  /** What has not begun is not begun any more. */
  stop(): void;
  /** Nothing runs any more when this is called. */
  close(): Promise<void>;
}

/** A worker ended in the middle of its work. `of`: the node whose call it had, or the models it was opening. */
export type Ended = (of: string, how: string) => void;

export interface LaneOptions {
  workers: number;
  /** Calls at once in one worker, where workers are processes: with more than one, one runs on the device while the others prepare theirs. Default 1. */
  seats?: number;
  intraOpThreads: number;
  maxQueue: number;
  stop: Int32Array;
  /** Aborted: processes that have no item's call are killed, their tasks end as CANCELLED. A thread cannot be: it finishes. */
  interrupted: AbortSignal | undefined;
  /** Told of each worker that ended and another took the place of, or the run would not say how it fared. */
  ended: Ended;
}
