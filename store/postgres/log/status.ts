/** How the status of the log follows from what its connections say (LG15), and what an operator learns of it. */
import type { StoreEvent } from '../../events.ts';
import type { LogStatus } from '../../log.ts';

/** `since`: wall clock, milliseconds. A reason belongs to every state but `ready`. */
export interface SaidState {
  readonly state: 'ready' | 'read-only' | 'away';
  readonly reason: string;
  readonly since: number;
}

/** A log that failed or was closed stays so. */
export function statusAfter(before: LogStatus, { state, reason, since }: SaidState, nowMs: number): [LogStatus, readonly StoreEvent[]] {
  if (before.state === 'failed' || before.state === 'closed') return [before, []];
  if (state === 'away') {
    if (before.state === 'away') return [{ ...before, reason }, []];
    return [{ state, since, reason }, [{ type: 'storage-away', reason }]];
  }
  const events: StoreEvent[] = before.state === 'away' ? [{ type: 'storage-back', awayMs: nowMs - before.since }] : [];
  if (state === 'read-only') {
    if (before.state !== state) events.push({ type: 'writes-refused', reason });
    return [{ state, reason }, events];
  }
  if (before.state === 'read-only') events.push({ type: 'writes-accepted' });
  return [{ state }, events];
}
