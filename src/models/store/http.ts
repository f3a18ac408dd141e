import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { EXIT, FlowError, type ModelSource } from "../../contracts/index.js";
import { send } from "./proxy.js";
import { pageOf, sourceText, type Address } from "./sources.js";

const MAX_REDIRECTS = 5;
const IDLE_MS = 60_000;
const MENTIONED_MS = 60_000;

/** A failure that may pass: the same request again can succeed. */
export class Transient extends FlowError {
  /** What the server asked to wait, if it did. */
  readonly retryAfterMs: number | null;

  constructor(code: string, message: string, hint: string, retryAfterMs: number | null = null, cause?: unknown) {
    super(code, message, { hint, exit: EXIT.environment, cause });
    this.retryAfterMs = retryAfterMs;
  }
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Headers of the last answer from the origin that was asked: what the hub itself says of the file, before it sends us to its storage. */
  first: IncomingHttpHeaders;
  /** What was asked. */
  from: URL;
  /** Where the redirects ended. */
  url: URL;
  body: IncomingMessage;
}

export interface Ask {
  method?: "GET" | "HEAD";
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** false: a redirect to another origin is the answer. Default true. */
  leave?: boolean;
}

/** Asks and follows redirects. The secret goes to the first origin alone; a redirect from https to http is refused. Resolves with any other status. */
export async function ask({ url: start, secret }: Address, { method = "GET", headers = {}, signal, environment = process.env, leave = true }: Ask): Promise<Answer> {
  let url = start;
  let first: IncomingHttpHeaders = {};
  for (let hop = 0; ; hop++) {
    const own = url.origin === start.origin ? secret : {};
    let body: IncomingMessage;
    try {
      body = await send(url, { method, headers: { "user-agent": "flow", "accept-encoding": "identity", ...headers, ...own }, idleMs: IDLE_MS, ...(signal ? { signal } : {}) }, environment);
    } catch (cause) {
      throw unreachable(url, cause);
    }
    if (url.origin === start.origin) first = body.headers;
    const status = body.statusCode ?? 0;
    const to = body.headers.location;
    if (![301, 302, 303, 307, 308].includes(status) || to === undefined) return { status, headers: body.headers, first, from: start, url, body };
    body.resume();
    if (hop === MAX_REDIRECTS) throw refused(`${start.href} redirects more than ${MAX_REDIRECTS} times`);
    const next = parsed(to, url);
    if (next === null || !/^https?:$/.test(next.protocol)) throw refused(`${url.href} redirects to ${to}`);
    if (url.protocol === "https:" && next.protocol === "http:") throw refused(`${url.href} redirects to ${next.origin}, which is not encrypted`);
    if (!leave && next.origin !== start.origin) return { status, headers: body.headers, first, from: start, url, body };
    url = next;
  }
}

function parsed(to: string, base: URL): URL | null {
  try {
    return new URL(to, base);
  } catch {
    return null;
  }
}

function refused(message: string): FlowError {
  return new FlowError("MODEL_REDIRECT", message, { hint: "The server or a proxy on the way misbehaves; try another network, or `flow models import DIR` with files from elsewhere.", exit: EXIT.environment, permanent: true });
}

const OFFLINE = "Check the network; HTTPS_PROXY names a proxy, HF_ENDPOINT a mirror of Hugging Face. Without a network: download elsewhere and `flow models import DIR`.";

export function unreachable(url: URL, cause: unknown): FlowError {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  const what = `${url.host} cannot be reached: ${message || code || String(cause)}`;
  const permanent = { exit: EXIT.environment, permanent: true, cause };
  if (/CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET)/.test(code)) {
    return new FlowError("MODEL_NETWORK", what, { hint: "Something between here and there signs with a certificate that this machine does not trust; if that is your company's, name it: NODE_EXTRA_CA_CERTS=FILE.pem.", ...permanent });
  }
  // A name that nobody knows is a machine without a network, or a mistyped mirror: waiting helps neither.
  if (code === "ENOTFOUND") return new FlowError("MODEL_NETWORK", what, { hint: OFFLINE, ...permanent });
  return new Transient("MODEL_NETWORK", what, OFFLINE, null, cause);
}

/** The bytes of an answer, of which `before` are there. One that breaks off is told with what has come: the host was reached. */
export async function* received({ body, url }: Answer, before = 0, total: number | null = null): AsyncGenerator<Buffer> {
  let bytes = before;
  try {
    for await (const chunk of body) {
      bytes += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  } catch (cause) {
    throw brokenOff(url, bytes, total, (cause as Error).message, cause);
  } finally {
    body.destroy();
  }
}

export function brokenOff(url: URL, bytes: number, total: number | null, why?: string, cause?: unknown): Transient {
  const what = `${url.host} ended the transfer after ${bytes}${total === null ? "" : ` of ${total}`} bytes`;
  return new Transient("MODEL_NETWORK", why === undefined ? what : `${what}: ${why}`, "Run the same command again: a download goes on where it stopped.", null, cause);
}

/** The error behind a status that is no success. */
export function statusError({ status, headers, first, from }: Answer, source: ModelSource): FlowError {
  const what = sourceText(source);
  const reason = String(first["x-error-message"] ?? first["x-error-code"] ?? "");
  const said = reason === "" ? "" : ` (${reason})`;
  const permanent = { exit: EXIT.environment, permanent: true };
  // A mirror has tokens and files of its own: the pages that the hints name are not about it.
  const mirror = source.kind === "huggingface" && from.host !== "huggingface.co" ? `HF_ENDPOINT has ${from.host} asked: check that it is the right one, and that HF_TOKEN is meant for it. ` : "";
  if (status === 401 || status === 403) {
    const code = String(first["x-error-code"] ?? "");
    if (source.kind === "huggingface" && code === "RepoNotFound") {
      return new FlowError("MODEL_NOT_FOUND", `${what}: there is no such repository, or it is private${said}`, { hint: `${mirror}Check ${pageOf(source)}; for a private repository set HF_TOKEN.`, ...permanent });
    }
    const hint =
      source.kind === "huggingface"
        ? `${mirror}Accept the terms at ${pageOf(source)} with your account, make a token at https://huggingface.co/settings/tokens, and run again with HF_TOKEN=….`
        : `Open ${pageOf(source)} in a browser, download it there, and \`flow models import DIR\`.`;
    return new FlowError("MODEL_GATED", `${what}: the server answers ${status}${said}: access needs permission`, { hint, ...permanent });
  }
  if (status === 404 || status === 410) return new FlowError("MODEL_NOT_FOUND", `${what}: not found${said}`, { hint: `${mirror}It may have been renamed or removed: see ${pageOf(source)}.`, ...permanent });
  const after = retryAfterMs(headers["retry-after"]);
  // Shorter ones have been waited for already.
  const asks = after !== null && after > MENTIONED_MS ? waitText(after) : null;
  if (status === 429) return new Transient("MODEL_RATE_LIMITED", `${what}: the server asks to slow down (429)`, `${asks === null ? "Wait some minutes" : `Wait ${asks}, as the server asks,`} and pull again: it goes on where it stopped. A token in HF_TOKEN raises the limit.`, after);
  if (status === 408 || status >= 500) return new Transient("MODEL_SERVER", `${what}: the server answers ${status}${said}`, `Pull again ${asks === null ? "later" : `in ${asks}, as the server asks`}: it goes on where it stopped.`, after);
  return new FlowError("MODEL_SERVER", `${what}: the server answers ${status}${said}`, { hint: `See ${pageOf(source)}.`, ...permanent });
}

function waitText(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 120 ? `${seconds} s` : seconds < 7200 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfterMs(value: string | undefined): number | null {
  if (value === undefined) return null;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}
