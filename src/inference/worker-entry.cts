/**
 * What Piscina loads in a pool thread. CommonJS and a few lines on purpose: Piscina `require`s its entry before it calls a thread ready, and a
 * thread that is terminated while it requires an ES module ends the whole process (Node 20: "IsGraphAsync must be used on an instantiated
 * module"). So a thread is ready before it loads anything of ours, and what it loads belongs to a task, which `InferencePool.destroy` waits for.
 */
import type { WorkerTask } from "./protocol.js" with { "resolution-mode": "import" };

export = async (task: WorkerTask): Promise<unknown> => (await import("./worker.js")).default(task);
