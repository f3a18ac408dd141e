/** Which devices a model is tried on, and why one is not even tried. */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Device, DeviceOrder } from "../contracts/index.js";

/** Execution providers by platform, fastest first. */
const AUTO: Partial<Record<NodeJS.Platform, readonly Device[]>> = {
  linux: ["cuda", "webgpu", "cpu"],
  darwin: ["coreml", "webgpu", "cpu"],
  win32: ["dml", "webgpu", "cpu"],
};
const PLATFORMS: Record<Device, readonly NodeJS.Platform[] | null> = {
  cpu: null,
  webgpu: ["linux", "darwin", "win32"],
  cuda: ["linux", "win32"],
  tensorrt: ["linux"],
  coreml: ["darwin"],
  dml: ["win32"],
};

/** Printed where the CUDA provider is missing: onnxruntime-node's own script fetches it. */
export const CUDA_COMMAND = "node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12";

export function deviceOrder(wish: DeviceOrder, platform: NodeJS.Platform = process.platform): readonly Device[] {
  return wish === "auto" ? (AUTO[platform] ?? ["cpu"]) : wish;
}

/** Devices that exist on this platform, beside the CPU. */
export const devicesHere = (platform: NodeJS.Platform = process.platform): Device[] =>
  (Object.keys(PLATFORMS) as Device[]).filter((device) => device !== "cpu" && PLATFORMS[device]!.includes(platform));

/**
 * Why the device cannot be had here, without loading anything; null: it is worth a try. `auto`: whether somebody asked for this device by
 * name; if not, a software rasteriser (slower than the CPU) is not taken for a GPU.
 */
export function unavailable(device: Device, auto: boolean): string | null {
  const platforms = PLATFORMS[device];
  if (platforms && !platforms.includes(process.platform)) return `${device} exists on ${platforms.join(" and ")} only`;
  if ((device === "cuda" || device === "tensorrt") && !existsSync(join(libraries(), process.platform === "win32" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_shared.so"))) {
    return "onnxruntime-node's CUDA libraries are not installed (`flow doctor` has the command)";
  }
  if (device === "webgpu" && auto && process.platform === "linux" && !hasGpu()) return "no GPU: neither /dev/dri/renderD* nor /dev/nvidia0 nor /dev/dxg exists";
  return null;
}

/** What `auto` tries first of the devices that work here, and, where that is the CPU, why none of the others. */
export function autoDevice(working: ReadonlySet<Device>): { device: Device; reason: string | null } {
  const others = deviceOrder("auto").filter((device) => device !== "cpu" && working.has(device));
  const device = others.find((one) => unavailable(one, true) === null);
  if (device) return { device, reason: null };
  const passed = others.map((one) => `${one} works on a software driver, which is slower and not taken for a GPU (${unavailable(one, true)})`);
  return { device: "cpu", reason: passed.join("; ") || "no other device works here" };
}

/** Whether no other device of the order is worth a try here. */
export const onCpu = (order: DeviceOrder): boolean => deviceOrder(order).find((device) => device === "cpu" || unavailable(device, order === "auto") === null) === "cpu";

/** Of onnxruntime-node, without loading it. */
export const runtimeVersion = (): string => (createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string }).version;

function hasGpu(): boolean {
  if (existsSync("/dev/nvidia0") || existsSync("/dev/dxg")) return true;
  try {
    return readdirSync("/dev/dri").some((name) => name.startsWith("renderD"));
  } catch {
    return false;
  }
}

/** Folder of onnxruntime-node's native libraries; resolving its path does not load it. */
function libraries(): string {
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  return join(dirname(entry), "..", "bin", "napi-v6", process.platform, process.arch);
}

/**
 * Providers for a session: TensorRT leaves what it cannot run to CUDA; the CPU provider takes the rest by itself. No limit of memory goes with them:
 * of CUDA's and TensorRT's options onnxruntime-node 1.30 passes on the device's number alone (js/node/src/session_options_helper.cc), so a budget
 * for `vram` is kept by what is loaded, never by the provider.
 */
export function providersOf(device: Device): string[] {
  return device === "tensorrt" ? ["tensorrt", "cuda"] : [device];
}
