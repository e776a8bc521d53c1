/**
 * Frames of one connection, handled in order: the next frame waits for the answer to the one before, and nothing is read from the peer
 * meanwhile. A peer that does not take its answers gets no more of them: the inbox waits for it, and it is closed when it takes nothing.
 */
import type { Decoded } from './frame-decoder.ts';
import { hasRoom, type Taking } from './outlet.ts';
import type { RosterSession } from './roster-session.ts';

/** The reading side of a connection. */
export interface Source {
  pause(): void;
  resume(): void;
}

/** A frame that gets an answer. */
type Answerable = Exclude<Decoded, { readonly kind: 'bad' }>;

export class Inbox {
  readonly #source: Source;
  readonly #session: RosterSession;
  readonly #outlet: Taking;
  readonly #waiting: Answerable[] = [];
  #isBusy = false;

  constructor(source: Source, session: RosterSession, outlet: Taking) {
    this.#source = source;
    this.#session = session;
    this.#outlet = outlet;
  }

  /** Number of frames that wait for their turn. */
  get size(): number {
    return this.#waiting.length;
  }

  take(decoded: Decoded): void {
    if (decoded.kind === 'bad') {
      this.#session.badFrame(decoded.reason);
      return;
    }
    this.#waiting.push(decoded);
    if (!this.#isBusy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    this.#source.pause();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.kind === 'frame') await this.#session.handle(next.frame);
      else this.#session.invalidFrame(next.op, next.id, next.reason);
      await hasRoom(this.#outlet);
    }
    this.#isBusy = false;
    this.#source.resume();
  }
}
