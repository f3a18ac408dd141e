import { execFile } from "node:child_process";
import { accessSync, chmodSync, constants, copyFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { EXIT, FlowError } from "../contracts/errors.js";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const resolved = new Map<string, string>();

export interface Abilities {
  path: string;
  bundled: boolean;
  version: string;
  /** The flag that keeps every frame's own time. */
  passthrough: "-vsync" | "-fps_mode";
  tee: boolean;
  framecrc: boolean;
  encTimeBase: boolean;
  libx264: boolean;
  /** Log lines can name their level. */
  levels: boolean;
  /** What decoding cannot do without and this build lacks; empty for a usable one. */
  missing: string[];
}

/** Path of the ffmpeg in use: FLOW_FFMPEG, else the bundled one. Throws FFMPEG_MISSING. */
export function ffmpegPath(): string {
  return binary("FLOW_FFMPEG", "@ffmpeg-installer/ffmpeg", "ffmpeg");
}

/** Path of the ffprobe in use: FLOW_FFPROBE, else the bundled one (made executable first). Throws FFMPEG_MISSING. */
export function ffprobePath(): string {
  return binary("FLOW_FFPROBE", "@ffprobe-installer/ffprobe", "ffprobe");
}

/**
 * Environment of ffmpeg and ffprobe. The bundled static ffprobe crashes (SIGSEGV) when it loads the system's character set modules, which it does
 * for the service name of every transport stream: this path keeps it from finding them.
 */
export function binaryEnv(): NodeJS.ProcessEnv {
  return { ...process.env, GCONV_PATH: "/nonexistent" };
}

function binary(variable: string, packageName: string, name: string): string {
  const override = process.env[variable];
  const key = `${variable}=${override ?? ""}`;
  const known = resolved.get(key);
  if (known !== undefined) return known;
  const path = override ? onPath(override) : bundled(packageName, name);
  if (path === null) {
    throw new FlowError("FFMPEG_MISSING", override ? `${variable} names ${override}, which cannot be run.` : `The bundled ${name} is not installed for this platform.`, {
      hint: override ? `Point ${variable} at an executable ${name}, or unset it to use the bundled one.` : `Run \`npm ci\` again, or set ${variable} to an ${name} of yours.`,
      exit: EXIT.environment,
    });
  }
  resolved.set(key, path);
  return path;
}

function onPath(name: string): string | null {
  const candidates = name.includes("/") ? [name] : (process.env["PATH"] ?? "").split(delimiter).map((dir) => join(dir, name));
  return candidates.find((path) => executable(path)) ?? null;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

// The ffprobe package ships its binary without the exec bit and relies on an install script, which `ignore-scripts` switches off.
function bundled(packageName: string, name: string): string | null {
  let path: string;
  try {
    path = (require(packageName) as { path: string }).path;
  } catch {
    return null;
  }
  if (executable(path)) return path;
  try {
    chmodSync(path, 0o755);
    return path;
  } catch {
    return copied(path, name);
  }
}

function copied(path: string, name: string): string | null {
  try {
    const dir = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "flow", "bin");
    const target = join(dir, `${name}-${statSync(path).size}`);
    if (executable(target)) return target;
    mkdirSync(dir, { recursive: true });
    const temporary = `${target}.${process.pid}`;
    copyFileSync(path, temporary);
    chmodSync(temporary, 0o755);
    renameSync(temporary, target);
    return target;
  } catch {
    return null;
  }
}

/** Of @ffmpeg-installer/ffmpeg, which package.json pins (a test compares): with the platform it names the bundled binary, without loading the package. */
export const BUNDLED_FFMPEG = "1.1.0";

/**
 * Names the ffmpeg in use: another one may decode to other frames and samples, so memo keys go by it (DESIGN §5). One that cannot be run is for the decode to
 * complain about.
 */
export async function decoderVersion(): Promise<string> {
  const override = process.env["FLOW_FFMPEG"];
  if (!override || onPath(override) === bundled("@ffmpeg-installer/ffmpeg", "ffmpeg")) return `bundled ${BUNDLED_FFMPEG} ${process.platform}-${process.arch}`;
  return versionIn(await text(onPath(override) ?? override, ["-version"]).catch(() => ""));
}

const versionIn = (said: string): string => /^ffmpeg version (\S+)/m.exec(said)?.[1] ?? "unknown";

const probed = new Map<string, Promise<Abilities>>();

/** What the ffmpeg in use can do; asked once per binary (two short runs of it). */
export function abilities(path: string = ffmpegPath()): Promise<Abilities> {
  let answer = probed.get(path);
  if (answer === undefined) {
    answer = ask(path);
    probed.set(path, answer);
    answer.catch(() => probed.delete(path));
  }
  return answer;
}

/** abilities(), or FFMPEG_UNFIT naming what the build lacks. */
export async function requireAbilities(path: string = ffmpegPath()): Promise<Abilities> {
  const found = await abilities(path);
  if (found.missing.length > 0) {
    throw new FlowError("FFMPEG_UNFIT", `${path} (${found.version}) lacks ${found.missing.join(", ")}.`, {
      hint: "Unset FLOW_FFMPEG to use the bundled build, or point it at a full build of ffmpeg 4.0 or newer.",
      exit: EXIT.environment,
    });
  }
  return found;
}

async function ask(path: string): Promise<Abilities> {
  try {
    const [version, help, muxers, encoders, levels] = await Promise.all([
      text(path, ["-version"]),
      text(path, ["-hide_banner", "-h", "long"]),
      text(path, ["-hide_banner", "-muxers"]),
      text(path, ["-hide_banner", "-encoders"]),
      text(path, ["-v", "level+error", "-version"]).then(
        () => true,
        () => false,
      ),
    ]);
    const muxer = (name: string): boolean => new RegExp(`^\\s*E\\s+${name}\\s`, "m").test(muxers);
    const option = (name: string): boolean => new RegExp(`^\\s*-${name}[\\s\\[]`, "m").test(help);
    const found = {
      path,
      bundled: !process.env["FLOW_FFMPEG"],
      version: versionIn(version),
      // Newer builds drop -vsync; where both exist the new name is the one that stays.
      passthrough: option("fps_mode") ? ("-fps_mode" as const) : ("-vsync" as const),
      tee: muxer("tee"),
      framecrc: muxer("framecrc"),
      encTimeBase: option("enc_time_base"),
      libx264: /\slibx264\s/.test(encoders),
      levels,
    };
    const missing: string[] = [];
    if (!found.tee) missing.push("the tee muxer");
    if (!found.framecrc) missing.push("the framecrc muxer");
    if (!muxer("rawvideo")) missing.push("the rawvideo muxer");
    if (!muxer("f32le")) missing.push("the f32le muxer");
    if (!found.encTimeBase) missing.push("-enc_time_base");
    if (!option("fps_mode") && !option("vsync")) missing.push("-fps_mode");
    return { ...found, missing };
  } catch (cause) {
    throw new FlowError("FFMPEG_UNFIT", `${path} does not answer like ffmpeg: ${cause instanceof Error ? cause.message.split("\n")[0] : String(cause)}`, {
      hint: "Unset FLOW_FFMPEG to use the bundled build.",
      exit: EXIT.environment,
      cause,
    });
  }
}

/** Version of the ffprobe in use, or FFMPEG_UNFIT when it is none. */
export async function ffprobeVersion(path: string = ffprobePath()): Promise<string> {
  const said = await text(path, ["-version"]).catch(() => "");
  const version = /^ffprobe version (\S+)/m.exec(said)?.[1];
  if (version !== undefined) return version;
  throw new FlowError("FFMPEG_UNFIT", `${path} does not answer like ffprobe.`, { hint: "Unset FLOW_FFPROBE to use the bundled build.", exit: EXIT.environment });
}

async function text(path: string, args: string[]): Promise<string> {
  const { stdout } = await run(path, args, { maxBuffer: 16 << 20, timeout: 20_000 });
  return stdout;
}
