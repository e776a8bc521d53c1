/**
 * Frames of one connection, read and handled in order: the next frame waits for the answer to the one before, and nothing is read from the
 * peer meanwhile. A peer that does not take its answers gets no more of them: the inbox waits for it, and it is closed when it takes nothing.
 */
import type { Turns } from '../../../base/turns.ts';
import type { Decoded } from './frame-decoder.ts';
import { hasRoom, type Taking } from './outlet.ts';
import type { RosterSession } from './roster-session.ts';

/** Frames that waited for one answer are handled for this long, then everything else has its turn. */
const SLICE_MS = 2;

/** The reading side of a connection. */
export interface Source {
  pause(): void;
  resume(): void;
}

/** Reads what a peer has sent: that takes milliseconds for a long frame, so it is done when it is its turn. */
type Read = () => Decoded;

export class Inbox {
  readonly #source: Source;
  readonly #session: RosterSession;
  readonly #outlet: Taking;
  readonly #turns: Turns;
  readonly #waiting: Read[] = [];
  #isBusy = false;

  constructor(source: Source, session: RosterSession, outlet: Taking, turns: Turns) {
    this.#source = source;
    this.#session = session;
    this.#outlet = outlet;
    this.#turns = turns;
  }

  /** Number of frames that wait for their turn. */
  get size(): number {
    return this.#waiting.length;
  }

  take(read: Read): void {
    this.#waiting.push(read);
    if (!this.#isBusy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    this.#source.pause();
    // Each of a thousand connections may send one frame in the same turn.
    const turn = this.#turns.soon();
    if (turn !== undefined) await turn;
    let sliceEndsMs = performance.now() + SLICE_MS;
    for (let read = this.#waiting.shift(); read !== undefined; read = this.#waiting.shift()) {
      const decoded = read();
      if (decoded.kind === 'frame') await this.#session.handle(decoded.frame);
      else if (decoded.kind === 'invalid') this.#session.invalidFrame(decoded.op, decoded.id, decoded.reason);
      else this.#session.badFrame(decoded.reason);
      await hasRoom(this.#outlet);
      if (performance.now() < sliceEndsMs) continue;
      await this.#turns.next();
      sliceEndsMs = performance.now() + SLICE_MS;
    }
    this.#isBusy = false;
    // Without its memory, 150 bytes for each connection.
    this.#waiting.length = 0;
    this.#source.resume();
  }
}
