/**
 * The destination of the daemon's log lines. They are buffered for a moment and written outside the event loop.
 *
 * It keeps LO1–LO3 and LO5 (daemon/RULES.md).
 *
 * pino's own destination does not fit: when the file cannot be written, its last flush waits forever, and the process never ends.
 */
import { write, writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** Longest time that a line waits for others. */
const GATHER_MS = 50;
/** At this many characters, the lines are written without waiting. */
const GATHER_CHARS = 8 * 1024;
const WAITING_CHARS_MAX = 4 * 1024 * 1024;
/** Pause between failing attempts: short for a slow reader, growing for a full disk. */
const RETRY_MS_MIN = 5;
const RETRY_MS_MAX = 500;
/** pino's levels. */
const LEVEL_WARN = 40;
const LEVEL_ERROR = 50;
const LEVEL = /^\{"level":(\d+)/;

export class LogDestination implements DestinationStream {
  readonly #fd: number;
  #lines: string[] = [];
  #chars = 0;
  /** Bytes being written, or that could not be written. They go before the lines. */
  #rest: Buffer = Buffer.alloc(0);
  #isWriting = false;
  /** Time until the next attempt; 0 while nothing fails. */
  #retryMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #lost = 0;
  #isHeld = false;
  readonly #form: (line: string) => string;

  /** `form`: makes the line that is written of pino's. */
  constructor(fd: number, form: (line: string) => string = (line) => line) {
    this.#fd = fd;
    this.#form = form;
  }

  /** Keeps routine lines back until `release`, or until a line that somebody should see at once. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    if (this.#chars > 0) this.#flushIn(GATHER_MS);
  }

  write(entry: string): void {
    const line = this.#form(entry);
    if (this.#chars + this.#rest.length + line.length > WAITING_CHARS_MAX) {
      this.#lost++;
      return;
    }
    if (this.#lost > 0) this.#add(this.#form(lossLine(this.#lost)));
    this.#lost = 0;
    this.#add(line);
    if (this.#isHeld && Number(LEVEL.exec(entry)?.[1] ?? 0) < LEVEL_WARN) return;
    this.release();
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

  /** Moves the lines to `#rest` once that is empty. False when there is nothing to write. */
  #take(): boolean {
    if (this.#rest.length === 0) {
      this.#rest = Buffer.from(this.#lines.join(''));
      this.#lines = [];
      this.#chars = 0;
    }
    return this.#rest.length > 0;
  }

  /** Writes as much as the file takes at once: for the end of the process. */
  flushNow(): void {
    try {
      while (this.#take()) this.#rest = this.#rest.subarray(writeSync(this.#fd, this.#rest));
    } catch {
      // Bytes that cannot be written now are lost.
    }
  }
}

function lossLine(lines: number): string {
  return `${JSON.stringify({ level: LEVEL_ERROR, time: Date.now(), lines, msg: 'log lines were lost: they could not be written' })}\n`;
}
