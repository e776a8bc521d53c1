/**
 * Cuts one JSON list of any length into its items. At most one item is held in memory. The caller parses the items and
 * finds out whether they are JSON.
 */
import { joined } from '../base/joined.ts';
import { type RawLine, SOURCE_LINE_BYTES_MAX } from './line-reader.ts';
import { BrokenSource } from './rows.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
export const LIST_START = 0x5b;
const LIST_END = 0x5d;
const OBJECT_START = 0x7b;
const OBJECT_END = 0x7d;
const BOM = [0xef, 0xbb, 0xbf];

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** The first byte that is neither white space nor part of a byte order mark. */
export function startOf(chunk: Buffer): number | undefined {
  return chunk.find((byte) => !isSpace(byte) && !BOM.includes(byte));
}

/** Items of a list; `line` of each is its number, from 1. Throws BrokenSource. */
export class ListSplitter {
  readonly #maxBytes: number;
  #state: 'before' | 'items' | 'after' = 'before';
  #count = 0;
  #depth = 0;
  #isText = false;
  #isEscaped = false;
  /** Parts of the item whose end has not come yet; emptied as soon as the item is too long. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #isBlank = true;

  constructor(maxBytes = SOURCE_LINE_BYTES_MAX) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): RawLine[] {
    const items: RawLine[] = [];
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if (this.#state !== 'items') {
        this.#outside(byte);
        start = at + 1;
      } else if (this.#endsItem(byte)) {
        this.#hold(chunk.subarray(start, at));
        this.#end(items, byte);
        start = at + 1;
      }
    }
    this.#hold(chunk.subarray(start));
    return items;
  }

  /** Ends the source. No item is left over. Throws BrokenSource when the list was not closed. */
  end(): RawLine[] {
    if (this.#state !== 'after') throw new BrokenSource(`the list is not closed; it breaks off in item ${this.#count + 1}`);
    return [];
  }

  /** Before and after the list, only white space is allowed. */
  #outside(byte: number): void {
    if (this.#state === 'before' && byte === LIST_START) {
      this.#state = 'items';
      return;
    }
    if (isSpace(byte) || (this.#state === 'before' && BOM.includes(byte))) return;
    throw new BrokenSource(
      this.#state === 'after'
        ? 'something follows the end of the list'
        : 'the source does not begin with a list; one object per line is the format ndjson',
    );
  }

  /** Tracks strings and brackets; true for the comma or bracket that ends an item of the list. */
  #endsItem(byte: number): boolean {
    if (this.#isText) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === BACKSLASH) this.#isEscaped = true;
      else if (byte === QUOTE) this.#isText = false;
      return false;
    }
    if (this.#depth === 0 && (byte === COMMA || byte === LIST_END)) return true;
    if (this.#isBlank && !isSpace(byte)) this.#isBlank = false;
    if (byte === QUOTE) this.#isText = true;
    else if (byte === OBJECT_START || byte === LIST_START) this.#depth++;
    else if ((byte === OBJECT_END || byte === LIST_END) && this.#depth > 0) this.#depth--;
    return false;
  }

  #hold(part: Buffer): void {
    if (part.length === 0) return;
    this.#heldBytes += part.length;
    if (this.#heldBytes > this.#maxBytes) this.#held = [];
    else this.#held.push(part);
  }

  #end(items: RawLine[], byte: number): void {
    const isEmptyList = byte === LIST_END && this.#isBlank && this.#count === 0;
    if (this.#isBlank && !isEmptyList) throw new BrokenSource(`there is nothing where item ${this.#count + 1} of the list should be`);
    if (!isEmptyList) {
      this.#count++;
      const content = this.#heldBytes > this.#maxBytes ? undefined : joined(this.#held);
      items.push({ line: this.#count, bytes: this.#heldBytes + 1, content });
    }
    this.#held = [];
    this.#heldBytes = 0;
    this.#isBlank = true;
    if (byte === LIST_END) this.#state = 'after';
  }
}
