/** Frames of one connection, handled in order: the next one waits for the answer to the one before, and the peer is not read meanwhile. */
import type { ClientFrame } from '../../../protocol/frames.ts';
import type { Decoded } from './frame-decoder.ts';
import type { RosterSession } from './live-session.ts';

/** The reading side of a connection. */
export interface Source {
  pause(): void;
  resume(): void;
}

export class Inbox {
  readonly #source: Source;
  readonly #session: RosterSession;
  readonly #waiting: ClientFrame[] = [];
  #isBusy = false;

  constructor(source: Source, session: RosterSession) {
    this.#source = source;
    this.#session = session;
  }

  /** Frames that wait for their turn. */
  get size(): number {
    return this.#waiting.length;
  }

  take(decoded: Decoded): void {
    switch (decoded.kind) {
      case 'bad':
        this.#session.badFrame(decoded.reason);
        break;
      case 'invalid':
        this.#session.invalidFrame(decoded.op, decoded.id, decoded.reason);
        break;
      case 'frame':
        this.#waiting.push(decoded.frame);
        if (!this.#isBusy) void this.#run();
    }
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    this.#source.pause();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) await this.#session.handle(next);
    this.#isBusy = false;
    this.#source.resume();
  }
}
