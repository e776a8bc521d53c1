/** Lines on the disk in place of memory: written once, then read from the beginning. */
import { appendFileSync, createReadStream } from 'node:fs';
import { LineSplitter } from '../line-reader.ts';

/** Held back until it is worth a write, in UTF-16 units. */
const SPOOL_CHARS = 1024 * 1024;
const READ_BYTES = 256 * 1024;
/** Far more than the largest user that can be sent takes. */
const SPOOL_LINE_BYTES_MAX = 1024 * 1024;

/** Lines without line breaks in them, none longer than a MiB. */
export class SpoolFile {
  readonly path: string;
  #waiting: string[] = [];
  #waitingChars = 0;
  /** Bytes that were written. */
  bytes = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Throws the system's error when the disk is full. */
  add(line: string): void {
    this.#waiting.push(line);
    this.#waitingChars += line.length + 1;
    if (this.#waitingChars >= SPOOL_CHARS) this.flush();
  }

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
    const splitter = new LineSplitter(SPOOL_LINE_BYTES_MAX);
    for await (const chunk of createReadStream(this.path, { highWaterMark: READ_BYTES })) {
      yield splitter.push(chunk).map(({ line, content }) => {
        if (content === undefined) throw new Error(`${this.path}: line ${line} is longer than ${SPOOL_LINE_BYTES_MAX} bytes`);
        return content.toString('utf8');
      });
    }
  }
}
