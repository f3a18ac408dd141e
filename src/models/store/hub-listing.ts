import { z } from "zod";
import { EXIT, FlowError } from "../../contracts/index.js";
import { isContainedPath } from "../manifest-schema.js";
import { ask, received, statusError } from "./http.js";
import { isPageType, NO_JSON, PAGE } from "./page.js";
import { hubEndpoint, hubSecret } from "./sources.js";

const MAX_LISTING_BYTES = 64 << 20;

/** What `/api/models/ORG/NAME/revision/REVISION?blobs=true` says, as far as it is read. */
const listingSchema = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  cardData: z.object({ license: z.union([z.string(), z.array(z.string())]).optional() }).nullish(),
  siblings: z.array(z.object({ rfilename: z.string(), size: z.number().nullish(), lfs: z.object({ sha256: z.string(), size: z.number() }).nullish() })),
});

export interface HubListing {
  commit: string;
  licence: string | null;
  files: { path: string; size: number | null; /** Only of files in the large file storage. */ sha256: string | null }[];
}

/** Files of a repository of the Hugging Face hub at a revision. A listing whose paths leave their folder is refused as a whole. */
export async function listHub(repo: string, revision: string, options: { signal?: AbortSignal; environment?: Readonly<Record<string, string | undefined>> } = {}): Promise<HubListing> {
  const { signal, environment = process.env } = options;
  const url = new URL(`${hubEndpoint(environment).replace(/\/+$/, "")}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`);
  const answer = await ask({ url, secret: hubSecret(environment) }, { signal, environment });
  if (answer.status !== 200) {
    answer.body.resume();
    throw statusError(answer, { kind: "huggingface", repo, revision, path: "" });
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of received(answer)) {
    bytes += chunk.length;
    if (bytes > MAX_LISTING_BYTES) throw unusable(repo, "it is larger than any listing");
    chunks.push(chunk);
  }
  const value = parse(Buffer.concat(chunks).toString("utf8"));
  if (value === null) throw unusable(repo, `${answer.url.host} answers with ${isPageType(answer.headers["content-type"], "") ? PAGE : NO_JSON}`);
  const parsed = listingSchema.safeParse(value);
  if (!parsed.success) throw unusable(repo, parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  const { sha, cardData, siblings } = parsed.data;
  const escaping = siblings.find(({ rfilename }) => !isContainedPath(rfilename));
  if (escaping) throw unusable(repo, `it lists ${JSON.stringify(escaping.rfilename)}, which would leave the model's folder`);
  const files = siblings.map(({ rfilename, size, lfs }) => ({ path: rfilename, size: lfs?.size ?? size ?? null, sha256: lfs && /^[0-9a-f]{64}$/.test(lfs.sha256) ? lfs.sha256 : null }));
  return { commit: sha, licence: [cardData?.license].flat()[0] ?? null, files };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function unusable(repo: string, why: string): FlowError {
  return new FlowError("MODEL_LISTING", `the listing of ${repo} cannot be used: ${why}`, { hint: "Does the network ask to sign in? Open any page in a browser, then try again. Otherwise check HF_ENDPOINT; a mirror may not offer listings. A manifest can be written by hand: models/README.md.", exit: EXIT.environment, permanent: true });
}
