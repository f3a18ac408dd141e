/**
 * ONNX Runtime in another thread of this process, the only one that has it there (two on WebGPU end the process): while it runs one call, the threads
 * that ask prepare the next. Who frees: what is sent is copied into buffers that go over and come back, so a feed may be written again when `run` has been called.
 */
import type { MessagePort } from "node:worker_threads";
import type { Feeds, Fetched } from "./feeds.js";
import { elementsFor, fetchedOf, type Elements, type Runtime, type Session, type SessionRequest } from "./onnx.js";

export type DeviceRequest = { id: number } & ({ type: "open"; request: SessionRequest } | { type: "run"; session: string; elements: Elements } | { type: "release"; session: string });
/** `returned`: the buffers that came with the request. */
export type DeviceReply = { id: number; returned: ArrayBuffer[] } & ({ error: Error } | { value: OpenedSession | Elements | null });
export type OpenedSession = Pick<Session, "inputs" | "outputs" | "made"> & { session: string };

/** Of those that came back so many are kept for the next run. */
const KEPT_BUFFERS = 4;

export class DeviceRuntime implements Runtime {
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();
  readonly #buffers: ArrayBuffer[] = [];
  #requests = 0;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on("message", (reply: DeviceReply) => {
      this.#buffers.unshift(...reply.returned);
      this.#buffers.length = Math.min(this.#buffers.length, KEPT_BUFFERS);
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ("error" in reply) waiting?.reject(reply.error);
      else waiting?.resolve(reply.value as never);
    });
  }

  async open(request: SessionRequest): Promise<Session> {
    const { session, ...opened } = await this.#ask<OpenedSession>({ type: "open", request });
    return { ...opened, run: (feeds) => this.#run(session, opened.inputs, feeds), release: async () => void (await this.#ask<null>({ type: "release", session })) };
  }

  async #run(session: string, inputs: Session["inputs"], feeds: Feeds): Promise<Fetched> {
    const elements = elementsFor(feeds, inputs);
    const moved: ArrayBuffer[] = [];
    for (const element of Object.values(elements)) {
      const { buffer, byteOffset, byteLength } = element.data as Uint8Array;
      const copy = this.#buffer(byteLength);
      new Uint8Array(copy).set(new Uint8Array(buffer, byteOffset, byteLength));
      const { constructor, length } = element.data as Float32Array;
      element.data = new (constructor as Float32ArrayConstructor)(copy, 0, length);
      moved.push(copy);
    }
    return fetchedOf(await this.#ask<Elements>({ type: "run", session, elements }, moved));
  }

  /** The smallest that is large enough and not much larger. */
  #buffer(byteLength: number): ArrayBuffer {
    const fits = this.#buffers.filter((one) => one.byteLength >= byteLength && one.byteLength <= 2 * byteLength + 4096).sort((a, b) => a.byteLength - b.byteLength)[0];
    if (!fits) return new ArrayBuffer(Math.ceil(byteLength / 8) * 8);
    this.#buffers.splice(this.#buffers.indexOf(fits), 1);
    return fits;
  }

  #ask<T>(request: DeviceRequest extends infer R ? (R extends unknown ? Omit<R, "id"> : never) : never, moved: ArrayBuffer[] = []): Promise<T> {
    const id = this.#requests++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#port.postMessage({ ...request, id } as DeviceRequest, moved);
    });
  }
}
