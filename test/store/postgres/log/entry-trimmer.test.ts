/** LG7, LG11, LG12, PL8: what is removed, what is reported, and in which steps. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, type TestContext, test } from 'node:test';
import type { StoreEvent } from '../../../../store/events.ts';
import { DEFAULT_RETENTION, type Retention } from '../../../../store/journal/retention.ts';
import type { Question } from '../../../../store/postgres/link/connection.ts';
import { Confirmed } from '../../../../store/postgres/log/confirmed.ts';
import { EntryTrimmer } from '../../../../store/postgres/log/entry-trimmer.ts';
import { ENTRY_FORMATS } from '../../../../store/postgres/log/formats.ts';
import { answered, type Reply, scripted, serverError } from '../../../support/nodes/scripted.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

beforeEach(() => kit.closeNodes());

const NOW_MS = 5_000_000_000.5;
const nothing = (tail = 0) => answered({ tail, cut: null });
const cut = (tail: number) => answered({ tail, cut: tail });
const removed = (count: number) => answered({ count });

interface Stage {
  readonly trimmer: EntryTrimmer;
  readonly confirmed: Confirmed;
  readonly asked: readonly Question[];
  readonly events: StoreEvent[];
  /** The connections that were closed. */
  readonly closed: () => number;
}

async function stage(t: TestContext, retention: Partial<Retention> | undefined, ...replies: readonly Reply[]): Promise<Stage> {
  const { log } = await kit.node(randomUUID(), { pulseMs: 600_000 });
  const link = await log.links.ready();
  const side = await link.side('test');
  t.after(() => side.close());
  const closing = t.mock.method(side, 'close', async () => {});
  t.mock.method(link, 'side', async () => side);
  const asked = scripted(t, side, ...replies);
  const confirmed = new Confirmed({ epoch: 'e', seq: 90, id: 'x' }, 0, { fence: 0, format: 1 }, 10_000, ENTRY_FORMATS);
  const events: StoreEvent[] = [];
  const trimmer = new EntryTrimmer({
    ...{ app: 'app', links: log.links, confirmed, retention, heldBytes: 1_234, now: () => NOW_MS },
    onEvent: (event) => events.push(event),
  });
  return { trimmer, confirmed, asked, events, closed: () => closing.mock.callCount() };
}

test('LG11 the database is asked with all limits: what has none is null, and time is in microseconds', pgOptions, async (t) => {
  const none = Number.POSITIVE_INFINITY;
  const unlimited = await stage(t, { facts: none, bytes: none, ageMs: none }, nothing(), removed(0));
  await unlimited.trimmer.trim(70);
  assert.deepEqual(unlimited.asked[0]?.values, ['app', 70, null, null, null, null, 1_234]);
  const limited = await stage(t, { facts: 3, bytes: 4, ageMs: 1_000 }, nothing(), removed(0), nothing(), removed(0));
  limited.trimmer.hold('a', 12);
  limited.trimmer.hold('b', 7);
  await limited.trimmer.trim(70);
  limited.trimmer.hold('b', undefined);
  await limited.trimmer.trim(71);
  assert.deepEqual(limited.asked[0]?.values, ['app', 70, 3, 4, Math.floor((NOW_MS - 1_000) * 1_000), 7, 1_234]);
  assert.deepEqual([limited.asked[2]?.values?.[1], limited.asked[2]?.values?.[5]], [71, 12]);
  const usual = await stage(t, undefined, nothing(), removed(0));
  await usual.trimmer.trim(1);
  const { facts, bytes } = DEFAULT_RETENTION;
  assert.deepEqual(
    usual.asked[0]?.values?.slice(2, 4),
    [facts, bytes].map((limit) => (Number.isFinite(limit) ? limit : null)),
  );
});

test('PL8 first the tail is set, then the rows go, 2,000 at a time; nobody is told where nothing went', pgOptions, async (t) => {
  const { trimmer, confirmed, asked, events, closed } = await stage(
    t,
    undefined,
    cut(50),
    removed(2_000),
    removed(2_000),
    removed(1_999),
    nothing(50),
    removed(0),
  );
  await trimmer.trim(50);
  assert.deepEqual([confirmed.tail, events, closed()], [50, [{ type: 'entries-removed', tail: 50 }], 1]);
  assert.deepEqual(
    asked.slice(1).map(({ values }) => values),
    Array(3).fill(['app', 50]),
  );
  await trimmer.trim(50);
  assert.deepEqual([asked.length, events.length], [6, 1], 'the rows that a crash left are looked for all the same');
});

test('LG12 who lost entries that it holds is named', pgOptions, async (t) => {
  const { trimmer, events } = await stage(t, undefined, cut(50), removed(9));
  for (const [name, after] of [
    ['before', 49],
    ['at', 50],
    ['later', 51],
    ['long before', 0],
  ] as const)
    trimmer.hold(name, after);
  await trimmer.trim(50);
  assert.deepEqual(events[1], { type: 'held-entries-removed', tail: 50, names: ['before', 'long before'] });
});

test('LG11 a removal that fails is told to its caller, keeps no connection, and the next one begins', pgOptions, async (t) => {
  const { trimmer, events, closed } = await stage(t, undefined, serverError('57014'), cut(3), removed(1));
  const failing = trimmer.trim(3);
  const next = trimmer.trim(3);
  await assert.rejects(failing, /refused/);
  await trimmer.idle();
  await next;
  assert.deepEqual([events.length, closed()], [1, 2]);
});
