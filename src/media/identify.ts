import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { FlowError } from "../contracts/errors.js";
import { isUrl, localPath, redactUri } from "./uri.js";

/** A content id with what told it: the file is hashed again when one of the three has changed. */
export interface CachedIdentity {
  id: string;
  sizeBytes: number;
  mtimeNs: string;
  inode: string;
}

export interface IdentityCache {
  get(path: string): CachedIdentity | undefined;
  put(path: string, identity: CachedIdentity): void;
}

export interface Identity {
  id: string;
  memoisable: boolean;
}

const HEAD_TIMEOUT_MS = 15_000;

/** Content id of a medium: the SHA-256 of its bytes; of a URL: a hash of its validators. Throws MEDIA_NOT_FOUND, MEDIA_UNREADABLE; the reason of `signal` when that says so. */
export async function identify(uri: string, cache: IdentityCache | null, signal?: AbortSignal): Promise<Identity> {
  try {
    return await (isUrl(uri) ? identifyUrl(uri, signal) : identifyFile(localPath(uri), cache, signal));
  } catch (cause) {
    signal?.throwIfAborted();
    throw cause;
  }
}

/** Whether a file holds other bytes by now: a look at its size and times, unless these differ. One that is gone can still be read by whoever had it open. */
export async function holdsOther(uri: string, id: string, cache: IdentityCache | null): Promise<boolean> {
  if (isUrl(uri)) return false;
  return identify(uri, cache).then((now) => now.id !== id, () => false);
}

async function identifyFile(path: string, cache: IdentityCache | null, signal: AbortSignal | undefined): Promise<Identity> {
  try {
    const info = await stat(path, { bigint: true });
    if (info.isDirectory()) {
      throw new FlowError("MEDIA_IS_DIRECTORY", `${path} is a folder.`, { hint: "Pass the folder as an input of `flow run` to take the media in it.", item: path });
    }
    const now = { sizeBytes: Number(info.size), mtimeNs: String(info.mtimeNs), inode: String(info.ino) };
    const known = cache?.get(path);
    if (known && known.sizeBytes === now.sizeBytes && known.mtimeNs === now.mtimeNs && known.inode === now.inode) return { id: known.id, memoisable: true };
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) hash.update(chunk as Buffer);
    const id = hash.digest("hex");
    cache?.put(path, { id, ...now });
    return { id, memoisable: true };
  } catch (cause) {
    if (cause instanceof FlowError) throw cause;
    const errno = (cause as NodeJS.ErrnoException).code;
    const missing = errno === "ENOENT" || errno === "ENOTDIR";
    throw new FlowError(missing ? "MEDIA_NOT_FOUND" : "MEDIA_UNREADABLE", missing ? `${path} does not exist.` : `${path} cannot be read (${errno ?? String(cause)}).`, {
      hint: missing ? "Check the path; relative paths start at the working directory." : "Check the file, its permissions and the disk it is on.",
      item: path,
      cause,
    });
  }
}

/** fetch refuses a URL with credentials, which ffmpeg takes: they go into the header instead. */
function withoutUserInfo(uri: string): { url: string; headers: Record<string, string> } {
  const url = new URL(uri);
  if (url.username === "" && url.password === "") return { url: uri, headers: {} };
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = url.password = "";
  return { url: url.href, headers: { authorization: `Basic ${Buffer.from(pair).toString("base64")}` } };
}

async function identifyUrl(uri: string, signal: AbortSignal | undefined): Promise<Identity> {
  const hash = createHash("sha256").update(uri);
  if (!/^https?:/i.test(uri)) return { id: hash.digest("hex"), memoisable: false };
  const shown = redactUri(uri);
  let response: Response;
  try {
    const { url, headers } = withoutUserInfo(uri);
    response = await fetch(url, { method: "HEAD", headers, signal: AbortSignal.any([AbortSignal.timeout(HEAD_TIMEOUT_MS), ...(signal ? [signal] : [])]) });
  } catch (cause) {
    const reason = cause instanceof Error ? ((cause.cause as Error | undefined)?.message ?? cause.message) : String(cause);
    throw new FlowError("MEDIA_UNREADABLE", `${shown} does not answer: ${redactUri(reason)}.`, { hint: "Check the address and the network.", item: shown });
  }
  if (response.status === 404 || response.status === 410) {
    throw new FlowError("MEDIA_NOT_FOUND", `${shown} does not exist (${response.status}).`, { hint: "Check the address.", item: shown });
  }
  const validator = response.ok ? (response.headers.get("etag") ?? response.headers.get("last-modified")) : null;
  const length = response.headers.get("content-length");
  // Without a validator nothing tells whether the bytes are still the same: the id is good for this run only.
  if (validator === null || length === null) return { id: hash.update(String(process.hrtime.bigint())).digest("hex"), memoisable: false };
  return { id: hash.update(`\n${validator}\n${length}`).digest("hex"), memoisable: true };
}
