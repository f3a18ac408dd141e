import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, realpathSync, rmSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { EXIT, FlowError } from "../contracts/index.js";

export interface WriterLock {
  release(): Promise<void>;
}

/**
 * One writer per store. On Linux an abstract Unix socket named after the store's real path: the kernel frees it with the process, also after
 * SIGKILL. Elsewhere a file with the writer's pid, taken over when that process is gone.
 */
export async function lockWriter(dir: string): Promise<WriterLock> {
  const real = realpathSync(dir);
  return process.platform === "linux" ? lockBySocket(real) : lockByFile(real);
}

const locked = (dir: string, pid: string): FlowError =>
  new FlowError("STORE_LOCKED", `The store ${dir} is being written by another flow${pid}.`, { hint: "Wait for that run, or give this one another --store. Reading commands work meanwhile.", exit: EXIT.environment });

async function lockBySocket(dir: string): Promise<WriterLock> {
  const name = `\0flow-store-${createHash("sha256").update(dir).digest("hex").slice(0, 32)}`;
  const server: Server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(error.code === "EADDRINUSE" ? locked(dir, holder(dir)) : error));
    server.listen(name, resolve);
  });
  server.unref();
  const note = join(dir, PID_FILE);
  try {
    writeFileSync(note, String(process.pid));
  } catch {
    // A full disk or a read-only folder: the lock is held all the same, only its name tag is missing.
  }
  return {
    release: () => {
      rmSync(note, { force: true });
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const PID_FILE = "writer.pid";

/**
 * Who holds the socket, for the message only: the file is written after the lock is won and outlives a SIGKILL, so a dead or missing pid says
 * nothing. (Asking over the socket would wait for a holder whose main thread is busy.)
 */
function holder(dir: string): string {
  try {
    const pid = Number(readFileSync(join(dir, PID_FILE), "utf8"));
    return pid > 0 && isAlive(pid) ? ` (pid ${pid})` : "";
  } catch {
    return "";
  }
}

async function lockByFile(dir: string): Promise<WriterLock> {
  const path = join(dir, PID_FILE);
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = openSync(path, "wx");
      writeSync(file, String(process.pid));
      closeSync(file);
      return { release: async () => unlinkSync(path) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const pid = Number(readFileSync(path, "utf8"));
      if (isAlive(pid)) throw locked(dir, ` (pid ${pid})`);
      unlinkSync(path);
    }
  }
  throw locked(dir, "");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
