/**
 * Worker processes (`isolation: process`): a crash, a native abort or a run that never ends costs one call, and memory goes back to the
 * system with the process. Who paces whom: one call per seat of a child; what waits is bounded by `maxQueue`. A child that died or was killed is
 * replaced by the next call that needs one. Of several calls that it had, each is done again with nothing beside it: only then is its end one
 * call's fault. A call that it took along is its item's failure, which the engine tries again; a task that no item stands behind (a model is
 * checked, opened, measured, tried on a device) is tried once more here, or one death would end the run.
 */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FlowError } from "../contracts/index.js";
import type { Lane, LaneOptions, Terms } from "./lane.js";
import { callEnded, notCloneable, notStarted, openingCancelled, openingEnded, poolFull, taskOwner, WorkerEnded, type CallTask, type OpeningTask } from "./lane-errors.js";
import { closePixels, GUARD_FD, openPixels, pack, type SentTask } from "./pixels.js";
import type { WorkerReply, WorkerTask } from "./protocol.js";

export type ChildMessage = SentTask | { type: "stop" };
export type ChildReply = { type: "ready" } | { type: "began"; seat: number } | { type: "reply"; seat: number; reply: WorkerReply };

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
  readonly #waiting: { resolve(seat: Seat): void; reject(error: FlowError): void }[] = [];
  /** Seats handed out. */
  #busy = 0;
  /** Calls that are done again with nothing beside them, one after the other; nothing else begins meanwhile. */
  #alone = 0;
  #turn: Promise<unknown> = Promise.resolve();
  /** Of calls that one child took along the first tells of it. */
  readonly #told = new WeakSet<WorkerEnded>();
  #stopped = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  async run(task: WorkerTask, terms: Terms): Promise<WorkerReply> {
    const seat = await this.#take(terms.node);
    return task.type === "call" ? this.#called(seat, task, terms) : this.#opened(seat, task, terms);
  }

  async everywhere(task: Extract<WorkerTask, { type: "warm" }>, terms: Terms): Promise<WorkerReply[]> {
    const seats = await Promise.all(Array.from({ length: this.#options.workers }, () => this.#take(undefined)));
    const settled = await Promise.allSettled(seats.map((seat) => this.#opened(seat, task, terms)));
    const failed = settled.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
    return settled.map((one) => (one as PromiseFulfilledResult<WorkerReply>).value);
  }

  async #called(first: Seat, task: CallTask, terms: Terms): Promise<WorkerReply> {
    let seat = first;
    const again = async (): Promise<WorkerReply> => {
      seat = this.#instead(seat);
      return seat.run(task, terms);
    };
    try {
      let attempt = seat.run(task, terms);
      for (;;) {
        try {
          return await attempt;
        } catch (thrown) {
          if (!(thrown instanceof WorkerEnded)) throw thrown;
          this.#tell(thrown, task, terms);
          if (!thrown.because.shared || this.#stopped) throw callEnded(thrown, terms);
          attempt = this.#inTurn(again);
        }
      }
    } finally {
      this.#give(seat);
    }
  }

  #tell(ending: WorkerEnded, task: WorkerTask, { node }: Terms): void {
    if (this.#told.has(ending)) return;
    this.#told.add(ending);
    this.#options.ended(taskOwner(task, node), `a worker process ${ending.how}`);
  }

  async #inTurn(work: () => Promise<WorkerReply>): Promise<WorkerReply> {
    this.#alone += 1;
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#alone -= 1;
      this.#handOut();
    }
  }

  /** A child that was ended by something else (a short memory, an operator's `kill`), or hung, is replaced once. */
  async #opened(first: Seat, task: OpeningTask, terms: Terms): Promise<WorkerReply> {
    const { interrupted } = this.#options;
    const endings: WorkerEnded[] = [];
    let seat = first;
    const giveUp = (): void => seat.child.kill();
    interrupted?.addEventListener("abort", giveUp);
    try {
      for (;;) {
        if (interrupted?.aborted) throw openingCancelled(task);
        try {
          const reply = await seat.run(task, terms);
          // Where none takes its place, its end is the error, or the reason why a device was passed over.
          for (const ending of endings) this.#tell(ending, task, terms);
          return reply;
        } catch (thrown) {
          if (!(thrown instanceof WorkerEnded)) throw thrown;
          if (interrupted?.aborted) throw openingCancelled(task);
          endings.push(thrown);
          if (endings.length === 2 || this.#stopped) throw openingEnded(task, "worker process", endings);
        }
        seat = this.#instead(seat);
      }
    } finally {
      interrupted?.removeEventListener("abort", giveUp);
      this.#give(seat);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const child of this.#children) child.stop();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.end()));
  }

  async #take(node: string | undefined): Promise<Seat> {
    if (this.#free) {
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

  get #free(): boolean {
    return this.#alone === 0 && this.#busy < this.#options.workers * this.#seats;
  }

  get #seats(): number {
    return this.#options.seats ?? 1;
  }

  #give(seat: Seat): void {
    seat.taken = false;
    this.#busy -= 1;
    this.#handOut();
  }

  #handOut(): void {
    while (this.#free) {
      const next = this.#waiting.shift();
      if (!next) return;
      try {
        next.resolve(this.#idle());
        this.#busy += 1;
      } catch (cause) {
        next.reject(notStarted(cause, undefined));
      }
    }
  }

  /** For the holder of a seat whose child has ended. */
  #instead(ended: Seat): Seat {
    try {
      const seat = this.#idle();
      ended.taken = false;
      return seat;
    } catch (cause) {
      throw notStarted(cause, undefined);
    }
  }

  /** A seat of a living child that nobody has; of a new one where the last has died. */
  #idle(): Seat {
    for (const child of this.#children) if (!child.alive) this.#children.delete(child);
    let seat = [...this.#children].flatMap(({ seats }) => seats).find((one) => !one.taken);
    if (!seat) {
      const child = new Child(this.#options.intraOpThreads, this.#seats);
      if (this.#stopped) child.stop();
      this.#children.add(child);
      seat = child.seats[0]!;
    }
    seat.taken = true;
    return seat;
  }
}

interface Pending {
  resolve(reply: WorkerReply): void;
  reject(error: FlowError | WorkerEnded): void;
  terms: Terms;
}

/** Where a child takes one call at a time. */
class Seat {
  taken = false;
  readonly child: Child;
  readonly pixels = openPixels();
  readonly #index: number;
  #pending: Pending | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(child: Child, index: number) {
    this.child = child;
    this.#index = index;
  }

  get busy(): boolean {
    return this.#pending !== null;
  }

  /** Rejects with WorkerEnded when the process ends before it has replied. */
  run(task: WorkerTask, terms: Terms): Promise<WorkerReply> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject, terms };
      this.#limit(terms.timeoutMs === null ? null : OPENING * terms.timeoutMs);
      void this.#send(task).catch((cause: unknown) => {
        if (cause instanceof Error && /could not be cloned/.test(cause.message)) this.fail(() => notCloneable(cause, terms.node));
        // It has ended or is of no use any more: `exit` tells why.
        else this.child.kill();
      });
    });
  }

  async #send(task: WorkerTask): Promise<void> {
    await this.child.send(await pack(task, this.#index, this.pixels));
  }

  received(message: Exclude<ChildReply, { type: "ready" }>): void {
    if (message.type === "began") this.#limit(this.#pending?.terms.timeoutMs ?? null);
    else this.#settle()?.resolve(message.reply);
  }

  fail(error: (terms: Terms) => FlowError | WorkerEnded): void {
    const pending = this.#settle();
    pending?.reject(error(pending.terms));
  }

  #limit(timeoutMs: number | null): void {
    clearTimeout(this.#timer);
    if (timeoutMs !== null) this.#timer = setTimeout(() => this.child.tooLate(timeoutMs), timeoutMs);
  }

  #settle(): Pending | null {
    clearTimeout(this.#timer);
    const pending = this.#pending;
    this.#pending = null;
    return pending;
  }
}

class Child {
  readonly seats: readonly Seat[];
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  /** What a seat was given to answer in, when it did not and the process was killed. */
  #timedOutMs: number | null = null;
  #broken = false;
  #stderr = "";

  constructor(intraOpThreads: number, seats: number) {
    this.seats = Array.from({ length: seats }, (_, index) => new Seat(this, index));
    const pixels = this.seats.map((seat) => seat.pixels ?? "ignore");
    // The young generation is kept as small as that of the threads; nothing of our own command line (a debugger, a test runner) is for the child.
    this.#process = fork(ENTRY, [String(intraOpThreads), String(seats)], { serialization: "advanced", stdio: ["ignore", "ignore", "pipe", "ipc", "pipe", ...pixels], execArgv: ["--max-semi-space-size=4"] });
    let notMade = (): void => undefined;
    this.#process.on("error", (cause) => {
      for (const seat of this.seats) seat.fail(({ node }) => notStarted(cause, node));
      // Without a process there is no `exit`.
      if (this.#process.pid === undefined) notMade();
    });
    if (!this.#process.stderr) {
      this.#closePixels();
      throw new Error("the system gave no pipes or no process");
    }
    this.#process.stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr = (this.#stderr + text).slice(-KEPT_STDERR)));
    // The guard's end of the pipe: it may report the child's death before `exit` does.
    this.#process.stdio[GUARD_FD]!.on("error", () => undefined);
    this.#process.on("message", (message: ChildReply) => {
      if (message.type !== "ready") this.seats[message.seat]!.received(message);
    });
    this.#exited = new Promise((resolve) => {
      notMade = resolve;
      this.#process.once("exit", (code, signal) => {
        let told = false;
        const tell = (): void => {
          clearTimeout(late);
          if (told) return;
          told = true;
          this.#closePixels();
          const ended = this.#ended(code, signal);
          for (const seat of this.seats) seat.fail(() => ended);
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

  async send(message: ChildMessage): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#process.send(message, (error) => (error ? reject(error) : resolve()));
    });
  }

  stop(): void {
    if (this.#process.connected) this.#process.send({ type: "stop" } satisfies ChildMessage, () => undefined);
  }

  /** Also where it is stopped or hangs; what it had fails when it has ended. */
  kill(): void {
    this.#broken = true;
    this.#process.kill("SIGKILL");
  }

  tooLate(timeoutMs: number): void {
    this.#timedOutMs = timeoutMs;
    this.#process.kill("SIGKILL");
  }

  /** Nothing runs in it: it can be killed, and its memory is back at once. */
  async end(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }

  #closePixels(): void {
    for (const seat of this.seats) closePixels(seat.pixels);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): WorkerEnded {
    const shared = this.seats.filter(({ busy }) => busy).length > 1;
    if (this.#timedOutMs !== null) return new WorkerEnded(`gave no answer for ${this.#timedOutMs / 1000} s and was ended`, { timedOut: true, shared });
    const lastWords = this.#stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "" && !STACK_LINE.test(line)).at(-1)?.slice(0, 300) ?? "";
    return new WorkerEnded(signal ? `was ended by ${signal}` : `exited with code ${code}`, { signal, lastWords, shared });
  }
}
