/**
 * The progress of the client: the position from which it resumes, and the acknowledged part of it. The position is that of the
 * subscription that is furthest behind: one that the connection has not named yet has no events after the connection's start.
 */
import type { Position } from '../../base/position.ts';
import type { UserCopy } from './user-copy.ts';

export class Progress {
  readonly #copy: UserCopy;
  readonly #tell: (seq: number) => void;
  /** The position of the last event that was emitted. */
  #position: Position | undefined;
  /** The position at which the events of this connection began. */
  #startedAt = 0;
  /** Events about the own user up to this position were emitted. */
  #ownSince = 0;
  #acknowledged: Position | undefined;

  /** `tell` sends an acknowledgement, or does nothing without a connection. */
  constructor(copy: UserCopy, tell: (seq: number) => void) {
    this.#copy = copy;
    this.#tell = tell;
  }

  /** Every event up to this position was emitted, for every subscription. */
  get position(): Position | undefined {
    const position = this.#position;
    if (position === undefined || !this.#copy.isWaiting) return position;
    return { ...position, seq: Math.min(position.seq, this.#startedAt) };
  }

  /** Whether an event is new: after a resume, an event comes at least once. */
  isNews(seq: number): boolean {
    return this.#position !== undefined && seq > this.#position.seq;
  }

  isNewsOfOwn(seq: number): boolean {
    return seq > this.#ownSince;
  }

  /** A connection opens, with events after this position. Returns true when its history differs from that of the previous one. */
  start(position: Position, isResumed: boolean): boolean {
    const isNewHistory = this.#position !== undefined && this.#position.epoch !== position.epoch;
    this.#position = position;
    this.#startedAt = position.seq;
    if (!isResumed) this.#ownSince = 0;
    // It may date from a time without a connection, or have been lost with the previous connection.
    if (this.#acknowledged?.epoch === position.epoch) this.#tell(this.#acknowledged.seq);
    else this.#acknowledged = undefined;
    return isNewHistory;
  }

  advance(seq: unknown): void {
    const position = this.#position;
    if (position !== undefined && typeof seq === 'number' && seq > position.seq) this.#position = { ...position, seq };
  }

  /** The daemon goes back for a subscription that was named late; all others already have the events after `seq`. */
  rewind(seq: number, sub?: string): void {
    const position = this.#position;
    if (position === undefined || seq >= position.seq) return;
    this.#copy.holdBack(position.seq, sub);
    this.#ownSince = Math.max(this.#ownSince, position.seq);
    this.#position = { ...position, seq };
  }

  /** The position for the next connection: far enough back for the subscriptions that the last connection did not reach. */
  resume(): Position | undefined {
    const { position } = this;
    if (position !== undefined) this.rewind(position.seq);
    return position;
  }

  /** Acknowledges at most the position up to which every subscription has its events. */
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
