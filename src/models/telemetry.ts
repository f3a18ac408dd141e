/**
 * ONNX Runtime's builds for Linux and macOS send usage data to Microsoft since 1.29 (names, domains and hashes of the models they open, durations,
 * a lasting id of the machine) and keep a queue of it in ~/.cache/Microsoft, unless this variable is "1" or "true" when the library is loaded
 * (core/platform/posix/telemetry.cc; measured with 1.30: "0" and "" leave it on). Only the main thread's `process.env` is the process's environment.
 */
const OPT_OUT = "ORT_DISABLE_TELEMETRY";

/** Call on the main thread before anything loads onnxruntime-node. Who sets the variable decides. */
export function refuseTelemetry(): void {
  process.env[OPT_OUT] ??= "1";
}

export const telemetryRefused = (): boolean => /^(1|true)$/i.test(process.env[OPT_OUT] ?? "");
