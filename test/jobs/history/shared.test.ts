/** Lookups on a shared history, over a table that the test writes: HY3, HY5, HY7, HY8, HY10. Nodes on PostgreSQL: test/store/postgres/history.nodes.test.ts. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemClock } from '../../../daemon/base/clock.ts';
import { SharedHistory, type SharedHistoryOptions } from '../../../daemon/jobs/history/shared.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Command } from '../../../protocol/log/command.ts';
import type { HistoryTable, HistoryWriter, StoredHistoryPage, StoredHistoryQuestion } from '../../../store/history.ts';
import { LeaseLost } from '../../../store/leases.ts';
import { eventually, quickest } from '../../support/eventually.ts';

const NOW = 1_763_729_000_000;
const KEEP_MS = 24 * 3_600_000;
const RECORD = '{"event":"updated","from":{"source":"live","by":"bob"}}';

class Stage {
  /** What is stored; an error is what a lookup meets. */
  stored: StoredHistoryPage | Error | undefined;
  readonly asked: StoredHistoryQuestion[] = [];
  readonly logged: unknown[] = [];
  readonly history: SharedHistory;

  constructor(options: Partial<SharedHistoryOptions> = {}) {
    const table: HistoryTable = {
      page: async (question) => {
        this.asked.push(question);
        if (this.stored instanceof Error) throw this.stored;
        return this.stored;
      },
      writer: () => assert.fail('it does not hold the job'),
    };
    this.history = new SharedHistory({
      roster: { follow: () => assert.fail(), submit: () => assert.fail(), keptAfter: 0, position: { epoch: 'one', seq: 9 } },
      leases: { holder: 'one', take: async () => false, stamp: async () => false, release: async () => {} },
      ...{ table, keepMs: KEEP_MS, bytesMax: 1 << 20 },
      logger: { info: () => {}, error: (details, text) => void this.logged.push([text, 'user_id' in details && details.user_id]) },
      clock: { now: () => NOW, sleep: systemClock.sleep },
      ...options,
    });
  }

  hold(position: { epoch: string; seq: number }, changes: StoredHistoryPage['changes'] = [], from = 0): void {
    this.stored = { position, from, changes };
  }
}

const refusedAs = (text: string) => (error: unknown) =>
  error instanceof RosterError && error.kind === 'unavailable' && error.message.includes(text);

const changes = [
  { seq: 8, at: 80, record: RECORD },
  { seq: 5, at: 50, record: RECORD, gap: { seq: 6, at: 60 } },
  { seq: 3, at: 30, record: '{"event":"created","fields":["name"]}' },
];

test('HY3 HY10 a page has the items of what is stored, with gaps between them, and says where the next one begins', async () => {
  const stage = new Stage();
  stage.hold({ epoch: 'one', seq: 9 }, changes, (NOW - 1_000) * 1_000);
  const item = { event: 'updated', source: 'live', by: 'bob' };
  const items = [
    { seq: 8, at: 80, ...item },
    { seq: 6, at: 60, event: 'gap' },
    { seq: 5, at: 50, ...item },
    { seq: 3, at: 30, event: 'created', fields: ['name'] },
  ];
  const from = (NOW - 1_000) * 1_000;
  assert.deepEqual(await stage.history.page({ id: 'ann', limit: 4 }), { items, from });
  assert.deepEqual(await stage.history.page({ id: 'ann', limit: 3, before: 99 }), { items: items.slice(0, 3), from, next: 5 });
  const notBefore = (NOW - KEEP_MS) * 1_000;
  assert.deepEqual(stage.asked, [
    { id: 'ann', limit: 5, before: Number.MAX_SAFE_INTEGER, notBefore },
    { id: 'ann', limit: 4, before: 99, notBefore },
  ]);
  stage.hold({ epoch: 'one', seq: 9 }, changes, 0);
  assert.equal((await stage.history.page({ id: 'ann', limit: 4 })).from, notBefore, 'older changes are not shown');
});

/** Looks now, then lets so many milliseconds pass in steps. */
async function after(t: TestContext, stage: Stage, totalMs: number): Promise<() => string> {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  let outcome = 'waits';
  void stage.history.page({ id: 'ann', limit: 1 }).then(
    () => (outcome = 'found'),
    (error) => (outcome = String(error.message)),
  );
  for (; nowMs < totalMs; nowMs += 10) {
    await nextTurn();
    t.mock.timers.tick(10);
  }
  await nextTurn();
  return () => outcome;
}

const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => resolve());
  });

test('HY5 HY10 a lookup waits up to five seconds for its place in the same history, looking a few times', async (t) => {
  for (const [stored, outcome] of [
    [{ epoch: 'one', seq: 8 }, 'the history is behind the directory at the moment'],
    [{ epoch: 'two', seq: 99 }, 'the history is behind the directory at the moment'],
    [undefined, 'the history is behind the directory at the moment'],
  ] as const) {
    const stage = new Stage({ clock: { now: () => NOW, sleep } });
    if (stored !== undefined) stage.hold(stored);
    const early = await after(t, stage, 4_700);
    assert.equal(early(), 'waits');
    t.mock.timers.reset();
    t.mock.restoreAll();
    stage.asked.length = 0;
    const late = await after(t, stage, 5_100);
    assert.equal(late(), outcome);
    assert.ok(stage.asked.length > 20 && stage.asked.length < 40, `${stage.asked.length} looks`);
    t.mock.timers.reset();
    t.mock.restoreAll();
  }
  const stage = new Stage();
  const found = stage.history.page({ id: 'ann', limit: 1 });
  await nextTurn();
  stage.hold({ epoch: 'one', seq: 9 }, changes);
  assert.equal((await found).items[0]?.seq, 8);
});

test('HY7 a lookup that meets an error looks again, and is refused when that does not help, or when what it finds is damaged', async (t) => {
  const stage = new Stage();
  stage.stored = new Error('the connection was lost');
  const found = stage.history.page({ id: 'ann', limit: 1 });
  await nextTurn();
  stage.hold({ epoch: 'one', seq: 9 }, changes);
  assert.equal((await found).items[0]?.seq, 8);
  assert.deepEqual(stage.logged, []);
  stage.hold({ epoch: 'one', seq: 9 }, [{ seq: 8, at: 80, record: '{"event":' }]);
  await assert.rejects(stage.history.page({ id: 'ann', limit: 1 }), refusedAs('the history cannot be read at the moment'));
  assert.deepEqual(stage.logged, [['the history of a user could not be read', 'ann']]);
  const away = new Stage({ clock: { now: () => NOW, sleep } });
  away.stored = new Error('the connection was lost');
  assert.equal((await after(t, away, 5_100))(), 'the history cannot be read at the moment');
});

test('HY5 a stop ends a lookup that waits', async () => {
  const tookMs = await quickest(async () => {
    const stage = new Stage();
    stage.history.start();
    const waiting = assert.rejects(stage.history.page({ id: 'ann', limit: 1 }), refusedAs('behind the directory'));
    await nextTurn();
    await stage.history.stop();
    await waiting;
  });
  assert.ok(tookMs < 4_500, `${tookMs} ms`);
});

test('HY8 kept for no time there is no history, whatever is stored', async () => {
  const stage = new Stage({ keepMs: 0 });
  stage.hold({ epoch: 'one', seq: 9 }, changes);
  await assert.rejects(stage.history.page({ id: 'ann', limit: 1 }), /no history of users is kept \(history\.keep_h is 0\)/);
  assert.deepEqual(stage.asked, []);
});

/** A history of which this node holds the job; `remove` is what becomes of removing everything. */
function holding(remove: () => Promise<void>) {
  const done: string[] = [];
  const logged: string[] = [];
  const writer: HistoryWriter = {
    ...{ position: () => assert.fail(), begin: () => assert.fail(), record: () => assert.fail(), tidy: () => assert.fail() },
    remove: async () => {
      done.push('remove');
      await remove();
    },
    close: async () => void done.push('close'),
  };
  const submit = async (command: Command) => {
    assert.equal(command.kind, 'lease');
    return {
      users: [],
      warnings: [],
      seq: 1,
      docs: [{ kind: 'lease', id: 'history', doc: { id: 'history', holder: 'one', token: 7 } }] as const,
    };
  };
  const history = new SharedHistory({
    roster: { follow: () => assert.fail('nothing is recorded'), submit, keptAfter: 0, position: { epoch: 'one', seq: 9 } },
    leases: { holder: 'one', take: async () => true, stamp: async () => true, release: async () => void done.push('release') },
    table: { page: () => assert.fail(), writer: (token) => (token === 7 ? writer : assert.fail('the token of the lease')) },
    ...{ keepMs: 0, bytesMax: 1, clock: { now: () => NOW, sleep: (_ms: number, signal?: AbortSignal) => systemClock.sleep(1, signal) } },
    logger: { info: () => {}, error: (_, text) => void logged.push(text) },
  });
  return { history, done, logged };
}

test('HY8 kept for no time, what is stored is removed once, and the job is kept, so that nobody else looks', async () => {
  const { history, done, logged } = holding(async () => {});
  history.start();
  await eventually(() => done.length >= 2);
  for (let turn = 0; turn < 200; turn++) await nextTurn();
  assert.deepEqual(done, ['remove', 'close']);
  await history.stop();
  assert.deepEqual([done, logged], [['remove', 'close', 'release'], []]);
});

test('HY8 JB11 a removal that fails is tried again, and told, unless another node has the job now', async () => {
  let count = 0;
  const { history, done, logged } = holding(async () => {
    if (++count === 1) throw new Error('away');
    if (count === 2) throw new LeaseLost('history');
  });
  history.start();
  await eventually(() => count >= 2 && done.at(-1) === 'close');
  await history.stop();
  assert.deepEqual(logged, ['a job could not be done; it is tried again']);
  assert.deepEqual(done.slice(0, 5), ['remove', 'close', 'release', 'remove', 'close']);
});
