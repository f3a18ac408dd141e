import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/**
 * Looks at data.mdb before LMDB maps it: LMDB (lmdb-js 3.5) ends the whole process with SIGSEGV on a file that is not its own and with SIGBUS on
 * one that was cut short. Layout of lmdb-js's format 2, little endian: a 24-byte page header (flags at 18, length of the node pointers at 20; pointers count from the header's end), then in
 * the meta pages 0 and 1: magic, format, address, map size, MDB_db of the free list (its first word is the page size), MDB_db of the root,
 * last page, transaction. An MDB_db is 48 bytes: branch, leaf and overflow pages at 8, 16, 24, root page at 40.
 */
const MAGIC = 0xbeefc0de;
const FORMAT = 2;
const HEADER_BYTES = 24;
const META_BYTES = 160;
const FREE_DB = 48;
const ROOT_DB = 96;
const TRANSACTION = 152;
const LEAF_PAGE = 0x02;
const SUB_DATABASE = 0x02;
const EMPTY_TREE = 0xffff_ffff_ffff_ffffn;
/** A writer may reuse the page we look at; then its transaction has moved on and we look again. */
const ATTEMPTS = 5;

/** null: a store's file, whole as far as can be told without reading it all; else the reason why it is not. `firstTable`: a table every store has. */
export function inspectFile(file: string, firstTable: string): string | null {
  const handle = openSync(file, "r");
  try {
    let reason: string | null = null;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const meta = newestMeta(handle);
      if (!meta) return "data.mdb is not a database of this format";
      reason = inspect(handle, meta, firstTable);
      if (reason === null || newestMeta(handle)?.readBigUInt64LE(TRANSACTION) === meta.readBigUInt64LE(TRANSACTION)) return reason;
    }
    return reason;
  } finally {
    closeSync(handle);
  }
}

function newestMeta(handle: number): Buffer | null {
  const first = readMeta(handle, 0);
  if (!first) return null;
  const second = readMeta(handle, first.readUInt32LE(FREE_DB));
  return second && second.readBigUInt64LE(TRANSACTION) > first.readBigUInt64LE(TRANSACTION) ? second : first;
}

function readMeta(handle: number, position: number): Buffer | null {
  const meta = readAt(handle, position, META_BYTES);
  return meta && meta.readUInt32LE(HEADER_BYTES) === MAGIC && meta.readUInt32LE(HEADER_BYTES + 4) === FORMAT ? meta : null;
}

function inspect(handle: number, meta: Buffer, firstTable: string): string | null {
  const pageBytes = meta.readUInt32LE(FREE_DB);
  const sizeBytes = fstatSync(handle).size;
  const cut = `data.mdb was cut short (${sizeBytes} bytes)`;
  const trees = [meta.subarray(FREE_DB, FREE_DB + 48), meta.subarray(ROOT_DB, ROOT_DB + 48)];
  const rootPage = trees[1]!.readBigUInt64LE(40);
  if (rootPage !== EMPTY_TREE) {
    const page = readAt(handle, Number(rootPage) * pageBytes, pageBytes);
    if (!page) return cut;
    if ((page.readUInt16LE(18) & LEAF_PAGE) === 0) return "data.mdb holds another program's tables";
    const tables = tablesOf(page);
    if (!tables.has(firstTable)) return "data.mdb holds another program's tables";
    trees.push(...tables.values());
  }
  // The pages in use are all in the file; a lower bound, since LMDB's own last-page mark also counts pages it never wrote.
  let used = 2n;
  for (const tree of trees) {
    used += tree.readBigUInt64LE(8) + tree.readBigUInt64LE(16) + tree.readBigUInt64LE(24);
    const root = tree.readBigUInt64LE(40);
    if (root !== EMPTY_TREE && (root + 1n) * BigInt(pageBytes) > BigInt(sizeBytes)) return cut;
  }
  return used * BigInt(pageBytes) > BigInt(sizeBytes) ? cut : null;
}

/** Name → MDB_db of the named databases on the root's leaf page. */
function tablesOf(page: Buffer): Map<string, Buffer> {
  const tables = new Map<string, Buffer>();
  const end = Math.min(HEADER_BYTES + page.readUInt16LE(20), page.length);
  for (let at = HEADER_BYTES; at + 2 <= end; at += 2) {
    const node = HEADER_BYTES + page.readUInt16LE(at);
    if (node + 8 > page.length) continue;
    const keyBytes = page.readUInt16LE(node + 6);
    if ((page.readUInt16LE(node + 4) & SUB_DATABASE) === 0) continue;
    const data = node + 8 + keyBytes;
    if (data + 48 > page.length) continue;
    tables.set(page.toString("utf8", node + 8, data).replaceAll("\0", ""), page.subarray(data, data + 48));
  }
  return tables;
}

function readAt(handle: number, position: number, bytes: number): Buffer | null {
  const out = Buffer.alloc(bytes);
  return readSync(handle, out, 0, bytes, position) === bytes ? out : null;
}
