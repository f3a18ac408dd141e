/** A page in the place of a file: networks that ask to sign in, proxies and error pages answer 200 with one. */
import { open, readFile, stat } from "node:fs/promises";
import { EXIT, FlowError, type ModelSource } from "../../contracts/index.js";
import { sourceText } from "./sources.js";

export const PAGE = "an HTML page";
export const NO_JSON = "no JSON";

const HEAD_BYTES = 512;
/** No configuration is longer; a larger one is not read into memory to see. */
const MAX_JSON_BYTES = 256 << 20;

const mayBePage = (path: string): boolean => /\.html?$/i.test(path);

/** By its type, before a byte is kept. */
export const isPageType = (type: string | undefined, path: string): boolean => !mayBePage(path) && /^\s*(text\/html|application\/xhtml\+xml)\b/i.test(type ?? "");

/** What a file is, by its own bytes, that it cannot be under the name `path`; null where nothing speaks against it. */
export async function notWhatItIs(file: string, path: string): Promise<typeof PAGE | typeof NO_JSON | null> {
  if (!mayBePage(path) && /^\uFEFF?\s*<(!doctype\s+html|html|head|body)\b/i.test(await headOf(file))) return PAGE;
  if (!/\.json$/i.test(path) || (await stat(file)).size > MAX_JSON_BYTES) return null;
  try {
    JSON.parse(await readFile(file, "utf8"));
    return null;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return NO_JSON;
    throw thrown;
  }
}

async function headOf(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** `host` answered with something else than the file. */
export function notTheFile(source: ModelSource, host: string, what: string): FlowError {
  return new FlowError("MODEL_ANSWER", `${sourceText(source)}: ${host} answers with ${what}`, {
    hint: `Nothing was kept. Something on the way (a network that asks to sign in, a proxy) may answer in the place of ${host}: open http://${host} in a browser, then pull again. Otherwise check the source${source.kind === "huggingface" ? " and HF_ENDPOINT" : ""}.`,
    exit: EXIT.environment,
    permanent: true,
  });
}
