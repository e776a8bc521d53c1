/**
 * How far the client has got: the position that it comes back with, and what was acknowledged of it. A position is only as good as
 * the subscription that is furthest behind: one that the connection did not name yet has nothing after where the connection began.
 */
import type { Position } from '../../base/position.ts';
import type { UserCopy } from './user-copy.ts';

export class Progress {
  readonly #copy: UserCopy;
  readonly #tell: (seq: number) => void;
  /** Of the last event handed on. */
  #position: Position | undefined;
  /** Where the events of this connection began. */
  #startedAt = 0;
  /** Events about the own user at or before this were handed on. */
  #ownSince = 0;
  #acknowledged: Position | undefined;

  /** `tell` sends an acknowledgement, or does nothing without a connection. */
  constructor(copy: UserCopy, tell: (seq: number) => void) {
    this.#copy = copy;
    this.#tell = tell;
  }

  /** Everything up to here was handed on, for every subscription. */
  get position(): Position | undefined {
    const position = this.#position;
    if (position === undefined || !this.#copy.isWaiting) return position;
    return { ...position, seq: Math.min(position.seq, this.#startedAt) };
  }

  /** An event comes at least once after a resume. */
  isNews(seq: number): boolean {
    return this.#position !== undefined && seq > this.#position.seq;
  }

  isNewsOfOwn(seq: number): boolean {
    return seq > this.#ownSince;
  }

  /** A connection is open, and its events begin after this position. True when it is in another history than the one before. */
  start(position: Position, isResumed: boolean): boolean {
    const isNewHistory = this.#position !== undefined && this.#position.epoch !== position.epoch;
    this.#position = position;
    this.#startedAt = position.seq;
    if (!isResumed) this.#ownSince = 0;
    // It may have been made while there was no connection, or have gone down with the one before.
    if (this.#acknowledged?.epoch === position.epoch) this.#tell(this.#acknowledged.seq);
    else this.#acknowledged = undefined;
    return isNewHistory;
  }

  advance(seq: unknown): void {
    const position = this.#position;
    if (position !== undefined && typeof seq === 'number' && seq > position.seq) this.#position = { ...position, seq };
  }

  /** The daemon goes back for a subscription that was named late; all others have what is after `seq`. */
  rewind(seq: number, sub?: string): void {
    const position = this.#position;
    if (position === undefined || seq >= position.seq) return;
    this.#copy.holdBack(position.seq, sub);
    this.#ownSince = Math.max(this.#ownSince, position.seq);
    this.#position = { ...position, seq };
  }

  /** Where the next connection goes on: as far back as the subscriptions need that the last one did not come to. */
  resume(): Position | undefined {
    const { position } = this;
    if (position !== undefined) this.rewind(position.seq);
    return position;
  }

  /** What was not handed on for every subscription cannot have been taken care of. */
  acknowledge(seq: number | undefined): void {
    const { position } = this;
    if (position === undefined) return;
    const before = this.#acknowledged?.epoch === position.epoch ? this.#acknowledged.seq : 0;
    const taken = Math.min(seq ?? position.seq, position.seq);
    this.#acknowledged = { epoch: position.epoch, seq: Math.max(before, taken) };
    this.#tell(this.#acknowledged.seq);
  }

  clear(): void {
    this.#position = undefined;
    this.#ownSince = 0;
    this.#acknowledged = undefined;
  }
}
