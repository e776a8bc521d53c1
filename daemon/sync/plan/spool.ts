/**
 * Lines on the disk in place of memory: one long file in order, or many short ones by the hash of an id, so that whoever
 * compares two sets of ids looks at one of the short ones at a time.
 */
import { appendFileSync, createReadStream } from 'node:fs';
import { join } from 'node:path';
import { LineSplitter } from '../line-reader.ts';

/** Held back until it is worth a write, in UTF-16 units. */
const SPOOL_CHARS = 1024 * 1024;
const PARTITION_CHARS = 16 * 1024;
const READ_BYTES = 256 * 1024;
/** Far more than the largest user that can be sent takes. */
const LINE_BYTES_MAX = 1024 * 1024;

/** Lines without line breaks in them, none longer than a MiB. */
export class SpoolFile {
  readonly path: string;
  readonly #chars: number;
  #waiting: string[] = [];
  #waitingChars = 0;
  /** Bytes that were written. */
  bytes = 0;

  constructor(path: string, chars = SPOOL_CHARS) {
    this.path = path;
    this.#chars = chars;
  }

  /** Throws the system's error when the disk is full. */
  add(line: string): void {
    this.#waiting.push(line);
    this.#waitingChars += line.length + 1;
    if (this.#waitingChars >= this.#chars) this.flush();
  }

  /** No file is held open: there may be many of them. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const data = Buffer.from(`${this.#waiting.join('\n')}\n`);
    appendFileSync(this.path, data, { mode: 0o600 });
    this.bytes += data.length;
    this.#waiting = [];
    this.#waitingChars = 0;
  }

  /** Everything that was added, from the beginning, as it comes from the disk. */
  async *lines(): AsyncGenerator<readonly string[]> {
    this.flush();
    if (this.bytes === 0) return;
    const splitter = new LineSplitter(LINE_BYTES_MAX);
    for await (const chunk of createReadStream(this.path, { highWaterMark: READ_BYTES })) {
      yield splitter.push(chunk).map(({ line, content }) => {
        if (content === undefined) throw new Error(`${this.path}: line ${line} is longer than ${LINE_BYTES_MAX} bytes`);
        return content.toString('utf8');
      });
    }
  }
}

export const PARTITIONS = 256;

/** Lines by the hash of the id they are about. */
export class Partitions {
  readonly #files: readonly SpoolFile[];

  constructor(directory: string, name: string) {
    this.#files = Array.from({ length: PARTITIONS }, (_, index) => new SpoolFile(join(directory, `${name}-${index}`), PARTITION_CHARS));
  }

  add(id: string, line: string): void {
    this.#files[partitionOf(id)]?.add(line);
  }

  /** The lines of one partition, a few hundredth of all. */
  async load(index: number): Promise<readonly string[]> {
    const all: string[] = [];
    for await (const lines of this.#files[index]?.lines() ?? []) for (const line of lines) all.push(line);
    return all;
  }
}

/** FNV-1a, folded. */
export function partitionOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return ((hash >>> 24) ^ (hash >>> 16) ^ (hash >>> 8) ^ hash) & (PARTITIONS - 1);
}

const FIRST_BITS = 64 * 1024;

/** A set of line numbers, one bit each: a million lines take 125 kB. */
export class LineSet {
  #bits = new Uint8Array(FIRST_BITS / 8);
  size = 0;

  add(line: number): void {
    const at = line >>> 3;
    if (at >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(at + 1, this.#bits.length * 2));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    const before = this.#bits[at] ?? 0;
    const after = before | (1 << (line & 7));
    if (after !== before) this.size++;
    this.#bits[at] = after;
  }

  has(line: number): boolean {
    return ((this.#bits[line >>> 3] ?? 0) & (1 << (line & 7))) !== 0;
  }
}
