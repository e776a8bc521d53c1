/** PL2, PL3, LG5: what becomes of an append for each answer of the server. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import { encodePayload } from '../../../../store/journal/record.ts';
import { type AppendResult, LogClosed, LogEpochChanged, LogUnavailable } from '../../../../store/log.ts';
import type { ServerLink } from '../../../../store/postgres/link/link.ts';
import { pendingBytes } from '../../../../store/postgres/log/append-group.ts';
import { Appender } from '../../../../store/postgres/log/appender.ts';
import { Confirmed } from '../../../../store/postgres/log/confirmed.ts';
import { ENTRY_FORMATS } from '../../../../store/postgres/log/formats.ts';
import { WriterTurns } from '../../../../store/postgres/log/turns.ts';
import { answered, scripted, serverError, warned } from '../../../support/nodes/scripted.ts';
import { draft } from '../../../support/store/entries.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

beforeEach(() => kit.closeNodes());

const EPOCH = 'e';
const APPENDED = { status: 'appended' };
const conflict = (seq: number, fence = 0, epoch = EPOCH) => ({ status: 'conflict', epoch, seq, fence, payload: null });
const fenced = (seq: number, isStored: boolean, { fence = 1, tail = 0, epoch = EPOCH } = {}) => ({
  ...{ epoch, seq, fence, tail, is_stored: isStored },
});

interface Stage {
  readonly appender: Appender;
  readonly confirmed: Confirmed;
  readonly link: ServerLink;
  /** What the appender did besides, in order. */
  readonly done: string[];
}

/** An appender on the link of a real log, which the test answers for. It knows an empty log. */
async function stage(t: TestContext, options: { deadlineMs?: number; pendingBytes?: number } = {}): Promise<Stage> {
  const app = randomUUID();
  const { log } = await kit.node(app, { pulseMs: 600_000 });
  const link = await log.links.ready();
  const confirmed = new Confirmed({ epoch: EPOCH, seq: 0, id: undefined }, 0, { fence: 0, format: 1 }, 10_000, ENTRY_FORMATS);
  const done: string[] = [];
  t.mock.method(link, 'giveUp', (error: Error) => void done.push(`gave up: ${error.message}`));
  const common = { app, links: log.links, confirmed, deadlineMs: options.deadlineMs ?? 60_000, reason: () => 'the reason' };
  const turns = new WriterTurns({ ...common, reach: async () => {}, idle: async () => {}, settled: async () => {} });
  const appender = new Appender({
    ...{ ...common, turns, groupBytes: 1_000, pendingBytes: options.pendingBytes ?? 10_000 },
    onAppended: (of) => void done.push(of === link ? 'appended' : 'appended elsewhere'),
    onAhead: () => void done.push('ahead'),
    onFatal: (error) => void done.push(`fatal: ${error.epoch}`),
  });
  return { appender, confirmed, link, done };
}

/** Lasts until the test ends it. */
function holding(): { readonly over: Promise<void>; readonly end: () => void } {
  let end = (): void => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { over, end: () => end() };
}

const statusOf = ({ status }: AppendResult): string => status;
const isRefused =
  (outcome: 'not-written' | 'unknown', text: RegExp) =>
  (error: unknown): boolean =>
    error instanceof LogUnavailable && error.outcome === outcome && text.test(error.message);

test('PL2 a call names epoch, head and fence; its entries are confirmed with the clean answer', pgOptions, async (t) => {
  const { appender, confirmed, link, done } = await stage(t);
  confirmed.fence = 7;
  const asked = scripted(t, link.writer, answered(APPENDED), answered(APPENDED));
  const both = [appender.append(0, draft('a', { facts: 2 })), appender.append(2, draft('b'))];
  assert.equal(appender.promised, 3);
  assert.deepEqual((await Promise.all(both)).map(statusOf), ['appended', 'appended']);
  assert.equal(asked.length, 1, 'they share a call');
  assert.deepEqual(asked[0]?.values?.slice(1, 5), [EPOCH, 0, 7, [2, 3]]);
  assert.deepEqual([confirmed.end, confirmed.recent(0)?.id, done], [{ epoch: EPOCH, seq: 3, id: 'b' }, 'a', ['appended']]);
  assert.deepEqual(await appender.append(0, draft('late')), { status: 'conflict', head: 3 });
  assert.equal(statusOf(await appender.append(3, draft('c'))), 'appended');
  assert.equal(appender.promised, 4);
});

test('LG5 an entry that the database refuses is not written and not asked again, nor is what waits behind it', pgOptions, async (t) => {
  const { appender, link, done } = await stage(t);
  const held = holding();
  const asked = scripted(
    t,
    link.writer,
    async () => {
      await held.over;
      throw serverError('53100', 'no space left');
    },
    answered(APPENDED),
  );
  const refused = appender.append(0, draft('a'));
  while (asked.length === 0) await nextTurn();
  assert.equal(appender.promised, 1, 'the one on its way counts');
  const behind = appender.append(1, draft('b'));
  held.end();
  await Promise.all([
    assert.rejects(refused, isRefused('not-written', /^the database refused the entry: no space left$/)),
    assert.rejects(behind, isRefused('not-written', /^the append before this one failed$/)),
  ]);
  assert.deepEqual([asked.length, done, appender.promised], [1, [], 0]);
  assert.equal(statusOf(await appender.append(0, draft('c'))), 'appended');
});

test('PL3 an error that does not come from the server gives the link up; then the outcome is found out', pgOptions, async (t) => {
  const { appender, confirmed, link, done } = await stage(t);
  const asked = scripted(
    t,
    link.writer,
    new Error('cut'),
    new Error('cut again'),
    serverError('57P01'),
    warned(fenced(1, true)),
    answered(fenced(1, true, { fence: 9 })),
  );
  assert.equal(statusOf(await appender.append(0, draft('a'))), 'appended');
  assert.deepEqual(
    asked.map(({ name }) => name),
    ['rosterd-append', ...Array(4).fill('rosterd-fence')],
  );
  assert.deepEqual(asked[1]?.values?.slice(1), [1, 'a']);
  assert.deepEqual(done, ['gave up: cut', 'gave up: cut again', 'appended']);
  assert.deepEqual([confirmed.fence, confirmed.end.seq], [9, 1]);
});

test('PL3 a shutdown, a lost connection and a warning leave the outcome open, and the link is kept', pgOptions, async (t) => {
  const { appender, link, done } = await stage(t);
  let isLost = false;
  t.mock.getter(link.writer, 'isLost', () => isLost);
  const asked = scripted(
    t,
    link.writer,
    ...[serverError('57P01'), answered(fenced(0, false)), warned(APPENDED), answered(fenced(0, false, { fence: 5 }))],
    async () => {
      isLost = true;
      throw serverError('53100');
    },
    answered(fenced(0, false, { fence: 6 })),
    answered(APPENDED),
  );
  assert.equal(statusOf(await appender.append(0, draft('a'))), 'appended');
  const sent = asked.filter(({ name }) => name === 'rosterd-append').map(({ values }) => values?.[3]);
  assert.deepEqual([sent, asked.length, done], [[0, 1, 5, 6], 7, ['appended']], 'sent again only under the raised fence');
});

test('PL3 what is found out may be a conflict, another history, or no longer there to be found', pgOptions, async (t) => {
  const { appender, confirmed, link, done } = await stage(t);
  scripted(
    t,
    link.writer,
    ...[new Error('1'), answered(fenced(4, false, { fence: 8 }))],
    ...[new Error('2'), answered(fenced(9, false, { tail: 1 }))],
    ...[new Error('3'), answered(fenced(9, false, { tail: 0 }))],
    ...[new Error('4'), answered(fenced(0, false, { epoch: 'other' }))],
  );
  assert.deepEqual(await appender.append(0, draft('a')), { status: 'conflict', head: 4 });
  assert.equal(confirmed.fence, 8);
  await assert.rejects(appender.append(0, draft('b')), isRefused('unknown', /has been removed by retention/));
  assert.deepEqual(await appender.append(0, draft('c')), { status: 'conflict', head: 9 });
  await assert.rejects(appender.append(0, draft('d')), (error) => error instanceof LogEpochChanged && error.epoch === 'other');
  assert.deepEqual(done, ['gave up: 1', 'ahead', 'gave up: 2', 'gave up: 3', 'ahead', 'gave up: 4', 'fatal: other']);
});

test(
  'PL2 PL3 a conflict: only another fence is tried again, a shorter log gives the link up, another epoch ends all',
  pgOptions,
  async (t) => {
    const { appender, confirmed, link, done } = await stage(t);
    const rival = draft('rival');
    const row = { last: 1, first: 1, version: ENTRY_FORMATS.newest, crc: 0, payload: encodePayload(rival) };
    const { crc32 } = await import('node:zlib');
    const asked = scripted(
      t,
      link.writer,
      ...[answered(conflict(0, 3)), answered({ ...conflict(1, 4), ...row, crc: crc32(row.payload) })],
      ...[answered(conflict(0, 5)), answered(APPENDED), answered(conflict(2, 0, 'other'))],
    );
    const both = [appender.append(0, draft('a')), appender.append(1, draft('b'))];
    const [first, second] = await Promise.allSettled(both);
    assert.deepEqual(first, { status: 'fulfilled', value: { status: 'conflict', head: 1 } });
    assert.ok(second?.status === 'rejected' && isRefused('not-written', /the append before/)(second.reason));
    assert.deepEqual([asked[1]?.values?.[3], confirmed.fence, confirmed.recent(0)], [3, 4, undefined]);
    confirmed.raise(1, 'rival');
    assert.equal(confirmed.recent(0)?.id, 'rival', 'the conflict brought it along');
    assert.equal(statusOf(await appender.append(1, draft('c'))), 'appended');
    assert.deepEqual(done, ['ahead', 'gave up: the log ends at 0, and 1 was confirmed', 'appended']);
    await assert.rejects(appender.append(2, draft('d')), LogEpochChanged);
    assert.equal(done.at(-1), 'fatal: other');
  },
);

test('LG1 LG5 no facts, too many bytes of one, or of all that wait: each is refused at once', pgOptions, async (t) => {
  const bytes = pendingBytes(encodePayload(draft('a')));
  const { appender, link } = await stage(t, { pendingBytes: 2 * bytes });
  scripted(t, link.writer, answered(APPENDED), answered(APPENDED));
  await assert.rejects(appender.append(0, { ...draft('a'), facts: [] }), TypeError);
  await assert.rejects(appender.append(0, draft('a', { bytes: LIMITS.entryBytes })), RangeError);
  const two = [appender.append(0, draft('a')), appender.append(1, draft('b'))];
  const third = appender.append(2, draft('c'));
  await assert.rejects(third, isRefused('not-written', /^too many appends are waiting for the database$/));
  await Promise.all(two);
  const next = [appender.append(2, draft('c')), appender.append(3, draft('d'))];
  assert.deepEqual((await Promise.all(next)).map(statusOf), ['appended', 'appended'], 'what is stored takes no room');
});

test(
  'LG5 at its deadline, what was sent is unknown and what waits is not written; nothing else is sent before it is found out',
  pgOptions,
  async (t) => {
    const { appender, confirmed, link, done } = await stage(t, { deadlineMs: 50 });
    const held = holding();
    const late = async () => {
      await held.over;
      return answered(APPENDED);
    };
    const asked = scripted(t, link.writer, late, answered(APPENDED));
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const sent = assert.rejects(appender.append(0, draft('a')), isRefused('unknown', /^the reason$/));
    while (asked.length === 0) await nextTurn();
    const waiting = assert.rejects(appender.append(1, draft('b')), isRefused('not-written', /^the reason$/));
    t.mock.timers.tick(50);
    await Promise.all([sent, waiting]);
    await appender.idle();
    assert.equal(appender.promised, 0, 'nobody may build on what is unknown');
    const next = assert.rejects(appender.append(0, draft('c')), isRefused('not-written', /^the reason$/));
    t.mock.timers.tick(50);
    await next;
    assert.equal(asked.length, 1);
    held.end();
    await appender.settled();
    assert.deepEqual([confirmed.end.id, done], ['a', ['appended']], 'it was stored, and is known now');
    assert.equal(statusOf(await appender.append(1, draft('d'))), 'appended');
  },
);

test('LG5 an append that was answered at its deadline is not sent again', pgOptions, async (t) => {
  const { appender, link, done } = await stage(t, { deadlineMs: 30 });
  const held = holding();
  const late = async () => {
    await held.over;
    throw serverError('57P01');
  };
  const asked = scripted(t, link.writer, late, answered(fenced(0, false)), answered(APPENDED));
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sent = assert.rejects(appender.append(0, draft('a')), isRefused('unknown', /the reason/));
  while (asked.length === 0) await nextTurn();
  t.mock.timers.tick(30);
  await sent;
  held.end();
  await appender.settled();
  assert.deepEqual([asked.map(({ name }) => name), done], [['rosterd-append', 'rosterd-fence'], []]);
});

test('LG10 a close lets end what was accepted; a lost history ends it at once, and the first reason stays', pgOptions, async (t) => {
  const closing = await stage(t);
  scripted(t, closing.link.writer, answered(APPENDED));
  const accepted = closing.appender.append(0, draft('a'));
  closing.appender.end(new LogClosed());
  closing.appender.end(new LogEpochChanged('x', 'later'));
  await assert.rejects(closing.appender.append(1, draft('b')), LogClosed);
  await accepted.catch((error: unknown) => assert.ok(error instanceof LogEpochChanged));
  const failing = await stage(t);
  const held = holding();
  const asked = scripted(t, failing.link.writer, async () => {
    await held.over;
    return answered(APPENDED);
  });
  const sent = failing.appender.append(0, draft('a'));
  while (asked.length === 0) await nextTurn();
  const waiting = failing.appender.append(1, draft('b'));
  failing.appender.end(new LogEpochChanged('x', 'gone'));
  for (const one of [sent, waiting, failing.appender.append(2, draft('c'))]) await assert.rejects(one, LogEpochChanged);
  await failing.appender.idle();
  held.end();
  await failing.appender.settled();
});
