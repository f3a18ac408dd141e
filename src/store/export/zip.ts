import { crc32 } from "node:zlib";
import type { OutputFile } from "./atomic-file.js";

const VERSION_ZIP64 = 45;
/** 1980-01-01, the first date of the format: the same store gives the same file. */
const DOS_DATE = 0x21;
const IN_EXTRA_32 = 0xffffffff;
const IN_EXTRA_16 = 0xffff;
const CRC_POSITION_BYTES = 14;

interface Entry {
  name: Buffer;
  crc: number;
  size: bigint;
  offset: bigint;
}

/** Stored (uncompressed) entries, always in ZIP64 form (APPNOTE 6.3, 4.5.3), since an entry's size may pass 4 GB. */
export class ZipWriter {
  private readonly entries: Entry[] = [];

  constructor(private readonly file: OutputFile) {}

  async entry(name: string, parts: Iterable<Uint8Array>): Promise<void> {
    const entry: Entry = { name: Buffer.from(name), crc: 0, size: 0n, offset: BigInt(this.file.position) };
    await this.file.write(localHeader(entry));
    for (const part of parts) {
      entry.crc = crc32(part, entry.crc);
      entry.size += BigInt(part.length);
      await this.file.write(part);
    }
    const header = localHeader(entry);
    await this.file.patch(header.subarray(CRC_POSITION_BYTES), Number(entry.offset) + CRC_POSITION_BYTES);
    this.entries.push(entry);
  }

  async finish(): Promise<void> {
    const start = this.file.position;
    for (const entry of this.entries) await this.file.write(centralHeader(entry));
    const end = this.file.position;
    await this.file.write(endOfDirectory(BigInt(this.entries.length), BigInt(start), BigInt(end)));
  }
}

/** Signature, version, flags 0, method 0 (stored), time, date, crc, sizes in the extra field, name, extra. */
function localHeader({ name, crc, size }: Entry): Buffer {
  const header = Buffer.alloc(30 + name.length + 20);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(VERSION_ZIP64, 4);
  header.writeUInt16LE(DOS_DATE, 12);
  header.writeUInt32LE(crc, CRC_POSITION_BYTES);
  header.writeUInt32LE(IN_EXTRA_32, 18);
  header.writeUInt32LE(IN_EXTRA_32, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(20, 28);
  name.copy(header, 30);
  writeExtra(header, 30 + name.length, [size, size]);
  return header;
}

function centralHeader({ name, crc, size, offset }: Entry): Buffer {
  const header = Buffer.alloc(46 + name.length + 28);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(VERSION_ZIP64, 4);
  header.writeUInt16LE(VERSION_ZIP64, 6);
  header.writeUInt16LE(DOS_DATE, 14);
  header.writeUInt32LE(crc, 16);
  header.writeUInt32LE(IN_EXTRA_32, 20);
  header.writeUInt32LE(IN_EXTRA_32, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(28, 30);
  header.writeUInt32LE(IN_EXTRA_32, 42);
  name.copy(header, 46);
  writeExtra(header, 46 + name.length, [size, size, offset]);
  return header;
}

function writeExtra(header: Buffer, at: number, values: readonly bigint[]): void {
  header.writeUInt16LE(0x0001, at);
  header.writeUInt16LE(values.length * 8, at + 2);
  values.forEach((value, i) => header.writeBigUInt64LE(value, at + 4 + i * 8));
}

/** ZIP64 end of central directory, its locator, and the old end record that points to them. */
function endOfDirectory(count: bigint, start: bigint, end: bigint): Buffer {
  const out = Buffer.alloc(56 + 20 + 22);
  out.writeUInt32LE(0x06064b50, 0);
  out.writeBigUInt64LE(44n, 4);
  out.writeUInt16LE(VERSION_ZIP64, 12);
  out.writeUInt16LE(VERSION_ZIP64, 14);
  out.writeBigUInt64LE(count, 24);
  out.writeBigUInt64LE(count, 32);
  out.writeBigUInt64LE(end - start, 40);
  out.writeBigUInt64LE(start, 48);
  out.writeUInt32LE(0x07064b50, 56);
  out.writeBigUInt64LE(end, 64);
  out.writeUInt32LE(1, 72);
  out.writeUInt32LE(0x06054b50, 76);
  out.writeUInt16LE(IN_EXTRA_16, 84);
  out.writeUInt16LE(IN_EXTRA_16, 86);
  out.writeUInt32LE(IN_EXTRA_32, 88);
  out.writeUInt32LE(IN_EXTRA_32, 92);
  return out;
}
