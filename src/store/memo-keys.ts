/** Keys of the memo table. What is none of these belongs to somebody else and is never collected. */
import type { Interval } from "../contracts/index.js";

const MEDIUM_CHARACTERS = 16;

/** How a medium is called in a memo key. */
export const mediumInKey = (id: string): string => id.slice(0, MEDIUM_CHARACTERS);

/** Where the recorder notes what a record was made of. */
export const recordMemoKey = (id: string): string => `record/${id}`;

/** Result of one node for one item. `digest`: of everything it consumed. */
export const itemMemoKey = (nodeKey: string, medium: string, { startUs, endUs }: Interval, digest: string): string => `${nodeKey}/${mediumInKey(medium)}/${startUs}-${endUs}/${digest}`;

/** Range of the keys of all items of a node in a medium. */
export const memosOf = (nodeKey: string, medium: string): { start: string; end: string } => ({ start: `${nodeKey}/${mediumInKey(medium)}/`, end: `${nodeKey}/${mediumInKey(medium)}0` });

export type MemoKey = { record: string } | { nodeKey: string; medium: string; interval: string } | { outdated: true };

const ITEM = /^(.+)\/([^/]{1,16})\/(-?\d+-(?:\d+|Infinity))\/[0-9a-f]{32}$/;
/** Keys of items before medium and interval stood in them: nothing asks for them any more. */
const OLD_ITEM = /^[0-9a-f]{16}\/[0-9a-f]{32}$/;

export function parseMemoKey(key: string): MemoKey | null {
  if (key.startsWith("record/")) return { record: key.slice("record/".length) };
  if (key.startsWith("model/")) return null;
  const item = ITEM.exec(key);
  if (item) return { nodeKey: item[1]!, medium: item[2]!, interval: item[3]! };
  return OLD_ITEM.test(key) ? { outdated: true } : null;
}
