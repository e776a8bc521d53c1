/** The history of users as rows, with two processes that write: HY1, HY3, HY4, HY8, HY9. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { HistoryBatch, HistoryWriter, StoredHistoryPage } from '../../../store/history.ts';
import { LeaseLost } from '../../../store/leases.ts';
import { PostgresHistory } from '../../../store/postgres/history.ts';
import { PostgresLeases } from '../../../store/postgres/leases.ts';
import { eventually } from '../../support/eventually.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import type { PgProxy } from '../../support/store/pg-proxy.ts';

const kit = PgKit.ofProcess();
const RECORD = 'rosterd-record-history';
const START = 1_763_729_000_000_000;
const EPOCH = 'one';

const timeOf = (seq: number): number => START + seq * 1_000;

interface Hand {
  readonly app: string;
  readonly proxy: PgProxy;
  readonly history: PostgresHistory;
  readonly writer: HistoryWriter;
  /** Takes the job again. */
  again(): Promise<HistoryWriter>;
  /** The work of `writer` should end. */
  end(): void;
}

/** A process that holds the job with the token 1, over a history that ends at 0. */
async function hand(t: TestContext): Promise<Hand> {
  const app = randomUUID();
  // The log must not notice that a test moves its head.
  const { log, proxy } = await kit.node(app, { pulseMs: 600_000 });
  const history = new PostgresHistory(app, log.links);
  const leases = new PostgresLeases(app, log.links, 'node');
  const writers: HistoryWriter[] = [];
  const ending = new AbortController();
  let token = 0;
  const again = async (): Promise<HistoryWriter> => {
    assert.ok((await leases.take('history')) && (await leases.stamp('history', ++token)));
    const writer = history.writer(token, ending.signal);
    writers.push(writer);
    return writer;
  };
  t.after(async () => {
    for (const writer of writers) await writer.close();
    await Promise.all([history.close(), leases.close()]);
  });
  const writer = await again();
  await writer.begin({ epoch: EPOCH, after: 0, time: START });
  return { app, proxy, history, writer, again, end: () => ending.abort() };
}

/** Another node takes the job over. */
async function rival(t: TestContext, { app }: Hand): Promise<HistoryWriter> {
  const { log } = await kit.node(app);
  const leases = new PostgresLeases(app, log.links, 'node');
  const history = new PostgresHistory(app, log.links);
  await kit.postgres.sql(`update rosterd.lease set until = '-infinity' where app = '${app}'`);
  assert.ok((await leases.take('history')) && (await leases.stamp('history', 1_000)));
  const writer = history.writer(1_000, new AbortController().signal);
  t.after(() => Promise.all([writer.close(), leases.close(), history.close()]));
  return writer;
}

/** Changes after `from`, one for each id; `-` is a position without a change. */
function batch(from: number, ids: readonly string[], atOf = timeOf): HistoryBatch {
  const changes = ids.map((id, index) => ({ id, seq: from + index + 1 })).filter(({ id }) => id !== '-');
  const records = changes.map(({ seq }) => Buffer.from(`record ${seq} é`));
  return {
    ...{ from: { epoch: EPOCH, seq: from }, seq: from + ids.length },
    ...{ users: changes.map(({ id }) => id), seqs: changes.map(({ seq }) => seq), times: changes.map(({ seq }) => atOf(seq)) },
    ...{ records: Buffer.concat(records), lengths: records.map(({ length }) => length) },
  };
}

const many = (count: number, id = 'ann'): readonly string[] => Array.from({ length: count }, () => id);

async function pageOf({ history }: Hand, id = 'ann', more: { limit?: number; before?: number; notBefore?: number } = {}) {
  const page = await history.page({ id, limit: 100_000, before: Number.MAX_SAFE_INTEGER, notBefore: 0, ...more });
  assert.ok(page !== undefined);
  return page;
}

const seqs = ({ changes }: StoredHistoryPage): readonly (number | string)[] =>
  changes.flatMap(({ seq, gap }) => (gap === undefined ? [seq] : [`gap ${gap.seq}`, seq]));

/** The rows and the counted bytes agree with each other. */
async function assertCounted({ app }: Hand): Promise<void> {
  const sum = `select coalesce(sum(rosterd.history_bytes(app, user_id, octet_length(record))), 0) from rosterd.history where app = '${app}'`;
  const counted = await kit.postgres.sql(`select bytes = (${sum}) from rosterd.history_position where app = '${app}'`);
  assert.equal(counted, 't\n');
}

test(
  'HY1 a page holds the changes of one user of one application, newest first, below the place and from the time that it names',
  pgOptions,
  async (t) => {
    const one = await hand(t);
    const other = await hand(t);
    await one.writer.record(batch(0, ['ann', 'bob', 'null', 'ann', '-', 'ann@x', 'ann']));
    await other.writer.record(batch(0, ['bob', 'ann']));
    assert.deepEqual(await pageOf(one), {
      position: { epoch: EPOCH, seq: 7 },
      from: START,
      changes: [7, 4, 1].map((seq) => ({ seq, at: timeOf(seq), record: `record ${seq} é` })),
    });
    assert.deepEqual(seqs(await pageOf(other)), [2]);
    assert.deepEqual(seqs(await pageOf(one, 'null')), [3]);
    assert.deepEqual(seqs(await pageOf(one, 'ann', { limit: 2 })), [7, 4]);
    assert.deepEqual(seqs(await pageOf(one, 'ann', { before: 7 })), [4, 1]);
    assert.deepEqual(seqs(await pageOf(one, 'ann', { notBefore: timeOf(4) })), [7, 4]);
    assert.deepEqual(seqs(await pageOf(one, 'ann', { notBefore: timeOf(4) + 0.5 })), [7]);
    assert.deepEqual(seqs(await pageOf(one, 'nobody')), []);
    const nowhere = new PostgresHistory(randomUUID(), (await kit.node()).log.links);
    t.after(() => nowhere.close());
    assert.equal(await nowhere.page({ id: 'ann', limit: 1, before: 1, notBefore: 0 }), undefined);
  },
);

test('HY9 changes and their position are stored together, once, and only after the position that they follow', pgOptions, async (t) => {
  const one = await hand(t);
  await one.writer.record(batch(0, ['ann', 'bob']));
  for (const wrong of [batch(0, ['ann', 'bob']), batch(0, ['ann', 'bob', 'ann']), batch(1, ['ann', 'ann']), batch(3, ['ann'])]) {
    await assert.rejects(one.writer.record(wrong), /the history of users is not at \d in epoch one/);
  }
  await assert.rejects(one.writer.record({ ...batch(2, ['ann']), from: { epoch: 'two', seq: 2 } }), /is not at 2 in epoch two/);
  // A row that is there already: nothing of the batch is stored, nor is its position.
  await assert.rejects(one.writer.record({ ...batch(2, ['bob', 'bob', 'bob']), seqs: [3, 4, 2] }), /duplicate key/);
  assert.deepEqual(await one.writer.position(), { epoch: EPOCH, seq: 2 });
  await one.writer.record(batch(2, ['-', '-']));
  assert.deepEqual(await one.writer.position(), { epoch: EPOCH, seq: 4 });
  await one.writer.record(batch(4, ['ann']));
  assert.deepEqual(seqs(await pageOf(one)), [5, 1]);
  await assertCounted(one);
});

test('HY9 a node that lost the job without noticing writes nothing more, and removes nothing', pgOptions, async (t) => {
  const one = await hand(t);
  await one.writer.record(batch(0, ['ann', 'ann']));
  const next = await rival(t, one);
  assert.deepEqual(await next.position(), { epoch: EPOCH, seq: 2 });
  const limits = { now: timeOf(100), notBefore: timeOf(100), bytesMax: 0 };
  const isLost = (error: unknown): boolean =>
    error instanceof LeaseLost && /another process does the job "history" now/.test(error.message);
  await assert.rejects(one.writer.record(batch(2, ['ann'])), isLost);
  await assert.rejects(one.writer.begin({ epoch: 'two', after: 0, time: START }), isLost);
  await assert.rejects(one.writer.tidy(limits), isLost);
  await assert.rejects(one.writer.remove(), isLost);
  await next.record(batch(2, ['ann']));
  assert.deepEqual(seqs(await pageOf(one)), [3, 2, 1]);
});

test('HY9 a write that arrives after another node took over is refused', pgOptions, async (t) => {
  const one = await hand(t);
  let arrive = async (): Promise<void> => {};
  const isOnItsWay = new Promise<void>((resolve) => {
    one.proxy.once(RECORD, async (exchange) => {
      arrive = async () => {
        assert.match((await exchange.forward()).toString('latin1'), /RS002/);
        exchange.cut();
      };
      exchange.cutClient();
      resolve();
    });
  });
  const lost = assert.rejects(one.writer.record(batch(0, ['ann', 'bob'])));
  await isOnItsWay;
  await lost;
  const two = await rival(t, one);
  await arrive();
  await two.record(batch(0, ['ann', 'bob', 'ann']));
  assert.deepEqual(seqs(await pageOf(one)), [3, 1]);
  await assertCounted(one);
});

test('HY9 whoever takes over in the middle of a write finds all of it or nothing', pgOptions, async (t) => {
  const one = await hand(t);
  // The write is under way in the server: another transaction keeps the row that it needs.
  const blocker = kit.postgres.sql(
    `begin; select from rosterd.history_position where app = '${one.app}' for update; select pg_sleep(1); commit`,
  );
  await eventually(async () => (await waitingFor('Timeout')) > 0);
  const writing = one.writer.record(batch(0, ['ann', 'bob']));
  await eventually(async () => (await waitingFor('Lock')) > 0);
  const two = await rival(t, one);
  await blocker;
  await writing;
  assert.deepEqual(await two.position(), { epoch: EPOCH, seq: 2 }, 'the new token had to wait for it');
  await two.record(batch(2, ['ann']));
  assert.deepEqual(seqs(await pageOf(one)), [3, 1]);
});

const waitingFor = async (type: string): Promise<number> =>
  Number(await kit.postgres.sql(`select count(*) from pg_stat_activity where wait_event_type = '${type}' and datname = 'postgres'`));

test('HY9 when the answer is lost, the next writer finds out what was stored', pgOptions, async (t) => {
  const one = await hand(t);
  let from = 0;
  for (const isStored of [true, false, true]) {
    const writer = await one.again();
    one.proxy.once(RECORD, async (exchange) => {
      if (isStored) await exchange.forward();
      exchange.cut();
    });
    await assert.rejects(writer.record(batch(from, ['ann', 'bob'])));
    const next = await one.again();
    const position = await next.position();
    assert.deepEqual(position, { epoch: EPOCH, seq: isStored ? from + 2 : from });
    await next.record(batch(position?.seq ?? 0, ['ann']));
    from = (position?.seq ?? 0) + 1;
  }
  assert.deepEqual(seqs(await pageOf(one)), [7, 5, 4, 3, 1]);
  await assertCounted(one);
});

test('HY9 a commit that the standby may not have is no success', pgOptions, async (t) => {
  const one = await hand(t);
  const fields = Buffer.from('SWARNING\0Mcanceling wait for synchronous replication\0\0');
  const length = Buffer.alloc(4);
  length.writeInt32BE(fields.length + 4);
  one.proxy.once(RECORD, async (exchange) => exchange.answer(Buffer.concat([Buffer.from('N'), length, fields, await exchange.forward()])));
  await assert.rejects(one.writer.record(batch(0, ['ann'])), /stored, but not on the standby/);
});

test('HY9 a writer whose work should have ended is not kept by a server that does not answer', pgOptions, async (t) => {
  const one = await hand(t);
  one.proxy.isSilent = true;
  const writing = assert.rejects(one.writer.record(batch(0, ['ann'])), /PostgreSQL does not answer/);
  await delay(100);
  const startMs = performance.now();
  one.end();
  await writing;
  const ms = performance.now() - startMs;
  assert.ok(ms > 900 && ms < 30_000, `${ms} ms`);
  await assert.rejects(one.writer.tidy({ now: 0, notBefore: 0, bytesMax: 1 }), /the work of this writer has ended/);
  await one.writer.close();
  one.proxy.isSilent = false;
});

test(
  'HY3 a history that begins later has a gap, and says from when it is complete; one that begins earlier loses what was undone',
  pgOptions,
  async (t) => {
    const one = await hand(t);
    await one.writer.record(batch(0, ['ann', 'bob', 'ann']));
    await one.writer.begin({ epoch: EPOCH, after: 3, time: timeOf(3) });
    assert.deepEqual([seqs(await pageOf(one)), (await pageOf(one)).from], [[3, 1], START], 'nothing is missing');
    await one.writer.begin({ epoch: EPOCH, after: 5, time: timeOf(6) });
    await one.writer.record(batch(5, ['ann', 'bob', 'ann']));
    await one.writer.begin({ epoch: EPOCH, after: 10, time: timeOf(11) });
    await one.writer.begin({ epoch: EPOCH, after: 12, time: timeOf(13) });
    await one.writer.record(batch(12, ['ann']));
    const page = await pageOf(one);
    assert.deepEqual(seqs(page), [13, 'gap 10', 8, 6, 'gap 5', 3, 1], 'one item where changes are missing twice');
    assert.equal(page.from, timeOf(13));
    assert.deepEqual(page.changes.find(({ gap }) => gap?.seq === 5)?.gap, { seq: 5, at: timeOf(6) });
    assert.deepEqual(seqs(await pageOf(one, 'ann', { before: 6 })), ['gap 5', 3, 1]);
    assert.deepEqual(seqs(await pageOf(one, 'ann', { before: 5 })), [3, 1], 'a page that begins there has it no more');
    // Another history, which goes on in the middle of the first stretch: what came after that place never happened, gaps too.
    await one.writer.begin({ epoch: 'two', after: 2, time: timeOf(20) });
    assert.deepEqual(await one.writer.position(), { epoch: 'two', seq: 2 });
    assert.deepEqual(seqs(await pageOf(one)), [1]);
    await assertCounted(one);
  },
);

test('HY3 undone changes go in parts; a writer that ends in between leaves a history that ends at its position', pgOptions, async (t) => {
  const one = await hand(t);
  await one.writer.record(batch(0, many(12_000)));
  const parts: number[] = [];
  for (let isDone = false; !isDone; ) {
    const answer = await kit.postgres.sql(`select rosterd.begin_history('${one.app}', 1, 'two', 500, 0)`);
    isDone = answer === 't\n';
    const { position, changes } = await pageOf(one);
    assert.equal(changes[0]?.seq, position.seq, 'the rows end at the position');
    assert.equal(position.epoch, isDone ? 'two' : EPOCH);
    parts.push(position.seq);
    await assertCounted(one);
  }
  assert.deepEqual(parts, [7_000, 2_000, 500]);
});

test('HY3 a log that was put back behind the history takes what it lost from the history too', pgOptions, async (t) => {
  const one = await hand(t);
  await kit.postgres.sql(`update rosterd.head set epoch = '${EPOCH}', seq = 4 where app = '${one.app}'`);
  await one.writer.record(batch(0, ['ann', 'ann', 'ann', 'ann']));
  assert.deepEqual(await one.writer.position(), { epoch: EPOCH, seq: 4 });
  await one.writer.record(batch(4, ['ann', 'ann']));
  assert.equal(await one.history.page({ id: 'ann', limit: 1, before: 9, notBefore: 0 }), undefined, 'until then nothing is shown');
  assert.deepEqual(await one.writer.position(), { epoch: EPOCH, seq: 4 });
  assert.deepEqual(seqs(await pageOf(one)), [4, 3, 2, 1]);
});

test('HY4 what is too old goes, in parts, and the history says from when it is complete', pgOptions, async (t) => {
  const one = await hand(t);
  for (let from = 0; from < 12_000; from += 4_000) await one.writer.record(batch(from, many(4_000)));
  const now = timeOf(12_000);
  await one.writer.tidy({ now, notBefore: START, bytesMax: 1e9 });
  assert.equal((await pageOf(one)).changes.length, 12_000);
  await one.writer.tidy({ now, notBefore: timeOf(11_001), bytesMax: 1e9 });
  const page = await pageOf(one);
  assert.deepEqual([page.changes.length, page.changes.at(-1)?.seq], [1_000, 11_001]);
  assert.equal(page.from, timeOf(11_000) + 1);
  await assertCounted(one);
  await one.writer.tidy({ now: timeOf(1e6), notBefore: timeOf(1e6), bytesMax: 1e9 });
  assert.deepEqual((await pageOf(one)).changes, []);
  assert.deepEqual(await one.writer.position(), { epoch: EPOCH, seq: 12_000 }, 'the position stays');
  await assertCounted(one);
});

test('HY4 beyond its bytes the oldest changes go, no more than must', pgOptions, async (t) => {
  const one = await hand(t);
  let bytes = 0;
  for (let from = 0; from < 12_000; from += 4_000) bytes = await one.writer.record(batch(from, many(4_000)));
  const bytesMax = Math.floor(bytes / 10);
  await one.writer.tidy({ now: timeOf(12_000), notBefore: 0, bytesMax });
  const page = await pageOf(one);
  const used = await one.writer.record(batch(12_000, ['-']));
  assert.ok(used <= bytesMax && used > bytesMax - 250, `${used} of ${bytesMax}`);
  const oldest = page.changes.at(-1)?.seq ?? 0;
  assert.equal(page.changes.length, 12_000 - oldest + 1);
  assert.equal(page.from, timeOf(oldest - 1) + 1);
  await assertCounted(one);
});

test('HY4 a clock that once stood ahead, or back, keeps nothing for long and takes nothing along', pgOptions, async (t) => {
  const one = await hand(t);
  const now = timeOf(50);
  const year = 365 * 24 * 3_600_000_000;
  // 1 and 2 are from the future, 6 is from the past.
  const atOf = (seq: number): number => timeOf(seq) + (seq <= 2 ? year : seq === 6 ? -year : 0);
  await one.writer.record(batch(0, many(8), atOf));
  await one.writer.tidy({ now, notBefore: START - 1, bytesMax: 1e9 });
  assert.deepEqual(seqs(await pageOf(one)), [8, 7, 5, 4, 3], 'those from the future go with the one that is too old');
  assert.ok((await pageOf(one)).from <= now);
  // Nothing but such changes in the first part looked at.
  const two = await hand(t);
  await two.writer.record(batch(0, many(6_000), (seq) => timeOf(seq) + (seq <= 5_000 ? year : 0)));
  await two.writer.tidy({ now: timeOf(7_000), notBefore: timeOf(6_001), bytesMax: 1e9 });
  assert.deepEqual((await pageOf(two)).changes.length, 5_000, 'those after it are not held up');
  await assertCounted(two);
});

test('HY8 a history that is no longer kept is removed, and that of another application is not', pgOptions, async (t) => {
  const [one, other] = [await hand(t), await hand(t)];
  await one.writer.record(batch(0, many(6_000)));
  await other.writer.record(batch(0, many(3)));
  await one.writer.remove();
  const left = (table: string): Promise<string> => kit.postgres.sql(`select count(*) from rosterd.${table} where app = '${one.app}'`);
  assert.deepEqual([await left('history'), await left('history_position')], ['0\n', '0\n']);
  assert.equal(await one.writer.position(), undefined);
  await one.writer.remove();
  assert.deepEqual(seqs(await pageOf(other)), [3, 2, 1]);
});

test('HY7 without a connection a lookup is refused at once; with the next one it is answered', pgOptions, async (t) => {
  const one = await hand(t);
  await one.writer.record(batch(0, ['ann']));
  await pageOf(one);
  one.proxy.isAway = true;
  one.proxy.cutAll();
  await assert.rejects(
    eventually(async () => (await pageOf(one)) === undefined),
    /no connection to PostgreSQL|terminated|closed|ECONN/,
  );
  await assert.rejects(pageOf(one), /there is no connection to PostgreSQL at the moment/);
  one.proxy.isAway = false;
  await eventually(() =>
    pageOf(one).then(
      (page) => page.changes.length === 1,
      () => false,
    ),
  );
});
