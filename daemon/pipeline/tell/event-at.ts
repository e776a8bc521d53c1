/** Finds one event of the past, for an operator who asks about it: in memory if it is still there, otherwise in the log. */

import type { DocLookups } from '../../../protocol/live/document-events.ts';
import type { Log } from '../../../store/log.ts';
import type { RecentPast } from '../../core/directory/recent-past.ts';
import { type AnyEvent, batchFromLog, type EventBatch } from './user-event.ts';

export interface PastSources {
  readonly log: Log;
  readonly history: RecentPast<EventBatch>;
  readonly lookups: DocLookups;
}

/** `seq`: a position that was applied. Undefined where no event was sent, or when it is no longer kept. */
export async function eventAt(seq: number, { log, history, lookups }: PastSources): Promise<AnyEvent | undefined> {
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
