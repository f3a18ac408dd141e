/** Thread of a worker process that waits for the parent's pipe to close, whatever the main thread is busy with. */
import { Socket } from "node:net";
import { GUARD_FD } from "./pixels.js";

const pipe = new Socket({ fd: GUARD_FD, readable: true, writable: false });
pipe.on("error", () => undefined).on("close", () => process.kill(process.pid, "SIGKILL"));
pipe.resume();
