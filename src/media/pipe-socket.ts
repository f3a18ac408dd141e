import { Socket, type OnReadOpts, type SocketConstructorOpts } from "node:net";
import type { Readable } from "node:stream";

interface Handle {
  reading: boolean;
  readStop(): void;
}

/**
 * A child's pipe, read into memory of the caller. A stream of `spawn` allocates 64 kB for every read, however little comes, and `spawn` takes no
 * `onread`; so its handle is given to a socket that does. To be called in the same turn as `spawn`, before anything was read.
 * Returns null where the child has no such pipe.
 */
export function readInto(stdio: Readable | null | undefined, onread: { buffer: () => Uint8Array; callback: (bytes: number) => boolean }): Socket | null {
  const spawned = stdio as unknown as { _handle: Handle | null } | null | undefined;
  const handle = spawned?._handle;
  if (!stdio || !spawned || !handle) return null;
  handle.readStop();
  handle.reading = false;
  spawned._handle = null;
  // Without a handle it closes at once: the child's "close" does not wait for it.
  stdio.on("error", ignore).destroy();
  const options: SocketConstructorOpts & { handle: Handle; onread: OnReadOpts } = { handle, readable: true, writable: false, onread: onread as unknown as OnReadOpts };
  return new Socket(options);
}

function ignore(): void {}
