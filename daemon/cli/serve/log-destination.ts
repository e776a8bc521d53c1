/**
 * Where the daemon's log lines go. They are gathered for a moment and written beside the event loop.
 *
 * It keeps LO1–LO3 (daemon/RULES.md).
 *
 * pino's own destination does not do for this: when the file cannot be written, its last flush waits for ever, and the process never ends.
 */
import { write, writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** Lines wait no longer than this for others. */
const GATHER_MS = 50;
/** So many are written without waiting, in characters. */
const GATHER_CHARS = 8 * 1024;
const WAITING_CHARS_MAX = 4 * 1024 * 1024;
/** Between attempts that fail: a reader that is only slow is soon asked again, a full disk less and less often. */
const RETRY_MS_MIN = 5;
const RETRY_MS_MAX = 500;
/** pino's `error`. */
const LEVEL_ERROR = 50;

export class LogDestination implements DestinationStream {
  readonly #fd: number;
  #lines: string[] = [];
  #chars = 0;
  /** What is being written, or could not be. It goes before the lines. */
  #rest: Buffer = Buffer.alloc(0);
  #isWriting = false;
  /** Until the next attempt; 0 while nothing fails. */
  #retryMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #lost = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(line: string): void {
    if (this.#chars + this.#rest.length + line.length > WAITING_CHARS_MAX) {
      this.#lost++;
      return;
    }
    if (this.#lost > 0) this.#add(lossLine(this.#lost));
    this.#lost = 0;
    this.#add(line);
    if (this.#chars >= GATHER_CHARS && this.#retryMs === 0) this.#flush();
    else this.#flushIn(GATHER_MS);
  }

  #add(line: string): void {
    this.#lines.push(line);
    this.#chars += line.length;
  }

  #flushIn(ms: number): void {
    this.#timer ??= setTimeout(() => this.#flush(), ms).unref();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isWriting || !this.#take()) return;
    this.#isWriting = true;
    write(this.#fd, this.#rest, (error, bytes) => {
      this.#isWriting = false;
      this.#retryMs = error === null ? 0 : Math.min(RETRY_MS_MAX, Math.max(RETRY_MS_MIN, this.#retryMs * 2));
      if (error !== null) return this.#flushIn(this.#retryMs);
      this.#rest = this.#rest.subarray(bytes);
      if (this.#rest.length > 0 || this.#chars >= GATHER_CHARS) this.#flush();
      else if (this.#chars > 0) this.#flushIn(GATHER_MS);
    });
  }

  /** Puts the lines behind what could not be written, once that is gone. False when there is nothing to write. */
  #take(): boolean {
    if (this.#rest.length === 0) {
      this.#rest = Buffer.from(this.#lines.join(''));
      this.#lines = [];
      this.#chars = 0;
    }
    return this.#rest.length > 0;
  }

  /** Writes what waits, as far as the file takes it at once: for when the process is about to end. */
  flushNow(): void {
    try {
      while (this.#take()) this.#rest = this.#rest.subarray(writeSync(this.#fd, this.#rest));
    } catch {
      // What cannot be written now never will be.
    }
  }
}

function lossLine(lines: number): string {
  return `${JSON.stringify({ level: LEVEL_ERROR, time: Date.now(), lines, msg: 'log lines were lost: they could not be written' })}\n`;
}
