/** What operators ask about the past: single events, times, and what somebody who resumes would be sent. It changes nothing. */
import pLimit from 'p-limit';
import type { Micros } from '../../../protocol/base/time.ts';
import type { DocLookups } from '../../../protocol/live/document-events.ts';
import type { Log } from '../../../store/log.ts';
import type { RecentPast } from '../../core/directory/recent-past.ts';
import type { CatchUp } from './catch-up.ts';
import type { Subscriber } from './subscriber.ts';
import { type AnyEvent, batchFromLog, type EventBatch } from './user-event.ts';

/** Changes that one rehearsal looks at. */
const REHEARSED_CHANGES = 250_000;

export interface PastSources {
  readonly log: Log;
  readonly history: RecentPast<EventBatch>;
  readonly lookups: DocLookups;
  readonly catchUp: Pick<CatchUp, 'rehearse'>;
  /** The last position that was applied. */
  readonly seq: () => number;
}

/** What somebody who resumes would be sent. */
export interface Rehearsal {
  /** Frames, and their bytes as they go over a WebSocket, not compressed. */
  count: number;
  bytes: number;
  /** Everything after the start and up to here was looked at. */
  upTo: number;
  /** Whether that is all there is. */
  isWhole: boolean;
  first: AnyEvent | undefined;
  last: AnyEvent | undefined;
  readonly byType: Map<string, number>;
}

export class Past {
  readonly #sources: PastSources;
  /** One at a time: whoever reads the past in earnest does not wait behind them. */
  readonly #rehearsals = pLimit(1);

  constructor(sources: PastSources) {
    this.#sources = sources;
  }

  /** The event at a position: in memory if it is still there, otherwise in the log. Undefined where no event was sent, or when it is no longer kept. */
  async eventAt(seq: number): Promise<AnyEvent | undefined> {
    const { log, history, lookups } = this.#sources;
    if (seq > this.#sources.seq()) return undefined;
    if (seq > history.tail) {
      for (const { events } of history.since(seq - 1)) return events.find((event) => event.seq === seq);
    }
    if (seq <= log.tail) return undefined;
    // Leaving the loop ends the reading.
    for await (const entry of log.read(seq - 1, new AbortController().signal)) {
      return batchFromLog(entry, lookups).events.find((event) => event.seq === seq);
    }
    return undefined;
  }

  /** Time of the first change after a seq; undefined when there is none, or when it is no longer kept. */
  async timeAfter(seq: number): Promise<Micros | undefined> {
    const { log } = this.#sources;
    if (seq < log.tail || seq >= this.#sources.seq()) return undefined;
    for await (const { time } of log.read(seq, new AbortController().signal)) return time;
    return undefined;
  }

  /**
   * What a subscriber that is not in the hub would be sent if it resumed after `after`, which must be kept. In slices, and at most
   * `changesMax` changes. Rejects with LogTrimmed when the past is trimmed meanwhile.
   */
  async rehearse(subscriber: Subscriber, after: number, changesMax = REHEARSED_CHANGES): Promise<Rehearsal> {
    const found: Rehearsal = { count: 0, bytes: 0, upTo: after, isWhole: false, first: undefined, last: undefined, byType: new Map() };
    return await this.#rehearsals(async () => {
      const end = this.#sources.seq();
      while (found.upTo < end && found.upTo - after < changesMax) {
        const { bytes, position } = await this.#sources.catchUp.rehearse(subscriber, found.upTo, (event) => {
          found.count++;
          found.first ??= event;
          found.last = event;
          found.byType.set(event.type, (found.byType.get(event.type) ?? 0) + 1);
        });
        found.bytes += bytes?.length ?? 0;
        found.upTo = position;
      }
      found.isWhole = found.upTo >= end;
      return found;
    });
  }
}
