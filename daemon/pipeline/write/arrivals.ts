/**
 * Positions that callers name, perhaps ones that they know from another node: this node waits until it has applied them, and says whether
 * it can deliver what follows.
 *
 * It keeps ND1 and ND2 (daemon/RULES.md).
 */
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { Log } from '../../../store/log.ts';
import type { Applier } from './applier.ts';

/** `unknown`: the position is of another epoch, or beyond the end of the log. */
export type Arrival = 'applied' | 'unknown';

/** The longest wait for one position. */
const WAIT_MS = 2_000;
/** Callers that may wait at the same time. A node so far behind is of no use to more. */
const WAITING_MAX = 1_000;

export interface ArrivalsOptions {
  readonly log: Pick<Log, 'head' | 'tail' | 'status' | 'end'>;
  readonly directory: { readonly position: Position; readonly seq: number };
  readonly applier: Pick<Applier, 'reached'>;
  /** Recent events, from which subscribers resume without reading the log. */
  readonly history: { readonly tail: number };
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  #waiting = 0;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /** Whether everything up to the position is applied here. */
  has({ epoch, seq }: Position): boolean {
    const { position } = this.#options.directory;
    return epoch === position.epoch && seq <= position.seq;
  }

  /** Whether everything after the position can still be delivered. */
  canResume(position: Position): boolean {
    const { log, history } = this.#options;
    return this.has(position) && (position.seq >= history.tail || position.seq >= log.tail);
  }

  /**
   * Resolves once everything up to the position is applied, or once it is certain that there is no such position. Rejects with RosterError
   * `unavailable` when neither is the case within 2 s, and at once while the storage is away.
   */
  async until(position: Position): Promise<Arrival> {
    const { log, directory } = this.#options;
    if (this.has(position)) return 'applied';
    if (position.epoch !== directory.position.epoch) return 'unknown';
    if (log.status.state === 'away' && log.head.seq < position.seq) throw notHere(position, 'and its storage is away');
    if (this.#waiting >= WAITING_MAX) throw notHere(position, `and ${WAITING_MAX} callers wait for it already`);
    this.#waiting++;
    try {
      return await this.#arrival(position);
    } finally {
      this.#waiting--;
    }
  }

  async #arrival(position: Position): Promise<Arrival> {
    const { log, applier } = this.#options;
    const applied = applier.reached(position.seq, WAIT_MS).then(
      (isReached): Arrival => {
        if (!isReached) throw notHere(position, `and was not after ${WAIT_MS} ms`);
        return 'applied';
      },
      () => {
        throw new RosterError('unavailable', 'the directory no longer follows its log');
      },
    );
    // LG13: when the log ended before the position since this call, nobody was ever given it. Also brings what this node was not told of.
    const ended = log.end().then(
      (end): Arrival | Promise<Arrival> => (end < position.seq ? 'unknown' : applied),
      () => applied,
    );
    return await Promise.race([applied, ended]);
  }
}

function notHere({ seq }: Position, reason: string): RosterError {
  return new RosterError('unavailable', `this node has not come to the position ${seq} yet, ${reason}; try again, or ask another node`);
}
