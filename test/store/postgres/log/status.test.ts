/** LG15, PL10: the status of the log, and what an operator learns of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreEvent } from '../../../../store/events.ts';
import type { LogStatus } from '../../../../store/log.ts';
import { type SaidState, statusAfter } from '../../../../store/postgres/log/status.ts';

const said = (state: SaidState['state'], since = 100): SaidState => ({ state, reason: `said ${state}`, since });
const READY: LogStatus = { state: 'ready' };
const AWAY: LogStatus = { state: 'away', since: 40, reason: 'before' };
const READ_ONLY: LogStatus = { state: 'read-only', reason: 'before' };

test('LG15 PL10 each state follows from each, and each change is told once, with its reason and how long it took', () => {
  const away = { type: 'storage-away', reason: 'said away' } as const;
  const back = { type: 'storage-back', awayMs: 210 } as const;
  const refused = { type: 'writes-refused', reason: 'said read-only' } as const;
  const accepted = { type: 'writes-accepted' } as const;
  const after: [LogStatus, SaidState['state'], LogStatus, readonly StoreEvent[]][] = [
    [READY, 'ready', READY, []],
    [READY, 'away', { state: 'away', since: 100, reason: 'said away' }, [away]],
    [READY, 'read-only', { state: 'read-only', reason: 'said read-only' }, [refused]],
    [AWAY, 'ready', READY, [back]],
    // Since when it is away stays; why may be another reason.
    [AWAY, 'away', { state: 'away', since: 40, reason: 'said away' }, []],
    [AWAY, 'read-only', { state: 'read-only', reason: 'said read-only' }, [back, refused]],
    [READ_ONLY, 'ready', READY, [accepted]],
    [READ_ONLY, 'away', { state: 'away', since: 100, reason: 'said away' }, [away]],
    [READ_ONLY, 'read-only', { state: 'read-only', reason: 'said read-only' }, []],
  ];
  for (const [before, state, status, events] of after)
    assert.deepEqual(statusAfter(before, said(state), 250), [status, events], `${before.state}, then ${state}`);
});

test('LG15 a log that failed or was closed stays so, and says nothing more', () => {
  for (const before of [{ state: 'failed', reason: 'r' }, { state: 'closed' }] as const)
    for (const state of ['ready', 'away', 'read-only'] as const) assert.deepEqual(statusAfter(before, said(state), 250), [before, []]);
});
