import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";

type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy that HTTPS_PROXY / HTTP_PROXY (or their lower-case forms) name for an address, unless NO_PROXY lists its host. */
export function proxyFor(url: URL, environment: Environment = process.env): URL | null {
  const read = (name: string): string => environment[name] || environment[name.toUpperCase()] || "";
  const named = read(url.protocol === "https:" ? "https_proxy" : "http_proxy") || read("all_proxy");
  if (named === "" || excluded(url, read("no_proxy"))) return null;
  return new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(named) ? named : `http://${named}`);
}

/** NO_PROXY as curl reads it: hosts and domains, with or without a leading dot or a port; `*` means all. */
function excluded({ hostname, port, protocol }: URL, list: string): boolean {
  const actualPort = port || (protocol === "https:" ? "443" : "80");
  return list.split(/[,\s]+/).filter(Boolean).some((entry) => {
    if (entry === "*") return true;
    const [, name = "", wantedPort] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    if (wantedPort !== undefined && wantedPort !== actualPort) return false;
    const domain = name.replace(/^\*?\./, "");
    return hostname === domain || hostname.endsWith(`.${domain}`);
  });
}

/** Sends one request, through a proxy where one is named; resolves with the answer's head. `idleMs`: silence after which the connection is given up. */
export async function send(url: URL, options: RequestOptions & { idleMs: number }, environment: Environment = process.env): Promise<IncomingMessage> {
  const { idleMs, ...rest } = options;
  const proxy = proxyFor(url, environment);
  const secure = url.protocol === "https:";
  if (proxy === null) return settle((secure ? httpsRequest : httpRequest)(url, { ...rest, agent: false }), idleMs);
  const credentials = proxyCredentials(proxy);
  const toProxy = proxy.protocol === "https:" ? httpsRequest : httpRequest;
  const address = { host: proxy.hostname, port: proxy.port || (proxy.protocol === "https:" ? 443 : 80), agent: false as const };
  if (!secure) {
    // A plain request goes to the proxy with the whole address as its path (RFC 9112, 3.2.2).
    return settle(toProxy({ ...rest, ...address, path: url.href, headers: { ...rest.headers, host: url.host, ...credentials } }), idleMs);
  }
  const target = `${url.hostname}:${url.port || 443}`;
  const socket = await tunnel(toProxy({ ...address, method: "CONNECT", path: target, headers: { host: target, ...credentials } }), idleMs, rest.signal);
  // No agent: with one, node would open a connection of its own.
  return settle(httpsRequest(url, { ...rest, createConnection: () => tlsConnect({ socket, servername: url.hostname }) }), idleMs);
}

function proxyCredentials({ username, password }: URL): Record<string, string> {
  if (username === "") return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(text).toString("base64")}` };
}

type Request = ReturnType<typeof httpRequest>;

function settle(request: Request, idleMs: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.setTimeout(idleMs, () => request.destroy(new Error(`nothing came for ${idleMs / 1000} s`)));
    request.once("response", resolve).once("error", reject).end();
  });
}

function tunnel(request: Request, idleMs: number, signal: AbortSignal | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const abort = (): void => void request.destroy(new Error("aborted"));
    signal?.addEventListener("abort", abort, { once: true });
    request.setTimeout(idleMs, () => request.destroy(new Error(`the proxy said nothing for ${idleMs / 1000} s`)));
    request.once("connect", (answer, socket) => {
      signal?.removeEventListener("abort", abort);
      if (answer.statusCode === 200) return resolve(socket as Socket);
      socket.destroy();
      reject(new Error(`the proxy refused the connection: ${answer.statusCode} ${answer.statusMessage}`));
    });
    request.once("error", reject).end();
  });
}
