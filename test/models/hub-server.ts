/** A real HTTP server that answers as the Hugging Face hub, its storage and GitHub do; every request is remembered. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HubFile {
  body: Buffer;
  /** In the large file storage: the hub redirects to the other port. */
  lfs?: boolean;
}

export type Handler = (request: IncomingMessage, response: ServerResponse, file: HubFile | undefined) => boolean;

export interface Asked {
  where: "hub" | "storage";
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
}

export const COMMIT = "c".repeat(40);

const sha256 = (body: Buffer): string => createHash("sha256").update(body).digest("hex");

/** Two ports, as huggingface.co and its CDN are two hosts. */
export class HubServer implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** `org/name` → path → file. */
  readonly repos = new Map<string, Map<string, HubFile>>();
  /** Path below the endpoint → text or bytes, for GitHub and plain URLs. */
  readonly plain = new Map<string, Buffer>();
  gated = new Set<string>();
  /** May answer in the place of the storage (or the hub): true when it did. */
  onStorage: Handler = () => false;
  onHub: Handler = () => false;
  commit = COMMIT;
  private readonly hub: Server;
  private readonly storage: Server;

  private constructor() {
    this.hub = createServer((request, response) => this.answerHub(request, response));
    this.storage = createServer((request, response) => this.answerStorage(request, response));
  }

  static async open(): Promise<HubServer> {
    const server = new HubServer();
    await Promise.all([server.hub, server.storage].map((each) => new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve))));
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.hub.address() as AddressInfo).port}`;
  }

  /** Another origin: another port. */
  get storageEndpoint(): string {
    return `http://127.0.0.1:${(this.storage.address() as AddressInfo).port}`;
  }

  put(repo: string, path: string, body: Buffer, lfs = false): HubFile {
    const files = this.repos.get(repo) ?? new Map<string, HubFile>();
    this.repos.set(repo, files);
    const file = { body, lfs };
    files.set(path, file);
    return file;
  }

  private answerHub(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent((request.url ?? "").split("?")[0]!);
    this.asked.push({ where: "hub", method: request.method ?? "", path, headers: request.headers });
    const [, repo = "", revision = "", name = ""] = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path) ?? [];
    const file = this.repos.get(repo)?.get(name);
    if (this.onHub(request, response, file)) return;
    const plain = this.plain.get(path);
    if (plain) return sendRange(request, response, plain, `"${sha256(plain).slice(0, 32)}"`);
    const listed = /^\/api\/models\/([^/]+\/[^/]+)\/revision\//.exec(path)?.[1];
    if (listed !== undefined && this.repos.has(listed)) return this.list(response, listed);
    if (this.gated.has(repo) && request.headers.authorization !== "Bearer hf_right") {
      return void response.writeHead(401, { "x-error-code": "GatedRepo", "x-error-message": `Access to model ${repo} is restricted.` }).end();
    }
    if (!this.repos.has(repo)) return void response.writeHead(401, { "x-error-code": "RepoNotFound" }).end();
    if (!file) return void response.writeHead(404, { "x-error-code": "EntryNotFound" }).end();
    if (revision !== "main" && revision !== this.commit) return void response.writeHead(404, { "x-error-code": "RevisionNotFound" }).end();
    const headers = { "x-repo-commit": this.commit };
    if (!file.lfs) {
      response.setHeaders(new Map(Object.entries(headers)));
      return sendRange(request, response, file.body, `"${createHash("sha1").update(file.body).digest("hex")}"`);
    }
    const location = `${this.storageEndpoint}/${repo}/${name}?signature=${this.asked.length}`;
    response.writeHead(302, { ...headers, location, "x-linked-size": String(file.body.length), "x-linked-etag": `"${sha256(file.body)}"` }).end();
  }

  private list(response: ServerResponse, repo: string): void {
    const siblings = [...this.repos.get(repo)!].map(([rfilename, { body, lfs }]) => ({ rfilename, size: body.length, ...(lfs ? { lfs: { sha256: sha256(body), size: body.length } } : {}) }));
    response.setHeader("content-type", "application/json").end(JSON.stringify({ sha: this.commit, cardData: { license: "apache-2.0" }, siblings }));
  }

  private answerStorage(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent((request.url ?? "").split("?")[0]!);
    this.asked.push({ where: "storage", method: request.method ?? "", path, headers: request.headers });
    const [, repo = "", name = ""] = /^\/([^/]+\/[^/]+)\/(.+)$/.exec(path) ?? [];
    const file = this.repos.get(repo)?.get(name);
    if (this.onStorage(request, response, file)) return;
    if (!file) return void response.writeHead(403).end();
    sendRange(request, response, file.body, `"${sha256(file.body)}"`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of [this.hub, this.storage]) {
      each.closeAllConnections();
      await new Promise<void>((resolve) => each.close(() => resolve()));
    }
  }
}

/** A file with ETag, Range and If-Range (RFC 9110, 13 and 14). */
export function sendRange(request: IncomingMessage, response: ServerResponse, body: Buffer, etag: string): void {
  const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
  const condition = request.headers["if-range"];
  response.setHeader("etag", etag).setHeader("accept-ranges", "bytes");
  if (from === undefined || (condition !== undefined && condition !== etag)) {
    response.writeHead(200, { "content-length": body.length });
    return void response.end(request.method === "HEAD" ? undefined : body);
  }
  const start = Number(from);
  if (start >= body.length) return void response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
  response.writeHead(206, { "content-length": body.length - start, "content-range": `bytes ${start}-${body.length - 1}/${body.length}` });
  response.end(body.subarray(start));
}

/** Bytes that no two positions of a file share by chance. */
export function bytes(length: number, seed = 1): Buffer {
  const body = Buffer.alloc(length);
  for (let i = 0, x = seed; i < length; i++) body[i] = (x = (x * 1103515245 + 12345) & 0x7fffffff) >> 16;
  return body;
}

/** Promises their whole length and sends only the beginning. */
export function truncated(response: ServerResponse, body: Buffer, sent: number, etag: string): void {
  response.writeHead(200, { etag, "content-length": body.length });
  response.write(body.subarray(0, sent), () => response.destroy());
}
