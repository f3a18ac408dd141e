import type { ModelSource } from "../../contracts/index.js";

/** What a lock entry is filed under: where the file comes from, or the model and path of one that is only local. */
export function lockKey(source: ModelSource | null, id: string, path: string): string {
  switch (source?.kind) {
    case "huggingface":
      return `huggingface:${source.repo}@${source.revision}/${source.path}`;
    case "github":
      return `github:${source.repo}@${source.commit}/${source.path}`;
    case "url":
      return source.url;
    default:
      return `local:${id}/${path}`;
  }
}
