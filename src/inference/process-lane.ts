/**
 * Worker processes (`isolation: process`): a crash, a native abort or a run that never ends costs one call, and memory goes back to the
 * system with the process. Who paces whom: one call per child; what waits is bounded by `maxQueue`. A child that died or was killed is
 * replaced by the next call that needs one. A call that it took along is its item's failure, which the engine tries again; a task that no item
 * stands behind (a model is checked, opened, measured, tried on a device) is tried once more here, or one death would end the run.
 */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FlowError } from "../contracts/index.js";
import type { Lane, LaneOptions, Terms } from "./lane.js";
import { callEnded, notCloneable, notStarted, openingCancelled, openingEnded, poolFull, WorkerEnded, type CallTask, type OpeningTask } from "./lane-errors.js";
import { closePixels, GUARD_FD, openPixels, pack, type SentTask } from "./pixels.js";
import type { WorkerReply, WorkerTask } from "./protocol.js";

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

  async run(task: WorkerTask, terms: Terms): Promise<WorkerReply> {
    const child = await this.#take(terms.node);
    return task.type === "call" ? this.#called(child, task, terms) : this.#opened(child, task, terms);
  }

  async everywhere(task: Extract<WorkerTask, { type: "warm" }>, terms: Terms): Promise<WorkerReply[]> {
    const children = await Promise.all(Array.from({ length: this.#options.workers }, () => this.#take(undefined)));
    const settled = await Promise.allSettled(children.map((child) => this.#opened(child, task, terms)));
    const failed = settled.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
    return settled.map((one) => (one as PromiseFulfilledResult<WorkerReply>).value);
  }

  async #called(child: Child, task: CallTask, terms: Terms): Promise<WorkerReply> {
    try {
      return await child.run(task, terms);
    } catch (thrown) {
      throw thrown instanceof WorkerEnded ? callEnded(thrown, terms) : thrown;
    } finally {
      this.#give(child);
    }
  }

  /** A child that was ended by something else (a short memory, an operator's `kill`), or hung, is replaced once. */
  async #opened(first: Child, task: OpeningTask, terms: Terms): Promise<WorkerReply> {
    const { interrupted } = this.#options;
    const endings: WorkerEnded[] = [];
    let child = first;
    const giveUp = (): void => child.kill();
    interrupted?.addEventListener("abort", giveUp);
    try {
      for (;;) {
        if (interrupted?.aborted) throw openingCancelled(task);
        try {
          return await child.run(task, terms);
        } catch (thrown) {
          if (!(thrown instanceof WorkerEnded)) throw thrown;
          if (interrupted?.aborted) throw openingCancelled(task);
          endings.push(thrown);
          if (endings.length === 2 || this.#stopped) throw openingEnded(task, "worker process", endings);
        }
        child = this.#instead(child);
      }
    } finally {
      interrupted?.removeEventListener("abort", giveUp);
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

  /** For the holder of a child that has ended. */
  #instead(ended: Child): Child {
    try {
      const child = this.#idle();
      ended.taken = false;
      return child;
    } catch (cause) {
      throw notStarted(cause, undefined);
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
  reject(error: FlowError | WorkerEnded): void;
  terms: Terms;
}

class Child {
  taken = false;
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #pixels = openPixels();
  #pending: Pending | null = null;
  #timer: NodeJS.Timeout | undefined;
  /** What it was given to answer in, when it did not and was killed. */
  #timedOutMs: number | null = null;
  #broken = false;
  #stderr = "";

  constructor(intraOpThreads: number) {
    // The young generation is kept as small as that of the threads; nothing of our own command line (a debugger, a test runner) is for the child.
    this.#process = fork(ENTRY, [String(intraOpThreads)], { serialization: "advanced", stdio: ["ignore", "ignore", "pipe", "ipc", "pipe", this.#pixels ?? "ignore"], execArgv: ["--max-semi-space-size=4"] });
    let notMade = (): void => undefined;
    this.#process.on("error", (cause) => {
      this.#fail(notStarted(cause, this.#pending?.terms.node));
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
          this.#fail(this.#ended(code, signal));
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
    return this.#process.exitCode === null && this.#process.signalCode === null && this.#process.connected && this.#timedOutMs === null && !this.#broken;
  }

  /** Rejects with WorkerEnded when the process ends before it has replied. */
  run(task: WorkerTask, terms: Terms): Promise<WorkerReply> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject, terms };
      this.#limit(terms.timeoutMs === null ? null : OPENING * terms.timeoutMs);
      void this.#send(task).catch((cause: unknown) => {
        if (cause instanceof Error && /could not be cloned/.test(cause.message)) this.#fail(notCloneable(cause, terms.node));
        // It has ended or is of no use any more: `exit` tells why.
        else this.kill();
      });
    });
  }

  /** Also where it is stopped or hangs; what it had fails when it has ended. */
  kill(): void {
    this.#broken = true;
    this.#process.kill("SIGKILL");
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
    if (message.type === "began") this.#limit(this.#pending?.terms.timeoutMs ?? null);
    else if (message.type === "reply") this.#settle()?.resolve(message.reply);
  }

  #limit(timeoutMs: number | null): void {
    clearTimeout(this.#timer);
    if (timeoutMs === null) return;
    this.#timer = setTimeout(() => {
      this.#timedOutMs = timeoutMs;
      this.#process.kill("SIGKILL");
    }, timeoutMs);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): WorkerEnded {
    if (this.#timedOutMs !== null) return new WorkerEnded(`gave no answer for ${this.#timedOutMs / 1000} s and was ended`, { timedOut: true });
    const lastWords = this.#stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "" && !STACK_LINE.test(line)).at(-1)?.slice(0, 300) ?? "";
    return new WorkerEnded(signal ? `was ended by ${signal}` : `exited with code ${code}`, { signal, lastWords });
  }

  #fail(error: FlowError | WorkerEnded): void {
    this.#settle()?.reject(error);
  }

  #settle(): Pending | null {
    clearTimeout(this.#timer);
    const pending = this.#pending;
    this.#pending = null;
    return pending;
  }
}
