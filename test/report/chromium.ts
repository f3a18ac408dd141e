/** Headless Chromium over its debugging pipe: no port, no driver package. */
import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Path of the browser: CHROMIUM, else the first of the usual names on the PATH; null without. */
export function chromiumPath(): string | null {
  const candidates = [process.env["CHROMIUM"] ?? "", ...(process.env["PATH"] ?? "").split(delimiter).flatMap((dir) => NAMES.map((name) => join(dir, name)))];
  return candidates.find((path) => path !== "" && executable(path)) ?? null;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

interface Message {
  id?: number;
  method?: string;
  sessionId?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

export interface PageView {
  width: number;
  height: number;
  dark?: boolean;
  print?: boolean;
}

/** One page of one browser. */
export class Chromium implements AsyncDisposable {
  /** Console errors, uncaught exceptions, refusals of the content policy. */
  readonly complaints: string[] = [];
  private readonly waiting = new Map<number, { resolve(result: Record<string, unknown>): void; reject(error: Error): void }>();
  private readonly listeners = new Map<string, () => void>();
  private lastId = 0;
  private session: string | undefined;
  private rest = "";

  private constructor(
    private readonly input: Writable,
    output: Readable,
    private readonly stop: () => Promise<void>,
  ) {
    output.setEncoding("utf8").on("data", (chunk: string) => this.read(chunk));
  }

  static async launch(path: string): Promise<Chromium> {
    const profile = mkdtempSync(join(tmpdir(), "flow-chromium-"));
    const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"];
    const child = spawn(path, args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const browser = new Chromium(child.stdio[3] as Writable, child.stdio[4] as Readable, async () => {
      await closed;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    });
    void closed.then(() => browser.waiting.forEach(({ reject }) => reject(new Error("Chromium ended"))));
    const { targetInfos } = (await browser.send("Target.getTargets")) as { targetInfos: { type: string; targetId: string }[] };
    const { sessionId } = await browser.send("Target.attachToTarget", { targetId: targetInfos.find(({ type }) => type === "page")!.targetId, flatten: true });
    browser.session = sessionId as string;
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await browser.send(`${domain}.enable`);
    return browser;
  }

  /** Every request since the last page, data URIs left out. */
  readonly requests: string[] = [];

  async open(url: string, { width, height, dark = false, print = false }: PageView): Promise<void> {
    this.requests.length = 0;
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.send("Emulation.setEmulatedMedia", { media: print ? "print" : "", features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }, { name: "prefers-reduced-motion", value: "reduce" }] });
    // By way of an empty page: going to a fragment of the same page would load nothing.
    for (const address of ["about:blank", url]) {
      const loaded = new Promise<void>((resolve) => this.listeners.set("Page.loadEventFired", resolve));
      await this.send("Page.navigate", { url: address });
      await loaded;
    }
  }

  /** Value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await this.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true })) as { result: { value: T }; exceptionDetails?: { text: string; exception?: { description?: string } } };
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** PNG of the view, or of the whole page. */
  async screenshot(whole = false): Promise<Buffer> {
    const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole });
    return Buffer.from(data as string, "base64");
  }

  send(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.input.write(`${JSON.stringify({ id, method, params, ...(this.session ? { sessionId: this.session } : {}) })}\0`);
    });
  }

  private read(chunk: string): void {
    const messages = (this.rest + chunk).split("\0");
    this.rest = messages.pop()!;
    for (const text of messages) this.handle(JSON.parse(text) as Message);
  }

  private handle({ id, method, params, result, error }: Message): void {
    if (id !== undefined) {
      const waiter = this.waiting.get(id);
      this.waiting.delete(id);
      if (error) waiter?.reject(new Error(error.message));
      else waiter?.resolve(result ?? {});
      return;
    }
    if (method === "Runtime.exceptionThrown") this.complaints.push(JSON.stringify(params?.["exceptionDetails"]));
    if (method === "Runtime.consoleAPICalled" && (params?.["type"] === "error" || params?.["type"] === "warning")) this.complaints.push(JSON.stringify(params["args"]));
    if (method === "Log.entryAdded") this.complaints.push(String((params?.["entry"] as { text: string }).text));
    const request = (params?.["request"] as { url?: string } | undefined)?.url;
    if (method === "Network.requestWillBeSent" && request !== undefined && !request.startsWith("data:")) this.requests.push(request);
    this.listeners.get(method ?? "")?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session = undefined;
    await this.send("Browser.close").catch(() => {});
    await this.stop();
  }
}
