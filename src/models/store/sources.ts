import { EXIT, FlowError, type ModelSource } from "../../contracts/index.js";
import { lockKey } from "./lock-key.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where to ask for a file, and the secret that only this origin may see. */
export interface Address {
  url: URL;
  /** Sent while the request stays at `url`'s origin; never follows a redirect elsewhere. */
  secret: Record<string, string>;
}

/** `HF_ENDPOINT`, `HF_TOKEN` as huggingface_hub reads them; FLOW_GITHUB_ENDPOINT and FLOW_GITHUB_MEDIA_ENDPOINT name mirrors of GitHub's raw files. */
export function addressOf(source: ModelSource, commit: string | null, environment: Environment = process.env): Address {
  switch (source.kind) {
    case "huggingface":
      return { url: join(hubEndpoint(environment), [...source.repo.split("/"), "resolve", commit ?? source.revision, ...source.path.split("/")]), secret: hubSecret(environment) };
    case "github":
      return { url: join(endpoint(environment, "FLOW_GITHUB_ENDPOINT", "https://raw.githubusercontent.com"), [...source.repo.split("/"), source.commit, ...source.path.split("/")]), secret: {} };
    case "url":
      return { url: new URL(source.url), secret: {} };
  }
}

/** Where GitHub keeps the bytes for which a repository holds only a Git LFS pointer. */
export function mediaAddressOf({ repo, commit, path }: Extract<ModelSource, { kind: "github" }>, environment: Environment = process.env): Address {
  const raw = environment["FLOW_GITHUB_ENDPOINT"];
  const endpoint = environment["FLOW_GITHUB_MEDIA_ENDPOINT"] || (raw ? `${raw.replace(/\/$/, "")}/media` : "https://media.githubusercontent.com/media");
  return { url: join(endpoint, [...repo.split("/"), commit, ...path.split("/")]), secret: {} };
}

export const hubEndpoint = (environment: Environment = process.env): string => endpoint(environment, "HF_ENDPOINT", "https://huggingface.co");

function endpoint(environment: Environment, name: string, otherwise: string): string {
  const given = environment[name] || otherwise;
  if (/^https?:\/\//i.test(given) && URL.canParse(given)) return given;
  throw new FlowError("MODEL_NETWORK", `${name} is ${JSON.stringify(given)}, which is no address`, { hint: `As in ${name}=${otherwise}.`, exit: EXIT.environment, permanent: true });
}

export const hubSecret = (environment: Environment = process.env): Record<string, string> => {
  const token = (environment["HF_TOKEN"] || environment["HUGGING_FACE_HUB_TOKEN"] || "").trim();
  return token === "" ? {} : { authorization: `Bearer ${token}` };
};

/** The page about a source that a person can open. */
export function pageOf(source: ModelSource): string {
  switch (source.kind) {
    case "huggingface":
      return `https://huggingface.co/${source.repo}`;
    case "github":
      return `https://github.com/${source.repo}/blob/${source.commit}/${source.path}`;
    case "url":
      return source.url;
  }
}

/** A source in one line: `huggingface:org/name@main/onnx/model.onnx`. */
export const sourceText = (source: ModelSource | null): string => (source === null ? "no public source" : lockKey(source, "", ""));

function join(endpoint: string, parts: readonly string[]): URL {
  return new URL(`${endpoint.replace(/\/+$/, "")}/${parts.map(encodeURIComponent).join("/")}`);
}

/** What a Git LFS pointer says (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md); null when the text is none. */
export function lfsPointer(text: string): { sha256: string; size: number } | null {
  if (!text.startsWith("version https://git-lfs.github.com/spec/")) return null;
  const sha256 = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
  const size = Number(/^size (\d+)$/m.exec(text)?.[1]);
  return sha256 && Number.isSafeInteger(size) ? { sha256, size } : null;
}
