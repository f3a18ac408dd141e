/**
 * Takes the first device of an order on which a model opens, runs and agrees with the CPU, and says why the others were passed over. Of `auto` a device also has to be
 * faster than the CPU's workers together, which small models are not: beside 16 cores an H200 takes YAMNet alone of ego's `small` profile.
 */
import { EXIT, FlowError, toFlowError, type Device, type DeviceOrder, type ModelManifest } from "../contracts/index.js";
import { deviceOrder, unavailable } from "./devices.js";
import type { Prepared } from "./protocol.js";

/** What a model runs on. `reason`: what kept it from the devices before, or how it was compared; null: the first choice, compared. */
export interface DeviceChoice {
  device: Device;
  reason: string | null;
  /** Largest difference from the CPU at the start, relative to max(1, |value|); null: not measured. */
  difference: number | null;
}

/** Asks the worker of that device; `against`: so many workers of the CPU it has to be faster than. May reject: a worker that dies while it opens a device has answered, too. */
export type Prepare = (manifest: ModelManifest, device: Device, how: { check: number | null; against: number | null; timeoutMs: number | null }) => Promise<Prepared>;

export class DeviceChooser {
  readonly #prepare: Prepare;
  readonly #cpuWorkers: number;
  readonly #choices = new Map<string, Promise<DeviceChoice>>();

  constructor(prepare: Prepare, cpuWorkers: number) {
    this.#prepare = prepare;
    this.#cpuWorkers = cpuWorkers;
  }

  /** Decided once per model, order and tolerance. @throws FlowError MODEL_DEVICE when no device of the order works. */
  choose(manifest: ModelManifest, order: DeviceOrder, check: number | null, timeoutMs: number | null = null): Promise<DeviceChoice> {
    const key = JSON.stringify([manifest.sha256, manifest.file, order, check]);
    let choice = this.#choices.get(key);
    if (!choice) this.#choices.set(key, (choice = this.#decide(manifest, order, check, timeoutMs)));
    return choice;
  }

  async #decide(manifest: ModelManifest, order: DeviceOrder, check: number | null, timeoutMs: number | null): Promise<DeviceChoice> {
    const passed: string[] = [];
    const reasons = (): string | null => (passed.length > 0 ? passed.join("; ") : null);
    for (const device of deviceOrder(order)) {
      if (device === "cpu") return { device, reason: reasons(), difference: null };
      const absent = manifest.runtime === "transformers" ? "models of @huggingface/transformers run on the CPU" : unavailable(device, order === "auto");
      if (absent !== null) {
        passed.push(`${device}: ${absent}`);
        continue;
      }
      const prepared = await this.#prepare(manifest, device, { check, against: order === "auto" ? this.#cpuWorkers : null, timeoutMs }).catch((thrown: unknown): Prepared => {
        const error = toFlowError(thrown);
        if (error.code.startsWith("MODEL_") || error.code === "CANCELLED") throw error;
        return { ok: false, reason: error.message };
      });
      if (!prepared.ok) passed.push(`${device}: ${prepared.reason}`);
      else {
        if (prepared.note !== null) passed.push(`${device}: ${prepared.note}`);
        return { device, reason: reasons(), difference: prepared.difference };
      }
    }
    throw new FlowError("MODEL_DEVICE", `model ${manifest.id} runs on none of its devices: ${passed.join("; ")}`, {
      hint: "Add cpu to the end of `device:`, or see `flow doctor`.",
      exit: EXIT.environment,
      permanent: false,
    });
  }
}
