import { open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { EXIT, FlowError } from "../../contracts/index.js";

export interface WrittenFile {
  path: string;
  bytes: number;
}

const BUFFER_BYTES = 1 << 20;

/** A file that is whole or not there: written beside its place under another name, renamed at the end, removed on an error. */
export async function writeAtomically(path: string, write: (file: OutputFile) => Promise<void>): Promise<WrittenFile> {
  const temporary = temporaryPath(path);
  try {
    const handle = await open(temporary, "w");
    try {
      const file = new OutputFile(handle);
      await write(file);
      await file.flush();
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    return { path, bytes: (await stat(path)).size };
  } catch (cause) {
    await rm(temporary, { force: true });
    throw unwritable(path, cause);
  }
}

export const temporaryPath = (path: string): string => join(dirname(path), `.${basename(path)}.${process.pid}.partial`);

export function unwritable(path: string, cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  if (cause instanceof FlowError || code === undefined || !/^E[A-Z]+$/.test(code)) return cause;
  // The message of the system names the temporary file, which nobody asked for.
  const why = { ENOENT: `there is no folder ${dirname(resolve(path))}`, ENOTDIR: `${dirname(resolve(path))} is no folder`, EACCES: "permission is denied", EPERM: "permission is denied", EROFS: "the file system is read only", ENOSPC: "the disk is full" }[code] ?? code;
  return new FlowError("OUTPUT_UNWRITABLE", `${path} cannot be written: ${why}.`, { hint: "Name a file in an existing folder that you may write to.", cause, exit: EXIT.environment });
}

/** Sequential writes in blocks of a megabyte; `patch` goes back. */
export class OutputFile {
  /** Bytes written so far. */
  position = 0;
  private readonly buffer = Buffer.alloc(BUFFER_BYTES);
  private used = 0;
  private flushed = 0;

  constructor(private readonly handle: FileHandle) {}

  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    this.position += bytes.length;
    if (this.used + bytes.length > BUFFER_BYTES) await this.flush();
    if (bytes.length > BUFFER_BYTES) await this.writeOut(bytes);
    else {
      this.buffer.set(bytes, this.used);
      this.used += bytes.length;
    }
  }

  /** Replaces bytes that were written before. */
  async patch(data: Uint8Array, position: number): Promise<void> {
    await this.flush();
    await this.handle.write(data, 0, data.length, position);
  }

  async flush(): Promise<void> {
    const used = this.used;
    this.used = 0;
    await this.writeOut(this.buffer.subarray(0, used));
  }

  private async writeOut(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, this.flushed);
      done += bytesWritten;
      this.flushed += bytesWritten;
    }
  }
}
