/** The output of the demo: one sentence for each thing that happened, with the time. Every sentence was checked before. */
import { styleText } from 'node:util';
import type { CommandIo } from '../io.ts';

/** A check of the story failed, or took too long. The message is for people. */
export class DemoFailed extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DemoFailed';
  }
}

const WAIT_MS = 30_000;
const LOOK_EVERY_MS = 5;
/** Space for the time before every sentence. */
const MARGIN = 8;

export class Story {
  readonly #io: Pick<CommandIo, 'stdout' | 'env' | 'now'>;
  readonly #startedMs: number;
  readonly #stop: AbortSignal;
  readonly #isPlain: boolean;

  /** `stop` ends every wait. */
  constructor(io: Pick<CommandIo, 'stdout' | 'env' | 'now'>, stop: AbortSignal) {
    this.#io = io;
    this.#startedMs = io.now();
    this.#stop = stop;
    this.#isPlain = !io.stdout.isTTY || (io.env.NO_COLOR ?? '') !== '';
  }

  /** Seconds since the beginning, with one decimal. */
  get seconds(): string {
    return ((this.#io.now() - this.#startedMs) / 1_000).toFixed(1);
  }

  /** Prints what happens now; further lines are indented below the first. */
  tell(...lines: readonly string[]): void {
    const time = `${this.seconds} s`.padStart(MARGIN - 2).padEnd(MARGIN);
    const [first = '', ...rest] = lines;
    this.#write(`${this.#isPlain ? time : styleText('dim', time, { validateStream: false })}${first}`);
    for (const line of rest) this.#write(`${' '.repeat(MARGIN)}${line}`);
  }

  /** Prints a line without the time. */
  title(text: string): void {
    this.#write(this.#isPlain ? text : styleText('bold', text, { validateStream: false }));
  }

  /** Ends the story when the check fails. `otherwise` says what was found instead. */
  check(isSo: boolean, otherwise: string): void {
    if (!isSo) throw new DemoFailed(otherwise);
  }

  /** Waits until `look` returns a value. Rejects with DemoFailed after 30 seconds, or with the reason of `stop`. */
  async until<T>(what: string, look: () => T | undefined | false): Promise<T> {
    const deadline = performance.now() + WAIT_MS;
    for (;;) {
      this.#stop.throwIfAborted();
      const found = look();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > deadline) throw new DemoFailed(`waited ${WAIT_MS / 1_000} s in vain until ${what}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  #write(line: string): void {
    this.#io.stdout.write(`${line}\n`);
  }
}
