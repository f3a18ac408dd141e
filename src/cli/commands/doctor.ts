import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { arch, availableParallelism, cpus, freemem, platform, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { EXIT, toFlowError, type FlowError } from "../../contracts/errors.js";
import type { Device } from "../../contracts/index.js";
import { act, define, withStore as withStoreOption, type StoreOptions } from "../define.js";
import { packageRoot } from "../environment.js";
import { installedModels, readable } from "../open-graph.js";
import type { DoctorDocument } from "../json.js";
import { colours, print, printJson, size, table } from "../output.js";

/** Models that are in the package; without them its own graphs do not run. Others are there when somebody installed them. */
const BUILT_IN = "lite-";

type Check = DoctorDocument["checks"][number];

export function command(): Command {
  const doctor = define("doctor", {
    description: "Exit 3 when something that flow cannot do without is missing; every such line has its remedy.",
    examples: [
      ["flow doctor", "what this machine has"],
      ["flow doctor --json", "for a bug report"],
    ],
  });
  return act<StoreOptions>(withStoreOption(doctor), async (_, options) => {
    const checks: Check[] = [];
    const questions = { node, machine, ffmpeg, ffprobe, onnxruntime, natives, store: () => store(options.store), models, devices };
    for (const [name, ask] of Object.entries(questions)) {
      try {
        checks.push(...[await ask()].flat());
      } catch (thrown) {
        const error = toFlowError(thrown);
        checks.push({ name, ok: false, value: error.message, hint: error.hint });
      }
    }
    const ok = checks.every((check) => check.ok);
    if (options.json) printJson({ ok, checks } satisfies DoctorDocument);
    else {
      print(table(checks.map((check) => [check.ok ? colours.green("ok") : colours.red("no"), check.name, check.value]), { fit: false }));
      for (const check of checks) if (check.hint) print(`${colours.dim(check.ok ? "note:" : "remedy:")} ${check.name}: ${check.hint}`);
      print(ok ? colours.green("ready") : colours.red("not ready"));
    }
    return ok ? EXIT.ok : EXIT.environment;
  });
}

function node(): Check {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return { name: "node", ok, value: `${process.version} ${platform()} ${arch()}`, ...(ok ? {} : { hint: "Install Node 20.19 or newer." }) };
}

function machine(): Check[] {
  return [
    { name: "cores", ok: true, value: `${availableParallelism()} usable, ${cpus()[0]?.model.trim() ?? "unknown model"}` },
    { name: "memory", ok: true, value: `${size(totalmem())}, ${size(freemem())} free` },
  ];
}

async function ffmpeg(): Promise<Check> {
  const { abilities } = await import("../../media/index.js");
  const found = await abilities();
  const has = [found.passthrough, found.tee && "tee", found.framecrc && "framecrc", found.encTimeBase && "-enc_time_base", found.libx264 && "libx264"].filter(Boolean).join(", ");
  const value = `${found.version} ${found.bundled ? "(bundled)" : "(FLOW_FFMPEG)"}, can ${has}; ${found.path}`;
  return found.missing.length === 0 ? { name: "ffmpeg", ok: true, value } : { name: "ffmpeg", ok: false, value: `${value}; lacks ${found.missing.join(", ")}`, hint: "Unset FLOW_FFMPEG, or point it at a full build of ffmpeg 4.0 or newer." };
}

async function ffprobe(): Promise<Check> {
  const { ffprobePath, ffprobeVersion } = await import("../../media/index.js");
  return { name: "ffprobe", ok: true, value: `${await ffprobeVersion()} (${process.env["FLOW_FFPROBE"] ? "FLOW_FFPROBE" : "bundled"}); ${ffprobePath()}` };
}

async function onnxruntime(): Promise<Check> {
  try {
    const { listSupportedBackends } = await import("onnxruntime-node");
    const backends = listSupportedBackends().map((backend) => backend.name).join(", ");
    const { telemetryRefused } = await import("../../models/telemetry.js");
    // On Windows the events go to the system (ETW), whose settings say what becomes of them.
    const telemetry = platform() === "win32" ? "" : `, telemetry ${telemetryRefused() ? "off" : "on (ORT_DISABLE_TELEMETRY)"}`;
    return { name: "onnxruntime", ok: true, value: `${packageVersion("onnxruntime-node")}, backends ${backends}${telemetry}` };
  } catch (cause) {
    return { name: "onnxruntime", ok: false, value: (cause as Error).message.split("\n")[0] ?? "", hint: "Install it again: npm ci." };
  }
}

async function natives(): Promise<Check[]> {
  const checks: Check[] = [];
  for (const name of ["sharp", "lmdb"]) {
    try {
      await import(name);
      checks.push({ name, ok: true, value: packageVersion(name) });
    } catch (cause) {
      checks.push({ name, ok: false, value: (cause as Error).message.split("\n")[0] ?? "", hint: "Install it again: npm ci." });
    }
  }
  return checks;
}

async function store(dir: string): Promise<Check> {
  const path = resolve(dir);
  // A folder that is still empty is a store to come.
  if (!existsSync(path) || (statSync(path).isDirectory() && readdirSync(path).length === 0)) {
    const writable = canWrite(nearestFolder(path));
    return { name: "store", ok: writable, value: `${dir}: none yet`, ...(writable ? {} : { hint: `${nearestFolder(path)} cannot be written; name another folder with --store.` }) };
  }
  const { Store } = await import("../../store/index.js");
  const opened = await Store.open(dir, { readOnly: true });
  try {
    const media = [...opened.mediaRows()].length;
    const records = [...opened.records()].length;
    return { name: "store", ok: true, value: `${dir}: ${media} media, ${records} records, ${size(statSync(join(path, "data.mdb")).size)}` };
  } finally {
    await opened.close();
  }
}

/** Larger ones are only looked at: reading gigabytes is `flow models verify`. */
const VERIFIED_BYTES = 64_000_000;

async function models(): Promise<Check[]> {
  const { verifyModelFiles } = await import("../../models/verify-model.js");
  const checks: Check[] = [];
  const missing: string[] = [];
  const unreadable = (id: string, error: FlowError): void => void checks.push({ name: `model ${id}`, ok: false, value: error.message, hint: error.hint });
  for (const model of readable(await installedModels(), unreadable)) {
    // What comes with flow has to be there; the rest is the user's choice.
    if (!model.installed && !model.id.startsWith(BUILT_IN)) {
      missing.push(model.id);
      continue;
    }
    try {
      const small = model.sizeBytes <= VERIFIED_BYTES;
      if (small) await verifyModelFiles(model);
      checks.push({ name: `model ${model.id}`, ok: true, value: `${model.task}, ${size(model.sizeBytes)}, ${small ? "SHA-256 verified" : "present"}; ${model.file}` });
    } catch (thrown) {
      const error = toFlowError(thrown);
      checks.push({ name: `model ${model.id}`, ok: false, value: error.message, hint: error.hint });
    }
  }
  if (missing.length > 0) checks.push({ name: "more models", ok: true, value: `${missing.length} not installed: ${missing.join(", ")}`, hint: "flow models pull GRAPH --profile NAME, or flow models pull ID" });
  return checks;
}

/** Each device is tried with a small model in a process of its own: a driver that crashes is an answer, too. */
async function devices(): Promise<Check[]> {
  const { autoDevice, devicesHere, InferencePool, CUDA_COMMAND } = await import("../../inference/index.js");
  const model = (await installedModels()).get("lite-text");
  if (!model) return [];
  await using pool = new InferencePool({ workers: 1, isolation: "process" });
  const checks: Check[] = [];
  const working = new Set<Device>();
  for (const device of devicesHere()) {
    try {
      const { difference } = await pool.device(model, [device]);
      working.add(device);
      checks.push({ name: `device ${device}`, ok: true, value: `works; differs from the CPU by ${difference?.toExponential(1) ?? "an unknown amount"}` });
    } catch (thrown) {
      const missing = device === "cuda" && !existsSync(join(dirname(packageFile("onnxruntime-node")), "bin", "napi-v6", platform(), arch(), "libonnxruntime_providers_shared.so"));
      const reason = toFlowError(thrown).message.replace(/^.*runs on none of its devices: [a-z]+: /, "");
      checks.push({ name: `device ${device}`, ok: true, value: `not usable: ${reason}`, ...(missing ? { hint: `with an NVIDIA GPU and a network, one command adds it: ${CUDA_COMMAND}` } : {}) });
    }
  }
  const { device, reason } = autoDevice(working);
  return [...checks, { name: "device auto", ok: true, value: reason === null ? `takes ${device} for models that it runs faster than all workers of the CPU together` : `takes cpu: ${reason}` }];
}

const packageFile = (name: string): string => join(packageRoot(), "node_modules", name, "package.json");

function packageVersion(name: string): string {
  return (JSON.parse(readFileSync(packageFile(name), "utf8")) as { version: string }).version;
}

function nearestFolder(path: string): string {
  let dir = path;
  while (!existsSync(dir) && dirname(dir) !== dir) dir = dirname(dir);
  return dir;
}

function canWrite(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
