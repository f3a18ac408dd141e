/** What lanes reject with when no reply comes. A task that is no item's call is in no list of failed items: its error names the model and what was done with it. */
import { EXIT, FlowError, type ModelManifest } from "../contracts/index.js";
import type { Terms } from "./lane.js";
import type { ModelWire, WorkerTask } from "./protocol.js";

/** A call is an item's; anything else prepares the pool for calls. */
export type CallTask = Extract<WorkerTask, { type: "call" }>;
export type OpeningTask = Exclude<WorkerTask, CallTask>;

/** A worker that ended without a reply. */
export class WorkerEnded extends Error {
  constructor(
    /** Follows "the worker process": `was ended by SIGSEGV`. */
    readonly how: string,
    /** `shared`: it had other calls too. */
    readonly because: { timedOut?: boolean; signal?: NodeJS.Signals | null; lastWords?: string; shared?: boolean } = {},
  ) {
    super(how);
  }

  get code(): "WORKER_DIED" | "WORKER_TIMEOUT" {
    return this.because.timedOut ? "WORKER_TIMEOUT" : "WORKER_DIED";
  }

  get words(): string {
    return this.because.lastWords ? `: ${this.because.lastWords}` : "";
  }
}

const SHORT_OF_MEMORY = "The system ends processes that way when memory is short:";

export function callEnded(ended: WorkerEnded, { node, timeoutMs }: Terms): FlowError {
  if (ended.because.timedOut) return new FlowError(ended.code, `a call took longer than ${timeoutMs! / 1000} s and was ended`, { hint: "Raise `timeout` of the pool or the node, or make its batches smaller.", node });
  return new FlowError(ended.code, `the worker process ${ended.how}${ended.words}`, {
    hint: ended.because.signal === "SIGKILL" ? `${SHORT_OF_MEMORY} fewer workers or smaller batches need less.` : "The model or the operator ended the process. The item is in `flow errors`; the others went on.",
    node,
  });
}

/** `worker`: "worker process" or "worker thread"; `endings`: of those that tried it, one after the other. */
export function openingEnded(task: OpeningTask, worker: string, endings: readonly WorkerEnded[]): FlowError {
  const last = endings.at(-1)!;
  const [first, ...more] = endings.map(({ how }) => how);
  const how = more.length > 0 && more.every((one) => one === first) ? `${first}, twice` : [first, ...more].join(", the next one ");
  return new FlowError(last.code, `${undone(task)}: ${modelsOf(task).length === 1 ? "its" : "the"} ${worker} ${how}${last.words}`, { hint: openingHint(last), exit: EXIT.environment, cause: last });
}

function openingHint({ because }: WorkerEnded): string {
  if (because.signal === "SIGKILL") return `${SHORT_OF_MEMORY} fewer workers or a smaller model need less.`;
  // Without the model's id: where several end the same way, it is said once.
  if (because.timedOut) return "Check a model alone with `flow models verify ID`; if opening it only takes long, raise `timeout`.";
  return "Check a model alone with `flow models verify ID`: if that ends the same way, its file or the runtime that opens it is at fault on this machine, and another model has to take its role.";
}

export const openingCancelled = (task: OpeningTask): FlowError =>
  new FlowError("CANCELLED", `${undone(task)}: it was interrupted`, { hint: "Run the same command again: it goes on where it stopped.", exit: EXIT.interrupted });

function undone(task: OpeningTask): string {
  const ids = modelsOf(task);
  const models = ids.length === 0 ? "a worker" : `${ids.length === 1 ? "model" : "models"} ${ids.join(", ")}`;
  switch (task.type) {
    case "verify":
      return `${models} could not be checked`;
    case "measure":
      return `${models} could not be measured for limits: { rss }`;
    case "prepare":
      return `${models} could not be tried on ${task.model.device}`;
    case "warm":
      return `${models} could not be opened`;
  }
}

/** Whom a task is for, as the run's notes name it. */
export const taskOwner = (task: WorkerTask, node: string | undefined): string => (task.type === "call" ? (node ?? task.call.node) : modelsOf(task).map((id) => `model ${id}`).join(", "));

const modelsOf = (task: OpeningTask): string[] => (task.type === "warm" ? task.models : [task.model]).map(({ json }: ModelWire) => (JSON.parse(json) as ModelManifest).id);

/** No process could be made: out of descriptors, of processes, of memory. */
export function notStarted(cause: unknown, node: string | undefined): FlowError {
  return new FlowError("WORKER_DIED", `a worker process could not be started: ${cause instanceof Error ? cause.message : String(cause)}`, { hint: "Fewer workers need fewer processes and descriptors; see `ulimit -n` and `ulimit -u`.", node, cause });
}

export function poolFull(message: string, node: string | undefined, cause?: unknown): FlowError {
  return new FlowError("POOL_FULL", `the pool's queue is full: ${message}`, { hint: "This is a defect of the engine: please report it.", node, cause });
}

export function notCloneable(cause: Error, node: string | undefined): FlowError {
  return new FlowError("NOT_CLONEABLE", `a value of ${node ?? "this call"} cannot cross to a worker: ${cause.message}`, {
    hint: "Config, inputs and results of operators that run in the pool must be plain data.",
    node,
    permanent: true,
    cause,
  });
}
