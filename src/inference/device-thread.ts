/** The thread of a device's process that has ONNX Runtime: one request after the other, from all threads that prepare calls. */
import { workerData, type MessagePort } from "node:worker_threads";
import type { InferenceSession } from "onnxruntime-node";
import type { DeviceReply, DeviceRequest } from "./device-runtime.js";
import { openSession, runSession } from "./onnx.js";

export interface DeviceThreadData {
  ports: MessagePort[];
  intraOpThreads: number;
}

interface Shared {
  session: InferenceSession;
  holders: number;
}

const { ports, intraOpThreads } = workerData as DeviceThreadData;
const sessions = new Map<string, Shared>();
let turn: Promise<unknown> = Promise.resolve();

for (const port of ports) {
  port.on("message", (request: DeviceRequest) => {
    turn = turn.then(async () => {
      const returned = request.type === "run" ? Object.values(request.elements).map(({ data }) => (data as Uint8Array).buffer as ArrayBuffer) : [];
      const reply: DeviceReply = await answer(request).then(
        (value) => ({ id: request.id, returned, value }),
        (thrown: unknown) => ({ id: request.id, returned, error: thrown instanceof Error ? thrown : new Error(String(thrown)) }),
      );
      port.postMessage(reply, returned);
    });
  });
}

async function answer(request: DeviceRequest): Promise<Extract<DeviceReply, { value: unknown }>["value"]> {
  if (request.type === "open") {
    const session = JSON.stringify(request.request);
    const known = sessions.get(session);
    const shared: Shared = known ?? { session: await openSession(request.request, intraOpThreads), holders: 0 };
    shared.holders += 1;
    sessions.set(session, shared);
    return { session, inputs: shared.session.inputMetadata, outputs: shared.session.outputMetadata, made: !known };
  }
  const shared = sessions.get(request.session)!;
  if (request.type === "run") {
    const outputs = await runSession(shared.session, request.elements);
    return Object.fromEntries(Object.entries(outputs).map(([name, { type, data, dims }]) => [name, { type, data, dims }]));
  }
  shared.holders -= 1;
  if (shared.holders === 0) {
    sessions.delete(request.session);
    await shared.session.release();
  }
  return null;
}
