import type { FlowError, Interval, MediumInfo, NodeCounts, Plan } from "../contracts/index.js";
import type { Store } from "../store/index.js";
import type { GridStream } from "./grid.js";
import type { Ledger } from "./ledger.js";
import type { Services } from "./services.js";

export interface MediumProgress {
  uri: string;
  ptsUs: number;
  durationUs: number | null;
  frames: number;
  scenes: number;
}

export interface MediumRunOptions {
  plan: Plan;
  /** This is a pass before the last: results go to the store, records are left to the last pass of this plan. */
  whole?: Plan | null;
  info: MediumInfo;
  uris: string[];
  /** Scenes given with the input (S1.14), µs. */
  givenScenes: Interval[] | null;
  store: Store;
  services: Services;
  stop: AbortSignal;
  progress: (progress: MediumProgress) => void;
}

export interface MediumResult {
  medium: string;
  uri: string;
  name: string;
  status: "done" | "interrupted";
  counts: Record<string, NodeCounts>;
  records: Record<string, number>;
  framesDecoded: number;
  digest: string;
  digestNumbers: string;
  failedItems: number;
  /** What decoding did not give, or complained about; null for a medium that is whole. */
  damage: string | null;
}

/** What the halves of one medium's run share. */
export interface MediumContext extends MediumRunOptions {
  readonly ledger: Ledger;
  /** Frame-level nodes that this medium can feed, by name. */
  readonly streams: ReadonlyMap<string, GridStream>;
  /** Ends the medium: decoding stops, what is open is waited for, nothing more is begun; the first error is the run's. */
  fail(error: FlowError): void;
  readonly halted: boolean;
  /** Tells how far the medium is; what is left out stays as it was. */
  report(moved: Partial<Pick<MediumProgress, "ptsUs" | "frames" | "durationUs">>): void;
}
