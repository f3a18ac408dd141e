import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rm, stat, writeFile, readFile, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT, FlowError, type ModelSource } from "../../contracts/index.js";
import { fromDisk } from "./disk.js";
import { ask, brokenOff, received, statusError, Transient, type Answer } from "./http.js";
import { isPageType, notTheFile, notWhatItIs, PAGE } from "./page.js";
import { addressOf, lfsPointer, mediaAddressOf, sourceText } from "./sources.js";

/** A pointer is some 130 bytes; nothing longer is read as one. */
const POINTER_BYTES = 1024;
const MAX_WAIT_MS = 120_000;
const CORRUPT = "MODEL_CORRUPT";

export interface DownloadOptions {
  source: ModelSource;
  /** Hugging Face: the commit that the revision stands for, when it is known. */
  commit: string | null;
  /** null: not known, trusted as it comes. */
  sizeBytes: number | null;
  sha256: string | null;
  /** The unfinished file; a `.json` beside it says what it is the beginning of. */
  part: string;
  /** Bytes of the file that are there, out of how many. */
  onProgress?: (bytes: number, total: number | null) => void;
  signal?: AbortSignal | undefined;
  environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Tries without progress before it gives up. Default 5. */
  attempts?: number;
  /** First pause, doubled each time. Default 500. */
  backoffMs?: number;
}

export interface Downloaded {
  sha256: string;
  size: number;
  /** Commit that the hub says it served. */
  commit: string | null;
}

/** What is known of the file that `part` is the beginning of. */
interface Remembered {
  source: string;
  etag: string | null;
  sha256: string | null;
  size: number | null;
}

/**
 * Downloads one file into `part`, going on where an earlier try (or process) stopped: Range with If-Range, so that bytes of two versions are
 * never joined. The whole file is then what size and SHA-256 say, or an error. A part that cannot be gone on with is removed.
 */
export async function download(options: DownloadOptions): Promise<Downloaded> {
  const { part, attempts = 5, backoffMs = 500, signal } = options;
  await mkdir(dirname(part), { recursive: true });
  for (let failures = 0; ; ) {
    const before = await sizeOf(part);
    try {
      return await new Try(options).run();
    } catch (thrown) {
      const error = signal?.aborted ? interrupted() : fromDisk(thrown, part);
      const kept = await keepIfResumable(options, error);
      if (!(error instanceof Transient)) throw error;
      // A slow line that gives a little each time is no failure.
      failures = kept > before ? 1 : failures + 1;
      const pause = error.retryAfterMs ?? backoffMs * 2 ** (failures - 1) * (0.75 + Math.random() / 2);
      if (failures >= attempts || pause > MAX_WAIT_MS) throw error;
      await sleep(pause, undefined, signal ? { signal } : {}).catch(() => {
        throw interrupted();
      });
    }
  }
}

class Try {
  private hash: Hash = createHash("sha256");
  private bytes = 0;
  private resumed = false;
  /** Whose page it is, where the server says that it sends one. */
  private pageOf: string | null = null;

  constructor(private readonly options: DownloadOptions) {}

  async run(): Promise<Downloaded> {
    const { source, commit, environment } = this.options;
    const known = await recall(this.options);
    if (known) await this.hashExisting();
    if (known?.size === this.bytes && known.sha256 !== null) return this.finished(known.size, known.sha256, commit, null);
    let address = addressOf(source, commit, environment);
    let answer = await this.request(address, known);
    this.expectFile(answer);
    const pointer = source.kind === "github" ? await pointerOf(answer) : null;
    if (pointer !== null && source.kind === "github") {
      if ("text" in pointer) return this.whole(pointer.text, answer);
      this.expect(pointer.sha256, pointer.size);
      address = mediaAddressOf(source, environment);
      answer = await this.request(address, known);
      this.expectFile(answer);
    }
    const total = this.announced(answer);
    const sha256 = this.options.sha256 ?? linkedSha256(answer);
    if (answer.status === 200) this.restart();
    await remember(this.options, { source: sourceText(source), etag: strongEtag(answer), sha256, size: total });
    await this.receive(answer, total);
    return this.finished(total, sha256, servedCommit(answer) ?? commit, answer);
  }

  private async request(address: ReturnType<typeof addressOf>, known: Remembered | null): Promise<Answer> {
    const { signal, environment, source } = this.options;
    const condition = known?.etag ? { "if-range": known.etag } : {};
    const headers: Record<string, string> = this.bytes > 0 ? { range: `bytes=${this.bytes}-`, ...condition } : {};
    const answer = await ask(address, { headers, signal, environment });
    if (answer.status === 416) {
      // Our beginning is longer than the file is now: another file.
      answer.body.resume();
      await forget(this.options.part);
      throw new Transient("MODEL_SERVER", `${sourceText(source)}: the server has not the range that was asked for`, "Pull again: it starts over.", 0);
    }
    if (answer.status !== 200 && answer.status !== 206) {
      answer.body.resume();
      throw statusError(answer, source);
    }
    return answer;
  }

  /** Total size as the server states it, checked against what is known before a byte is written. */
  private announced({ status, headers, first }: Answer): number | null {
    let total: number | null = null;
    if (status === 206) {
      const [, from, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers["content-range"] ?? "") ?? [];
      if (Number(from) !== this.bytes) throw this.wrong(`the server sent the range ${headers["content-range"] ?? "(none)"}, asked was ${this.bytes}-`);
      if (size !== undefined && size !== "*") total = Number(size);
    } else if (headers["content-length"] !== undefined) {
      total = Number(headers["content-length"]);
    }
    const linked = Number(first["x-linked-size"] ?? Number.NaN);
    if (total !== null && Number.isFinite(linked) && linked !== total) throw this.wrong(`the hub announces ${linked} bytes, its storage ${total}`);
    total ??= Number.isFinite(linked) ? linked : null;
    this.expect(null, total);
    return this.options.sizeBytes ?? total;
  }

  private expect(sha256: string | null, size: number | null): void {
    const { sizeBytes, sha256: wanted } = this.options;
    if (size !== null && sizeBytes !== null && size !== sizeBytes) throw this.wrong(`found ${size} bytes, expected ${sizeBytes}`);
    if (sha256 !== null && wanted !== null && sha256 !== wanted) throw this.wrong(`found sha256 ${sha256}, expected ${wanted}`);
  }

  private async receive(answer: Answer, total: number | null): Promise<void> {
    const file = await open(this.options.part, this.bytes > 0 ? "r+" : "w");
    try {
      for await (const chunk of received(answer, this.bytes, total)) {
        if (total !== null && this.bytes + chunk.length > total) throw this.wrong(`the server sends more than the ${total} bytes of the file`);
        await this.append(file, chunk);
        this.options.onProgress?.(this.bytes, total);
      }
      // What is renamed into place next must be on the disk by then.
      await file.datasync().catch(ignoreUnsupported);
    } finally {
      await file.close();
    }
    if (total !== null && this.bytes < total && this.pageOf !== null) throw this.wrong(`found ${this.bytes} bytes, expected ${total}`);
    if (total !== null && this.bytes < total) throw brokenOff(answer.url, this.bytes, total);
  }

  private async append(file: FileHandle, chunk: Buffer): Promise<void> {
    for (let written = 0; written < chunk.length; ) {
      const { bytesWritten } = await file.write(chunk, written, chunk.length - written, this.bytes + written);
      written += bytesWritten;
    }
    this.hash.update(chunk);
    this.bytes += chunk.length;
  }

  /** A small file of GitHub that has been read already to see whether it is a pointer. */
  private async whole(text: Buffer, answer: Answer): Promise<Downloaded> {
    this.expect(null, text.length);
    await writeFile(this.options.part, text);
    this.hash.update(text);
    this.bytes = text.length;
    return this.finished(text.length, this.options.sha256, null, answer);
  }

  /** Without a hash to compare with, what comes first is trusted for ever: not a page, and from Hugging Face not what does not say its commit. */
  private expectFile(answer: Answer): void {
    const { source } = this.options;
    this.pageOf = isPageType(answer.headers["content-type"], nameOf(source)) ? answer.url.host : null;
    if (this.options.sha256 !== null || linkedSha256(answer) !== null) return;
    const what = this.pageOf !== null ? PAGE : source.kind === "huggingface" && servedCommit(answer) === null ? "a file without the commit that it is of (x-repo-commit), as no hub does" : null;
    if (what === null) return;
    answer.body.destroy();
    throw notTheFile(source, answer.url.host, what);
  }

  private async finished(size: number | null, sha256: string | null, commit: string | null, answer: Answer | null): Promise<Downloaded> {
    const found = this.hash.digest("hex");
    if (this.bytes === 0 && sha256 === null) throw this.wrong("it is empty");
    if (found !== sha256 && answer !== null && (size === null || this.bytes === size)) {
      const other = await notWhatItIs(this.options.part, nameOf(this.options.source));
      if (other === PAGE) throw notTheFile(this.options.source, answer.url.host, PAGE);
      if (other !== null && sha256 === null) throw notTheFile(this.options.source, answer.url.host, `something that is ${other} (${this.bytes} bytes)`);
    }
    if (size !== null && this.bytes !== size) throw this.wrong(`found ${this.bytes} bytes, expected ${size}`);
    if (sha256 !== null && found !== sha256) throw this.wrong(`found sha256 ${found}, expected ${sha256}`);
    return { sha256: found, size: this.bytes, commit };
  }

  private async hashExisting(): Promise<void> {
    for await (const chunk of createReadStream(this.options.part, { highWaterMark: 1 << 20 })) {
      this.hash.update(chunk as Buffer);
      this.bytes += (chunk as Buffer).length;
    }
    this.resumed = true;
    this.options.onProgress?.(this.bytes, this.options.sizeBytes);
  }

  /** The server would not go on: it sends the whole (perhaps a newer) file. */
  private restart(): void {
    if (this.bytes === 0) return;
    this.bytes = 0;
    this.resumed = false;
    this.hash = createHash("sha256");
  }

  private wrong(what: string): FlowError {
    if (this.pageOf !== null) return notTheFile(this.options.source, this.pageOf, PAGE);
    const message = `${sourceText(this.options.source)} is not the file that was expected: ${what}`;
    const hint = "Nothing was installed. Pull again; if it stays so, the file was changed at its source or something on the way changes it.";
    // The beginning, not the server, may be what is wrong: once more from the start.
    if (this.resumed) return new Transient(CORRUPT, message, hint, 0);
    return new FlowError(CORRUPT, message, { hint, exit: EXIT.environment, permanent: true });
  }
}

/** The pointer, or the text of a small file that is none; null for a file that is too long to be one. */
async function pointerOf(answer: Answer): Promise<{ sha256: string; size: number } | { text: Buffer } | null> {
  if (answer.status !== 200 || Number(answer.headers["content-length"] ?? Infinity) > POINTER_BYTES) return null;
  const chunks: Buffer[] = [];
  for await (const chunk of received(answer)) chunks.push(chunk);
  const text = Buffer.concat(chunks);
  return lfsPointer(text.toString("utf8")) ?? { text };
}

/** The path at the source, which ends in what the file is. */
const nameOf = (source: ModelSource): string => (source.kind === "url" ? new URL(source.url).pathname : source.path);

const quoted = (value: unknown): string => String(value ?? "").replace(/^(W\/)?"|"$/g, "");

/** The hub states the SHA-256 of files in its large file storage. */
function linkedSha256({ first }: Answer): string | null {
  const etag = quoted(first["x-linked-etag"]);
  return /^[0-9a-f]{64}$/.test(etag) ? etag : null;
}

function servedCommit({ first }: Answer): string | null {
  const commit = String(first["x-repo-commit"] ?? "");
  return /^[0-9a-f]{40}$/.test(commit) ? commit : null;
}

/** A weak validator may stay while bytes change: it is none for ranges. */
function strongEtag({ headers }: Answer): string | null {
  return headers.etag === undefined || headers.etag.startsWith("W/") ? null : headers.etag;
}

const noteOf = (part: string): string => `${part}.json`;

async function recall({ part, source, sha256 }: DownloadOptions): Promise<Remembered | null> {
  const [text, size] = await Promise.all([readFile(noteOf(part), "utf8").catch(() => ""), sizeOf(part)]);
  try {
    const known = JSON.parse(text) as Remembered;
    if (size > 0 && known.source === sourceText(source) && (sha256 === null || known.sha256 === sha256)) return known;
  } catch {
    // No note, or half a one: the beginning is of no use.
  }
  await forget(part);
  return null;
}

const remember = (options: DownloadOptions, known: Remembered): Promise<void> => writeFile(noteOf(options.part), JSON.stringify(known));

export async function forget(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(noteOf(part), { force: true });
}

/** Bytes that stay for the next try: only where a validator or a known hash makes going on safe, and the bytes were not the problem. */
async function keepIfResumable(options: DownloadOptions, error: FlowError): Promise<number> {
  const known = error.code === CORRUPT || error.code === "MODEL_ANSWER" ? null : await recall(options);
  if (known && (known.etag !== null || known.sha256 !== null)) return sizeOf(options.part);
  await forget(options.part);
  return 0;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}

function interrupted(): FlowError {
  return new FlowError("INTERRUPTED", "the download was stopped", { hint: "Run the same command again: it goes on where it stopped.", exit: EXIT.interrupted });
}

function ignoreUnsupported(cause: unknown): void {
  if (!["EINVAL", "ENOTSUP", "EROFS"].includes((cause as NodeJS.ErrnoException).code ?? "")) throw cause;
}
