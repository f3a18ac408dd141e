import { fileURLToPath } from "node:url";

export { redactUri } from "../contracts/redact.js";

const SCHEME = /^[a-z][a-z0-9+.-]+:\/\//i;

/** True for http, rtsp, … (not for file: URLs, which are local paths). */
export function isUrl(uri: string): boolean {
  return SCHEME.test(uri) && !/^file:/i.test(uri);
}

/** The local path of a path or a file: URL. */
export function localPath(uri: string): string {
  return /^file:\/\//i.test(uri) ? fileURLToPath(uri) : uri;
}

/** The name ffmpeg is given: `file:` keeps a colon or a leading dash in a path from being read as a protocol or an option. */
export function ffmpegInput(uri: string): string {
  return isUrl(uri) ? uri : `file:${localPath(uri)}`;
}

/** Protocols an input may use: a playlist inside a local file must not reach the network. */
export function protocolWhitelist(uri: string): string {
  if (!isUrl(uri)) return "file,pipe";
  return /^rtsps?:/i.test(uri) ? "pipe,rtsp,rtp,udp,tcp,tls,crypto,http,https" : "pipe,http,https,tcp,tls,crypto";
}
