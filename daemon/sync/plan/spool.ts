/** Keeps lines on the disk instead of in memory: written once, then read from the beginning. */
import { appendFileSync, createReadStream } from 'node:fs';
import { LineSplitter } from '../line-reader.ts';

/** Size at which buffered lines are written, in UTF-16 units. */
const SPOOL_CHARS = 1024 * 1024;
const READ_BYTES = 256 * 1024;
/** Far larger than the largest user that can be sent. */
const SPOOL_LINE_BYTES_MAX = 1024 * 1024;

/** Lines without line breaks in them, at most 1 MiB each. */
export class SpoolFile {
  readonly path: string;
  #waiting: string[] = [];
  #waitingChars = 0;
  /** Bytes written. */
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

  /** All added lines from the beginning, in chunks as the disk delivers them. */
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
