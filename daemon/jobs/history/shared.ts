/**
 * The history of all users where several nodes share it: the node that holds the job `history` writes it, and every node reads it.
 *
 * A lookup waits until the stored history has reached the directory of its node. So that it does not wait long, the writer stores what it
 * has twenty times a second. A writer that is woken by lookups would write less, but needs announcements in both directions, and something
 * beside them for those that get lost.
 *
 * It keeps HY5 and HY8–HY11 (daemon/RULES.md).
 */
import { setMaxListeners } from 'node:events';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { HistoryItem } from '../../../protocol/users/history.ts';
import type { HistoryTable, HistoryWriter, StoredChange, StoredHistoryPage } from '../../../store/history.ts';
import { LeaseLost, type Leases } from '../../../store/leases.ts';
import { aborted } from '../../base/aborted.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';
import { type HeldJob, whileHeld } from '../tasks/hold.ts';
import type { HistoryPage, HistoryQuestion } from './lookup.ts';
import { decodeDetails } from './record.ts';
import { HistoryRecorder } from './recorder.ts';
import { HistoryRows } from './rows.ts';

export interface SharedHistoryOptions {
  readonly roster: Pick<Roster, 'follow' | 'keptAfter' | 'position' | 'submit'>;
  readonly table: HistoryTable;
  readonly leases: Leases;
  /** Time for which a change is kept, milliseconds. 0: nothing is kept. */
  readonly keepMs: number;
  readonly bytesMax: number;
  readonly logger: RosterLogger;
  readonly clock: Clock;
}

const PACE = { flushMs: 50, positionMs: 0 };
/** Longest time that a lookup waits for changes acknowledged before it. */
const WAIT_MS = 5_000;
/** Pauses between two looks at what is stored. */
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 200;

export class SharedHistory {
  readonly #options: SharedHistoryOptions;
  readonly #stopping = new AbortController();
  #working: Promise<void> = Promise.resolve();

  constructor(options: SharedHistoryOptions) {
    this.#options = options;
    // Any number of lookups may wait at once.
    setMaxListeners(0, this.#stopping.signal);
  }

  start(): void {
    const { roster, leases, clock, logger } = this.#options;
    const submit: Roster['submit'] = (command, ...how) => roster.submit(command, ...how);
    this.#working = whileHeld({ job: 'history', leases, submit, clock, logger }, this.#stopping.signal, (held) => this.#write(held));
  }

  /** Writes the changes that were read. Resolves when everything has stopped. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#working;
  }

  /**
   * A page of the history of a user. Rejects with RosterError: `not_found` when no history is kept, `unavailable` while the
   * history is behind the directory of this node, or cannot be read.
   */
  async page(question: HistoryQuestion): Promise<HistoryPage> {
    const { keepMs, logger, clock } = this.#options;
    if (keepMs === 0) throw new RosterError('not_found', 'no history of users is kept (history.keep_h is 0)');
    const notBefore = (clock.now() - keepMs) * 1_000;
    try {
      const stored = await this.#stored(question, notBefore);
      if (stored !== undefined) return pageOf(stored, question, notBefore);
    } catch (error) {
      logger.error({ err: error, user_id: question.id }, 'the history of a user could not be read');
      throw new RosterError('unavailable', 'the history cannot be read at the moment');
    }
    throw new RosterError('unavailable', 'the history is behind the directory at the moment');
  }

  /** What is stored, once that has reached the directory; undefined when it does not in time. Rejects when it cannot be read in time. */
  async #stored({ id, limit, before }: HistoryQuestion, notBefore: Micros): Promise<StoredHistoryPage | undefined> {
    const { roster, table, clock } = this.#options;
    const { epoch, seq } = roster.position;
    const { signal } = this.#stopping;
    // One more, to see whether there is another page.
    const question = { id, limit: limit + 1, before: before ?? Number.MAX_SAFE_INTEGER, notBefore };
    const untilMs = performance.now() + WAIT_MS;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const isLast = performance.now() + pauseMs >= untilMs;
      const found = await answeredBy(untilMs, table.page(question)).catch((error: unknown) => {
        if (isLast || signal.aborted) throw error;
        return undefined;
      });
      if (found !== undefined && found.position.epoch === epoch && found.position.seq >= seq) return found;
      if (isLast || signal.aborted) return undefined;
      await clock.sleep(pauseMs, signal);
    }
  }

  /** The work of the node that holds the job. */
  async #write({ token, signal }: HeldJob): Promise<void> {
    const { table, keepMs } = this.#options;
    if (token === undefined) throw new Error('a history that nodes share is written with a lease');
    const writer = table.writer(token, signal);
    try {
      if (keepMs === 0) await writer.remove();
      else await this.#follow(writer, signal);
    } catch (error) {
      // Whoever has the job now goes on.
      if (!(error instanceof LeaseLost)) throw error;
    } finally {
      await writer.close();
    }
    // Nobody else need look again whether there is anything to remove.
    if (keepMs === 0) await aborted(signal);
  }

  /** Until the first failure: what it left is found out by whoever begins anew, with another token. */
  async #follow(writer: HistoryWriter, signal: AbortSignal): Promise<void> {
    const { roster, keepMs, bytesMax, logger, clock } = this.#options;
    const ending = new AbortController();
    signal.addEventListener('abort', () => ending.abort(), { once: true });
    if (signal.aborted) return;
    const recorder = new HistoryRecorder({
      ...{ roster, keepMs, pace: PACE, logger, clock },
      open: () => HistoryRows.open(writer, bytesMax),
      onReached: () => {},
      onFailed: (error) => ending.abort(error),
    });
    recorder.start();
    await aborted(ending.signal);
    await recorder.stop();
    if (!signal.aborted) throw ending.signal.reason;
  }
}

/** Rejects when the answer is not there in time. */
async function answeredBy<T>(untilMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the database does not answer')), untilMs - performance.now());
  });
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

/** With an item `gap` between changes where some are missing, as in files (lookup.ts). Throws when a record cannot be read. */
function pageOf({ changes, from }: StoredHistoryPage, { limit }: HistoryQuestion, notBefore: Micros): HistoryPage {
  const all = changes.flatMap(itemsOf);
  const page = { items: all.slice(0, limit), from: Math.max(from, notBefore) };
  const last = page.items.at(-1);
  return all.length > limit && last !== undefined ? { ...page, next: last.seq } : page;
}

function itemsOf({ seq, at, record, gap }: StoredChange): readonly HistoryItem[] {
  const item = decodeDetails(record, seq, at);
  if (item === undefined) throw new Error(`the record of change ${seq} in the history of users is damaged`);
  return gap === undefined ? [item] : [{ ...gap, event: 'gap' }, item];
}
