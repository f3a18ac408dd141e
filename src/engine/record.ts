import { createHash } from "node:crypto";
import type { FlowRecord, Interval, KeyframeRef, MediumInfo, PlanNode, VectorRef } from "../contracts/index.js";
import { recordId } from "./keys.js";

export interface BuiltRecord {
  record: FlowRecord;
  vectors: Record<string, Float32Array>;
  blobs: Record<string, Uint8Array>;
}

/** Names of the vector spaces behind a join's inputs, found through the plan (a join passes values on as they are). */
export function vectorSpaces(node: PlanNode, nodes: ReadonlyMap<string, PlanNode>): Record<string, string> {
  const spaces: Record<string, string> = {};
  for (const [name, input] of Object.entries(node.inputs)) {
    if (input.type.kind === "vector") spaces[name] = input.type.space ?? "";
    else if (input.type.kind === "record") {
      const source = nodes.get(input.node);
      if (source) Object.assign(spaces, vectorSpaces(source, nodes));
    }
  }
  return spaces;
}

/**
 * A joined value becomes a record: vectors are packed apart, keyframe pictures become blobs named by their hash, a value that is itself a
 * map of vectors (vectors.mean over media) is spread, everything else is a field.
 */
export function buildRecord(
  kind: "scene" | "media",
  info: MediumInfo,
  interval: Interval & { startFrame?: number | null; endFrame?: number | null },
  joined: Record<string, unknown>,
  spaces: Record<string, string>,
  partial: boolean,
  mocked: string[] = [],
): BuiltRecord {
  const fields: Record<string, unknown> = {};
  const vectors: Record<string, Float32Array> = {};
  const refs: Record<string, VectorRef> = {};
  const blobs: Record<string, Uint8Array> = {};
  const put = (name: string, value: unknown): void => {
    if (value instanceof Float32Array) {
      vectors[name] = value;
      refs[name] = { dims: value.length, space: spaces[name] ?? "" };
    } else if (isKeyframes(value)) {
      fields[name] = value.map(({ ptsUs, jpeg }) => {
        if (!jpeg || jpeg.length === 0) return { ptsUs };
        const sha = createHash("sha256").update(jpeg).digest("hex").slice(0, 32);
        blobs[sha] = jpeg;
        return { ptsUs, thumbnail: sha };
      });
    } else if (isVectorMap(value)) for (const [key, vector] of Object.entries(value)) put(key, vector);
    else fields[name] = value ?? null;
  };
  for (const [name, value] of Object.entries(joined)) put(name, value);
  if (kind === "scene") {
    fields["startFrame"] = interval.startFrame ?? null;
    fields["endFrame"] = interval.endFrame ?? null;
  }
  const record: FlowRecord = {
    kind,
    id: kind === "media" ? info.id.slice(0, 16) : recordId(kind, info.id, interval),
    parent: kind === "media" ? null : info.id.slice(0, 16),
    media: info.id,
    startUs: interval.startUs,
    endUs: interval.endUs,
    fields,
    vectors: refs,
    outcome: partial ? "partial" : "done",
    ...(mocked.length > 0 ? { mocked } : {}),
  };
  return { record, vectors, blobs };
}

const isKeyframes = (value: unknown): value is KeyframeRef[] =>
  Array.isArray(value) && value.length > 0 && value.every((v) => typeof v === "object" && v !== null && "ptsUs" in v && (Object.keys(v).length === 1 || "jpeg" in v));

const isVectorMap = (value: unknown): value is Record<string, Float32Array | null> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !ArrayBuffer.isView(value) &&
  Object.values(value).some((v) => v instanceof Float32Array) &&
  Object.values(value).every((v) => v === null || v instanceof Float32Array);
