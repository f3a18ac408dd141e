/** One row of the store as every command shows it. */
export interface VectorRef {
  dims: number;
  space: string;
}

export interface FlowRecord {
  kind: "media" | "scene" | "frame" | "detection" | "item" | "event";
  /** Hash of (kind, medium, startUs, endUs), hex, 16 characters. */
  id: string;
  parent: string | null;
  /** Content id of the medium. */
  media: string;
  startUs: number;
  endUs: number;
  fields: Record<string, unknown>;
  vectors: Record<string, VectorRef>;
  outcome: "done" | "failed" | "partial";
  /** Models that stand-ins played for it (`--mock-models`): what they said means nothing. Absent: none. */
  mocked?: string[];
}
