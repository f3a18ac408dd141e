/**
 * Worker processes (`isolation: process`): a crash, a native abort or a run that never ends costs one call, and memory goes back to the
 * system with the process. Who paces whom: one call per child; what waits is bounded by `maxQueue`. A child that died or was killed is
 * replaced by the next call that needs one.
 */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { FlowError } from "../contracts/index.js";
import type { Lane, LaneOptions } from "./lane.js";
import { closePixels, GUARD_FD, openPixels, pack, type SentTask } from "./pixels.js";
import type { WorkerReply, WorkerTask } from "./protocol.js";
import { notCloneable, poolFull } from "./thread-lane.js";

export type ChildMessage = SentTask | { type: "stop" };
export type ChildReply = { type: "ready" } | { type: "began" } | { type: "reply"; reply: WorkerReply };

const ENTRY = fileURLToPath(new URL("./child.js", import.meta.url));
/** Opening a model may take this many times as long as one call. */
const OPENING = 10;
const KEPT_STDERR = 2_000;
const LAST_WORDS_MS = 200;
/** `4: 0xb9c1f0 node::Abort() [node]` and the headings above: where it happened, not what. */
const STACK_LINE = /^\d+: |^-+ .* -+$/;

export class ProcessLane implements Lane {
  readonly #options: LaneOptions;
  readonly #children = new Set<Child>();
  readonly #waiting: { resolve(child: Child): void; reject(error: FlowError): void }[] = [];
  /** Children handed out or being made. */
  #busy = 0;
  #stopped = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  async run(task: WorkerTask, node: string | undefined, timeoutMs: number | null): Promise<WorkerReply> {
    const child = await this.#take(node);
    try {
      return await child.run(task, node, timeoutMs);
    } finally {
      this.#give(child);
    }
  }

  async everywhere(task: Extract<WorkerTask, { type: "warm" }>): Promise<WorkerReply[]> {
    const children = await Promise.all(Array.from({ length: this.#options.workers }, () => this.#take(undefined)));
    const settled = await Promise.allSettled(children.map((child) => this.#warmed(child, task)));
    const failed = settled.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
    return settled.map((one) => (one as PromiseFulfilledResult<WorkerReply>).value);
  }

  /** No item waits for a retry here: a child that was ended by something else (a short memory, an operator's `kill`) is replaced once. */
  async #warmed(first: Child, task: WorkerTask): Promise<WorkerReply> {
    let child = first;
    try {
      return await child.run(task, undefined, null);
    } catch (cause) {
      if (child.alive || this.#stopped) throw cause;
      child.taken = false;
      child = this.#idle();
      return await child.run(task, undefined, null);
    } finally {
      this.#give(child);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const child of this.#children) child.stop();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.end()));
  }

  async #take(node: string | undefined): Promise<Child> {
    if (this.#busy < this.#options.workers) {
      this.#busy += 1;
      try {
        return this.#idle();
      } catch (cause) {
        this.#busy -= 1;
        throw notStarted(cause, node);
      }
    }
    if (this.#waiting.length >= this.#options.maxQueue) throw poolFull(`${this.#waiting.length} calls wait`, node);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #give(child: Child): void {
    const next = this.#waiting.shift();
    child.taken = false;
    if (!next) {
      this.#busy -= 1;
      return;
    }
    try {
      next.resolve(this.#idle());
    } catch (cause) {
      this.#busy -= 1;
      next.reject(notStarted(cause, undefined));
    }
  }

  /** A living child that nobody has; a new one where the last has died. */
  #idle(): Child {
    for (const child of this.#children) if (!child.alive) this.#children.delete(child);
    let child = [...this.#children].find((one) => !one.taken);
    if (!child) {
      child = new Child(this.#options.intraOpThreads);
      if (this.#stopped) child.stop();
      this.#children.add(child);
    }
    child.taken = true;
    return child;
  }
}

interface Pending {
  resolve(reply: WorkerReply): void;
  reject(error: FlowError): void;
  node: string | undefined;
  timeoutMs: number | null;
}

class Child {
  taken = false;
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #pixels = openPixels();
  #pending: Pending | null = null;
  #timer: NodeJS.Timeout | undefined;
  #timedOut = false;
  #broken = false;
  #stderr = "";

  constructor(intraOpThreads: number) {
    // The young generation is kept as small as that of the threads; nothing of our own command line (a debugger, a test runner) is for the child.
    this.#process = fork(ENTRY, [String(intraOpThreads)], { serialization: "advanced", stdio: ["ignore", "ignore", "pipe", "ipc", "pipe", this.#pixels ?? "ignore"], execArgv: ["--max-semi-space-size=4"] });
    let notMade = (): void => undefined;
    this.#process.on("error", (cause) => {
      this.#fail(notStarted(cause, this.#pending?.node));
      // Without a process there is no `exit`.
      if (this.#process.pid === undefined) notMade();
    });
    if (!this.#process.stderr) {
      closePixels(this.#pixels);
      throw new Error("the system gave no pipes or no process");
    }
    this.#process.stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr = (this.#stderr + text).slice(-KEPT_STDERR)));
    // The guard's end of the pipe: it may report the child's death before `exit` does.
    this.#process.stdio[GUARD_FD]!.on("error", () => undefined);
    this.#process.on("message", (message: ChildReply) => this.#received(message));
    this.#exited = new Promise((resolve) => {
      notMade = resolve;
      this.#process.once("exit", (code, signal) => {
        let told = false;
        const tell = (): void => {
          clearTimeout(late);
          if (told) return;
          told = true;
          closePixels(this.#pixels);
          if (this.#pending) this.#fail(this.#timedOut ? timedOut(this.#pending) : died(signal ? `was ended by ${signal}` : `exited with code ${code}`, this.#pending.node, this.#stderr, signal));
          resolve();
        };
        // What it wrote last is the reason; a process that it started may keep the pipe open.
        const late = setTimeout(tell, LAST_WORDS_MS);
        if (this.#process.stderr!.closed) tell();
        else this.#process.stderr!.once("close", tell);
      });
    });
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null && this.#process.connected && !this.#timedOut && !this.#broken;
  }

  run(task: WorkerTask, node: string | undefined, timeoutMs: number | null): Promise<WorkerReply> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject, node, timeoutMs };
      this.#limit(timeoutMs === null ? null : OPENING * timeoutMs);
      void this.#send(task).catch((cause: unknown) => {
        if (cause instanceof Error && /could not be cloned/.test(cause.message)) this.#fail(notCloneable(cause, node));
        else {
          // It has ended or is of no use any more: `exit` tells why.
          this.#broken = true;
          this.#process.kill("SIGKILL");
        }
      });
    });
  }

  async #send(task: WorkerTask): Promise<void> {
    const message: ChildMessage = await pack(task, this.#pixels);
    await new Promise<void>((resolve, reject) => {
      this.#process.send(message, (error) => (error ? reject(error) : resolve()));
    });
  }

  stop(): void {
    if (this.#process.connected) this.#process.send({ type: "stop" } satisfies ChildMessage, () => undefined);
  }

  /** Nothing runs in it: it can be killed, and its memory is back at once. */
  async end(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }

  #received(message: ChildReply): void {
    if (message.type === "began") this.#limit(this.#pending?.timeoutMs ?? null);
    else if (message.type === "reply") this.#settle()?.resolve(message.reply);
  }

  #limit(timeoutMs: number | null): void {
    clearTimeout(this.#timer);
    if (timeoutMs === null) return;
    this.#timer = setTimeout(() => {
      this.#timedOut = true;
      this.#process.kill("SIGKILL");
    }, timeoutMs);
  }

  #fail(error: FlowError): void {
    this.#settle()?.reject(error);
  }

  #settle(): Pending | null {
    clearTimeout(this.#timer);
    const pending = this.#pending;
    this.#pending = null;
    return pending;
  }
}

/** No process could be made: out of descriptors, of processes, of memory. */
function notStarted(cause: unknown, node: string | undefined): FlowError {
  return new FlowError("WORKER_DIED", `a worker process could not be started: ${cause instanceof Error ? cause.message : String(cause)}`, { hint: "Fewer workers need fewer processes and descriptors; see `ulimit -n` and `ulimit -u`.", node, cause });
}

function died(how: string, node: string | undefined, stderr: string, signal?: NodeJS.Signals | null): FlowError {
  const last = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "" && !STACK_LINE.test(line)).at(-1) ?? "";
  return new FlowError("WORKER_DIED", `the worker process ${how}${last === "" ? "" : `: ${last.slice(0, 300)}`}`, {
    hint: signal === "SIGKILL" ? "The system ends processes that way when memory is short: fewer workers or smaller batches need less." : "The model or the operator ended the process. The item is in `flow errors`; the others went on.",
    node,
  });
}

function timedOut({ node, timeoutMs }: Pending): FlowError {
  return new FlowError("WORKER_TIMEOUT", `a call took longer than ${timeoutMs! / 1000} s and was ended`, { hint: "Raise `timeout` of the pool or the node, or make its batches smaller.", node });
}
