/** One packet as framecrc tells it: time in units of the output's time base, payload bytes, checksum (signed 32 bit). */
export interface PacketLine {
  pts: number;
  bytes: number;
  adler: number;
}

const [NEWLINE, HASH, COMMA, MINUS, ZERO, NINE, LETTER_A, LETTER_F, LETTER_X] = Array.from("\n#,-09afx", (character) => character.charCodeAt(0)) as [number, number, number, number, number, number, number, number, number];
const NUMBERS = 3;
const FIRST_CAPACITY = 64;
/** Two packets of one time happen, and so does sound that overlaps by some packets where files were joined; so many in a row, half a second of frames, are a jump. */
const PRESSED_IN_A_ROW = 12;

/**
 * The lines of ffmpeg's framecrc muxer, as they come: `#tb 0: NUM/DEN`, then `stream, dts, pts, duration, size, 0xchecksum` for every packet. Parsed
 * byte by byte and kept as numbers: a text and an object for each of a thousand lines a second would be most of what a media worker's collector has to do.
 */
export class PacketLines {
  /** Seconds per unit of `pts`, as a fraction. */
  timeBase: [number, number] = [1, 1_000_000];
  /** Of the newest packet; NaN before the first. */
  newestPts = NaN;
  /**
   * Where the input's timestamps first jumped back, null while they have not. ffmpeg gives a packet that would lie before its predecessor the next number
   * behind it: so close together no others are.
   */
  jumpedPts: number | null = null;
  #pressed = 0;
  #queue = new Float64Array(NUMBERS * FIRST_CAPACITY);
  #head = 0;
  #length = 0;
  readonly #line: PacketLine = { pts: 0, bytes: 0, adler: 0 };

  // The line that is being read: a header, or the fields so far and the number that the current one is.
  #header: string | null = null;
  #field = 0;
  #number = 0;
  #sign = 1;
  #base = 10;
  #pts = NaN;
  #bytes = 0;
  #adler = 0;

  /** The first `length` bytes of `text` are the next ones. */
  push(text: Uint8Array, length = text.length): void {
    for (let i = 0; i < length; i++) {
      const byte = text[i]!;
      if (this.#header !== null) this.#endHeader(byte);
      else if (byte === NEWLINE) this.#endLine();
      else if (byte === COMMA) this.#endField();
      else if (byte >= ZERO && byte <= NINE) this.#number = this.#number * this.#base + byte - ZERO;
      else if (this.#base === 16 && byte >= LETTER_A && byte <= LETTER_F) this.#number = this.#number * 16 + byte - LETTER_A + 10;
      else if (byte === LETTER_X) this.#base = 16;
      else if (byte === MINUS) this.#sign = -1;
      else if (byte === HASH && this.#field === 0) this.#header = "#";
    }
  }

  /** The oldest packet that was not asked for yet; null when none is there. The object is the same each time: it holds until the next call. */
  next(): PacketLine | null {
    if (this.#length === 0) return null;
    const at = NUMBERS * this.#head;
    this.#line.pts = this.#queue[at]!;
    this.#line.bytes = this.#queue[at + 1]!;
    this.#line.adler = this.#queue[at + 2]!;
    this.#head = (this.#head + 1) % this.#capacity;
    this.#length--;
    return this.#line;
  }

  get #capacity(): number {
    return this.#queue.length / NUMBERS;
  }

  #endHeader(byte: number): void {
    if (byte !== NEWLINE) {
      this.#header += String.fromCharCode(byte);
      return;
    }
    const match = /^#tb .*?(\d+)\/(\d+)/.exec(this.#header!);
    if (match) this.timeBase = [Number(match[1]), Number(match[2])];
    this.#header = null;
  }

  #endField(): void {
    if (this.#field === 2) this.#pts = this.#sign * this.#number;
    else if (this.#field === 4) this.#bytes = this.#number;
    else if (this.#field === 5) this.#adler = this.#number | 0;
    this.#field++;
    this.#number = 0;
    this.#sign = 1;
    this.#base = 10;
  }

  #endLine(): void {
    this.#endField();
    // Side data may follow the checksum.
    if (this.#field > 5) this.#keep();
    this.#field = 0;
  }

  #keep(): void {
    if (this.#length === this.#capacity) this.#grow();
    this.#pressed = this.#pts === this.newestPts + 1 ? this.#pressed + 1 : 0;
    if (this.#pressed === PRESSED_IN_A_ROW) this.jumpedPts ??= this.#pts - PRESSED_IN_A_ROW;
    const at = NUMBERS * ((this.#head + this.#length) % this.#capacity);
    this.#queue[at] = this.newestPts = this.#pts;
    this.#queue[at + 1] = this.#bytes;
    this.#queue[at + 2] = this.#adler;
    this.#length++;
  }

  #grow(): void {
    const grown = new Float64Array(2 * this.#queue.length);
    const tail = this.#queue.subarray(NUMBERS * this.#head);
    grown.set(tail);
    grown.set(this.#queue.subarray(0, NUMBERS * this.#head), tail.length);
    this.#queue = grown;
    this.#head = 0;
  }
}
