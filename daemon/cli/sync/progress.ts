/**
 * Shows the progress of a sync on stderr: a bar on a terminal, a plain line every few seconds elsewhere, nothing with `--quiet`.
 */
import { SingleBar } from 'cli-progress';
import { formatDuration } from '../../base/duration.ts';
import { grouped } from '../../base/grouped.ts';
import type { Output } from '../io.ts';
import { visibleLines } from '../visible.ts';

interface Shown {
  readonly users: number;
  readonly failed: number;
  /** Progress in the unit of `totalBytes`: bytes of the source. */
  readonly bytes: number;
}

export interface ProgressView {
  update(progress: Shown): void;
  /** Prints a sentence above the bar. */
  talk(text: string): void;
  /** Leaves the last state on the screen. */
  end(): void;
}

export interface ProgressOptions {
  readonly stderr: Output;
  /** Undefined when the length of the source is unknown. */
  readonly totalBytes: number | undefined;
  readonly quiet: boolean;
  /** The current time, milliseconds. */
  readonly now: () => number;
}

const LINE_EVERY_MS = 5_000;

export function createProgressView(options: ProgressOptions): ProgressView {
  const { stderr, quiet } = options;
  if (quiet) return { update: () => {}, talk: (text) => stderr.write(`rosterd: ${text}\n`), end: () => {} };
  return stderr.terminal === undefined ? new Lines(options) : new Bar(options, stderr.terminal);
}

/** Users per second and time left, averaged over the whole run: steadier than the last second and good enough to plan by. */
export class Rate {
  readonly #now: () => number;
  readonly #totalBytes: number | undefined;
  readonly #startedMs: number;

  constructor({ now, totalBytes }: Pick<ProgressOptions, 'now' | 'totalBytes'>) {
    this.#now = now;
    this.#totalBytes = totalBytes;
    this.#startedMs = now();
  }

  describe({ users, bytes, failed }: Shown): { users: string; rate: string; left: string } {
    const elapsedMs = Math.max(1, this.#now() - this.#startedMs);
    const perSecond = Math.round((users * 1_000) / elapsedMs);
    const leftBytes = Math.max(0, (this.#totalBytes ?? 0) - bytes);
    const isKnown = bytes > 0 && leftBytes > 0;
    return {
      users: `${grouped(users)} users${failed > 0 ? ` (${grouped(failed)} failed)` : ''}`,
      rate: `${grouped(perSecond)}/s`,
      left: isKnown ? `${formatDuration((elapsedMs * leftBytes) / bytes)} left` : '',
    };
  }
}

class Lines implements ProgressView {
  readonly #stderr: Output;
  readonly #now: () => number;
  readonly #rate: Rate;
  readonly #totalBytes: number | undefined;
  #nextMs: number;

  constructor(options: ProgressOptions) {
    this.#stderr = options.stderr;
    this.#now = options.now;
    this.#rate = new Rate(options);
    this.#totalBytes = options.totalBytes;
    this.#nextMs = options.now() + LINE_EVERY_MS;
  }

  update(progress: Shown): void {
    if (this.#now() < this.#nextMs) return;
    this.#nextMs = this.#now() + LINE_EVERY_MS;
    const { users, rate, left } = this.#rate.describe(progress);
    const percent = this.#totalBytes ? `${Math.floor((progress.bytes * 100) / this.#totalBytes)}%` : '';
    this.#stderr.write(`${[percent, users, rate, left].filter((part) => part !== '').join(', ')}\n`);
  }

  talk(text: string): void {
    this.#stderr.write(`rosterd: ${text}\n`);
  }

  end(): void {}
}

class Bar implements ProgressView {
  readonly #bar: SingleBar;
  readonly #rate: Rate;
  readonly #terminal: NodeJS.WriteStream;
  readonly #totalBytes: number | undefined;

  constructor(options: ProgressOptions, terminal: NodeJS.WriteStream) {
    this.#rate = new Rate(options);
    this.#terminal = terminal;
    this.#totalBytes = options.totalBytes;
    const bar = this.#totalBytes === undefined ? '' : '{bar} {percentage}%  ';
    this.#bar = new SingleBar({
      stream: terminal,
      format: ` ${bar}{users}  {rate}  {left}`,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 30,
      hideCursor: true,
      gracefulExit: false,
      fps: 8,
    });
    this.#bar.start(Math.max(1, this.#totalBytes ?? 1), 0, this.#rate.describe({ users: 0, bytes: 0, failed: 0 }));
  }

  update(progress: Shown): void {
    this.#bar.update(Math.min(progress.bytes, this.#totalBytes ?? 1), this.#rate.describe(progress));
  }

  talk(text: string): void {
    // Overwrites the bar, which is drawn again one line further down.
    this.#terminal.write(`\r\x1b[2Krosterd: ${visibleLines(text)}\n`);
    this.#bar.updateETA();
  }

  end(): void {
    this.#bar.stop();
  }
}
