/** OP8, OP10: a history is put into a database, or taken out of it, whole or not at all, and only where nobody lives on it. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { type Entry, lastSeq } from '../../../../protocol/log/entry.ts';
import { PostgresUnusable } from '../../../../store/postgres/link/target.ts';
import { HistoryInUse, type NewHistory, replaceHistory, takeHistory } from '../../../../store/postgres/offline/replace.ts';
import { encodeSnapshot } from '../../../../store/snapshot/codec.ts';
import { eventually } from '../../../support/eventually.ts';
import { appendOne, draft, entryOf, readToHead } from '../../../support/store/entries.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';
import { allLines, someLines } from '../../../support/store/snapshot-contract.ts';

const kit = PgKit.ofProcess();

/** Entries of `facts` facts each, and a snapshot at their end. */
function history(count: number, { tail = 0, facts = 2, bytes = 20, mark = 'new' } = {}): NewHistory & { readonly list: readonly Entry[] } {
  const list = Array.from({ length: count }, (_, n): Entry => ({ ...draft(`${mark}${n}`, { facts, bytes }), first: tail + n * facts + 1 }));
  const head = { epoch: `epoch of ${mark}`, seq: tail + count * facts };
  return {
    ...{ head, tail, list },
    entries: (async function* () {
      yield* list;
    })(),
    snapshot: async (write) => {
      for await (const chunk of encodeSnapshot({ position: head, lines: someLines(30, mark) }, () => {})) await write(Buffer.from(chunk));
    },
  };
}

const put = (app: string, made: NewHistory | (() => Promise<NewHistory>), { replaces = false, secret = 'secret' } = {}): Promise<void> =>
  replaceHistory(kit.url(), { app, secret, replaces }, typeof made === 'function' ? made : async () => made);

/** All that is stored of an application, and not the time that passes. */
const stored = (app: string): Promise<string> =>
  kit.postgres.sql(`
    select row_to_json(h) from rosterd.head h where app = '${app}';
    select row_to_json(e) from rosterd.entry e where app = '${app}' order by last;
    select row_to_json(s) from rosterd.snapshot s where app = '${app}' order by number;
    select number, part, md5(data) from rosterd.snapshot_chunk where app = '${app}' order by number, part`);

/** As a daemon leaves it that was heard of so long ago. */
const heard = (app: string, name: string, msAgo: number) =>
  kit.postgres.sql(`insert into rosterd.node (app, name, boot, version, applied, seen)
    values ('${app}', '${name}', 'boot', '1', 0, clock_timestamp() - ${msAgo} * interval '1 ms')`);

test('OP8 OP10 a history that is put into a database is the one that a daemon then has, and goes on', pgOptions, async () => {
  const [app, secret] = [randomUUID(), 'secret'];
  // More than one group, by the number of entries and by their bytes.
  const many = history(1_203, { tail: 40, facts: 3, bytes: 400 });
  await put(app, many);
  const { log, snapshots } = await kit.node(app, { secret });
  assert.deepEqual([log.head, log.tail], [many.head, 40]);
  assert.deepEqual(await readToHead(log), many.list);
  const loaded = await snapshots.load();
  assert.deepEqual([loaded?.position, await allLines(loaded)], [many.head, [...someLines(30, 'new')()]]);
  const [total, real] = (
    await kit.postgres.sql(
      `select h.total, sum(length(payload)) from rosterd.head h join rosterd.entry using (app) where app = '${app}' group by 1`,
    )
  )
    .trim()
    .split('|');
  assert.equal(total, real);
  const grown = `select count(*) from (select total - lag(total, 1, 0::bigint) over (order by last) - length(payload) as more
    from rosterd.entry where app = '${app}') e where more <> 0`;
  assert.equal(await kit.postgres.sql(grown), '0\n', 'each row says how many bytes there are up to its end');
  assert.equal(entryOf(await log.append(many.head.seq, draft('next'))).first, many.head.seq + 1);
  const at = `select entry_id, epoch, seq from rosterd.snapshot where app = '${app}'`;
  assert.equal((await kit.postgres.sql(at)).trim(), `new1202|epoch of new|${many.head.seq}`);
});

test('OP8 groups are bounded in entries and in bytes, so no question grows with the history', pgOptions, async () => {
  const lines = async (more: Parameters<typeof history>[1], count: number): Promise<number> => {
    const app = randomUUID();
    const groups = `select count(distinct entry.xmin::text || cmin::text) from rosterd.entry where app = '${app}'`;
    await put(app, history(count, more));
    return Number(await kit.postgres.sql(groups));
  };
  assert.deepEqual(
    [await lines({ facts: 1 }, 500), await lines({ facts: 1 }, 501), await lines({ facts: 1, bytes: 400_000 }, 6)],
    [1, 2, 2],
    'each group is one statement',
  );
});

test('OP8 without entries a history begins where its snapshot is', pgOptions, async () => {
  const app = randomUUID();
  const { head, snapshot } = history(5);
  await put(app, { head, tail: 10, entries: undefined, snapshot });
  const { log, snapshots } = await kit.node(app);
  assert.deepEqual([log.head, log.tail, (await snapshots.load())?.position], [head, 10, head]);
  assert.equal(entryOf(await log.append(10, draft('next'))).first, 11);
});

test('OP8 what the history before it had goes, beside the log, too; other applications keep theirs', pgOptions, async () => {
  const [app, other] = [randomUUID(), randomUUID()];
  for (const one of [app, other]) {
    await put(one, history(3, { mark: 'old' }));
    await heard(one, 'gone', 60_000);
    await kit.postgres.sql(`insert into rosterd.presence values ('${one}', 'gone', 'ann');
      insert into rosterd.lease (app, job, holder, until) values ('${one}', 'tasks', 'gone', now())`);
  }
  const before = await stored(other);
  await put(app, history(2), { replaces: true });
  const left = (of: string): Promise<string> =>
    kit.postgres.sql(`select (select count(*) from rosterd.node where app = '${of}'), (select count(*) from rosterd.presence where app = '${of}'),
      (select count(*) from rosterd.lease where app = '${of}')`);
  assert.deepEqual([await left(app), await left(other)], ['0|0|0\n', '1|1|1\n']);
  assert.equal(await stored(other), before);
  assert.equal(
    (await kit.postgres.sql(`select string_agg(id, ' ' order by last) from rosterd.entry where app = '${app}'`)).trim(),
    'new0 new1',
  );
  assert.equal(await kit.postgres.sql(`select count(distinct number) from rosterd.snapshot_chunk where app = '${app}'`), '1\n');
});

test(
  'OP8 a log that holds something is replaced only when that is asked for, with its secret, and where no daemon runs',
  pgOptions,
  async () => {
    const app = randomUUID();
    await put(app, history(3, { mark: 'old' }));
    const before = await stored(app);
    const unasked = async (): Promise<NewHistory> => assert.fail('the history is not made');
    const isInUse = (text: RegExp) => (error: unknown) => error instanceof HistoryInUse && text.test(error.message);
    await assert.rejects(put(app, unasked), isInUse(/ends at epoch of old:6: give --replace to replace it/));
    const isSecret = (error: unknown) => error instanceof PostgresUnusable && /was made with another API secret/.test(error.message);
    await assert.rejects(put(app, unasked, { replaces: true, secret: 'other' }), isSecret);
    await heard(app, 'blue', 3_000);
    await heard(app, 'azure', 0);
    await heard(app, 'dead', 11_000);
    await assert.rejects(put(app, unasked, { replaces: true }), isInUse(/daemons run on the log of .* \(azure, blue\): stop them first/));
    await kit.postgres.sql(`update rosterd.node set seen = clock_timestamp() - interval '11 s' where app = '${app}'`);
    // One that starts while the history is made.
    const made = async (): Promise<NewHistory> => {
      await kit.postgres.sql(`update rosterd.node set seen = clock_timestamp() where app = '${app}' and name = 'blue'`);
      return history(1);
    };
    await assert.rejects(put(app, made, { replaces: true }), isInUse(/\(blue\): stop them first/));
    assert.equal(await stored(app), before);
    await kit.postgres.sql(`delete from rosterd.node where app = '${app}'`);
    await put(app, history(1), { replaces: true });
    const empty = randomUUID();
    await (await kit.node(empty)).log.close();
    await put(empty, history(1));
    assert.notEqual(await stored(empty), '', 'a log without content is nothing to be lost');
  },
);

test('OP8 entries with a gap, or that end elsewhere, and a snapshot that fails leave the database as it was', pgOptions, async () => {
  const app = randomUUID();
  await put(app, history(3, { mark: 'old' }));
  const before = await stored(app);
  const replace = (made: NewHistory) => put(app, made, { replaces: true });
  const { list, ...whole } = history(4);
  const some = (...at: number[]) =>
    (async function* () {
      for (const index of at) yield list[index] ?? assert.fail();
    })();
  await assert.rejects(replace({ ...whole, entries: some(0, 2, 3) }), /^Error: the entry after 2 begins at 5$/);
  await assert.rejects(replace({ ...whole, entries: some(0, 1, 2) }), /^Error: the entries end at 6, and the history at 8$/);
  await assert.rejects(replace({ ...whole, entries: undefined }), /the entries end at 0, and the history at 8/);
  const failing = async (): Promise<void> => {
    throw new Error('the backup was changed');
  };
  await assert.rejects(replace({ ...whole, entries: some(0, 1, 2, 3), snapshot: failing }), /the backup was changed/);
  assert.equal(await stored(app), before);
  assert.equal(lastSeq(list[3] ?? assert.fail()), 8);
  await replace({ ...whole, entries: some(0, 1, 2, 3) });
  assert.notEqual(await stored(app), before);
});

test('OP8 whichever statement fails, the database is as it was', pgOptions, async () => {
  const app = randomUUID();
  await put(app, history(3, { mark: 'old' }));
  const before = await stored(app);
  await kit.postgres.sql(
    `create function public.fail() returns trigger language plpgsql as $$ begin raise exception 'the disk is full'; end $$`,
  );
  for (const [event, table] of [
    ['delete', 'head'],
    ['insert', 'head'],
    ['update', 'head'],
    ['insert', 'entry'],
    ['insert', 'snapshot_chunk'],
    ['insert', 'snapshot'],
  ]) {
    await kit.postgres.sql(`create trigger fail before ${event} on rosterd.${table} for each statement execute function public.fail()`);
    await assert.rejects(put(app, history(2), { replaces: true }), /^error: the disk is full$/, `${event} ${table}`);
    await kit.postgres.sql(`drop trigger fail on rosterd.${table}`);
    assert.equal(await stored(app), before, `${event} ${table}`);
  }
  await kit.postgres.sql('create trigger fail before update on rosterd.head for each statement execute function public.fail()');
  await assert.rejects(
    takeHistory(kit.url(), { app, secret: 'secret' }, async () => {}),
    /the disk is full/,
  );
  await kit.postgres.sql('drop trigger fail on rosterd.head; drop function public.fail');
  await put(app, history(2), { replaces: true });
});

test('OP8 a wait for the standby that is cancelled is no success', pgOptions, async () => {
  const app = randomUUID();
  await (await kit.node(app)).log.close();
  await kit.standby('missing');
  try {
    const putting = assert.rejects(put(app, history(2)), /it was stored, but not on the synchronous standby/);
    const cancel = `set synchronous_commit = local;
      select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'rosterd-command'`;
    await eventually(async () => (await kit.postgres.sql(cancel)) !== '0\n', 'it waits');
    await putting;
  } finally {
    await kit.standby('');
  }
});

test('OP10 a history that is taken leaves another epoch behind; when that fails, nothing is changed', pgOptions, async () => {
  const app = randomUUID();
  const { log } = await kit.node(app);
  for (const id of ['a', 'b']) await appendOne(log, draft(id));
  await log.close();
  const before = await stored(app);
  const take = <T>(work: (ids: readonly string[]) => T, secret = 'secret'): Promise<T> =>
    takeHistory(kit.url(), { app, secret }, async (taken) => {
      const ids: string[] = [];
      for await (const { id } of taken.entries(taken.tail)) ids.push(id);
      return work(ids);
    });
  const unasked = () => assert.fail('nothing is taken');
  await assert.rejects(
    take(() => {
      throw new RangeError('no space left');
    }),
    /no space left/,
  );
  await assert.rejects(take(unasked, 'other'), PostgresUnusable);
  await heard(app, 'blue', 0);
  await assert.rejects(take(unasked), HistoryInUse);
  await kit.postgres.sql(`delete from rosterd.node where app = '${app}'`);
  assert.equal(await stored(app), before);
  const { epoch, fence, ...rest } = JSON.parse(before.split('\n')[0] ?? '');
  assert.deepEqual(await take((ids) => ids), ['a', 'b']);
  const { epoch: next, fence: raised, ...same } = JSON.parse((await stored(app)).split('\n')[0] ?? '');
  assert.deepEqual([same, raised], [rest, fence + 1]);
  assert.notEqual(next, epoch);
  assert.ok(String(next).length > 10);
});

test('OP8 OP10 while a history is put or taken, nobody appends to it', pgOptions, async () => {
  const app = randomUUID();
  const mayAppend = () => kit.postgres.sql(`select pg_try_advisory_xact_lock_shared(rosterd.turn_key('${app}'))`);
  const seen: string[] = [];
  const made = history(2);
  await put(app, {
    ...made,
    snapshot: async (write) => {
      seen.push(await mayAppend());
      await made.snapshot(write);
    },
  });
  await takeHistory(kit.url(), { app, secret: 'secret' }, async () => void seen.push(await mayAppend()));
  assert.deepEqual([seen, await mayAppend()], [['f\n', 'f\n'], 't\n']);
});
