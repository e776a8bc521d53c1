/** PL7, PL12: whether the history on a server is the one that a process knows. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, type TestContext, test } from 'node:test';
import { LogEpochChanged } from '../../../../store/log.ts';
import type { PgConnection, PgRow, Question } from '../../../../store/postgres/link/connection.ts';
import { PostgresUnusable } from '../../../../store/postgres/link/target.ts';
import { ENTRY_FORMATS } from '../../../../store/postgres/log/formats.ts';
import { newEpoch, openHead, secretMac, verifyHead } from '../../../../store/postgres/log/head.ts';
import { answered, scripted } from '../../../support/nodes/scripted.ts';
import { appendOne, draft } from '../../../support/store/entries.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

beforeEach(() => kit.closeNodes());

const HEAD = { epoch: 'e', seq: 9, tail: 2, known_id: 'x', timeline: 'A', server_timeline: 'A', is_synced: false };

async function verified(
  t: TestContext,
  known: { seq: number; id: string | undefined; epoch?: string } | undefined,
  ...heads: readonly (PgRow | undefined)[]
) {
  const { log } = await kit.node(randomUUID(), { pulseMs: 600_000 });
  const { reader } = await log.links.ready();
  // A head that is read is a row; what is changed has none.
  const left = [...heads];
  const asked: Question[] = scripted(
    t,
    reader,
    ...Array.from({ length: 4 }, () => ({ text }: Question) => {
      if (text.trimStart().startsWith('update')) return answered();
      const head = left.shift();
      return head === undefined ? answered() : answered(head);
    }),
  );
  const end = known === undefined ? undefined : { epoch: 'e', ...known };
  const result = await verifyHead(reader, 'app', end).catch((error: unknown) => error);
  t.mock.restoreAll();
  return { result, changes: asked.filter(({ text }) => text.startsWith('update')) };
}

const isChanged = (error: unknown, epoch: string, text: RegExp): void => {
  assert.ok(error instanceof LogEpochChanged, String(error));
  assert.equal(error.epoch, epoch);
  assert.match(error.message, text);
};

test('PL7 the history that is known is continued, where its end is there or was trimmed', pgOptions, async (t) => {
  for (const known of [
    undefined,
    { seq: 9, id: 'x' },
    { seq: 2, id: 'x' },
    { seq: 5, id: undefined },
    // The entry there went with the trimming.
    { seq: 1, id: 'gone' },
  ]) {
    const { result, changes } = await verified(t, known, HEAD);
    assert.deepEqual([result, changes], [HEAD, []], JSON.stringify(known));
  }
});

test('PL7 entries that are missing, or others in their place, change the epoch and end the process', pgOptions, async (t) => {
  const next = { ...HEAD, epoch: 'next' };
  const shorter = await verified(t, { seq: 10, id: 'x' }, HEAD, next);
  isChanged(shorter.result, 'next', /it ends at 9, and 10 was confirmed/);
  const [change] = shorter.changes;
  assert.match(change?.text ?? '', /set epoch = \$3, fence = fence \+ 1, timeline = \$4/);
  assert.deepEqual([change?.values?.[0], change?.values?.[1], change?.values?.[3]], ['app', 'e', 'A']);
  assert.notEqual(change?.values?.[2], 'e');
  const other = await verified(t, { seq: 9, id: 'y' }, HEAD, next);
  isChanged(other.result, 'next', /at 9 there is another entry than the one that was confirmed/);
  const none = await verified(t, { seq: 9, id: 'y' }, { ...HEAD, known_id: null }, next);
  isChanged(none.result, 'next', /another entry/);
});

test('PL7 an epoch that another node has changed, and a log that is gone, end the process and change nothing', pgOptions, async (t) => {
  const other = await verified(t, { seq: 9, id: 'x', epoch: 'before' }, HEAD);
  isChanged(other.result, 'e', /another node has noticed it/);
  const gone = await verified(t, undefined, undefined);
  isChanged(gone.result, '', /the database no longer holds the log of app/);
  assert.deepEqual([other.changes, gone.changes], [[], []]);
});

test('PL7 after a failover the epoch stays where commits are synchronous; else it is a new one', pgOptions, async (t) => {
  const moved = { ...HEAD, server_timeline: 'B' };
  const synced = { ...moved, is_synced: true };
  const same = await verified(t, { seq: 9, id: 'x' }, synced);
  assert.deepEqual(same.result, synced);
  assert.deepEqual(
    same.changes.map(({ text, values }) => [text.includes('epoch = $3'), values]),
    [[false, ['app', 'e', 'B']]],
    'only the timeline is noted',
  );
  const next = { ...moved, epoch: 'next' };
  const running = await verified(t, { seq: 9, id: 'x' }, moved, next);
  isChanged(running.result, 'next', /another server took over, and nothing guarantees that it has everything/);
  const starting = await verified(t, undefined, moved, next);
  assert.deepEqual([starting.result, starting.changes.length], [{ ...next, is_new: true }, 1], 'who starts continues what is there');
});

test('PL12 a log is taken over with another secret only while it holds nothing but leases, and few of them', pgOptions, async () => {
  const take = async (connection: PgConnection, app: string): Promise<string> => {
    const events: string[] = [];
    const application = { app, secret: 'other', requiresSync: false, begin: undefined, formats: ENTRY_FORMATS };
    const outcome = openHead(connection, 'x', { ...application, onEvent: (event) => events.push(event.type) });
    return await outcome.then(
      () => events.join(),
      (error: unknown) => (error instanceof PostgresUnusable ? 'refused' : String(error)),
    );
  };
  const lease = (n: number) => {
    const doc = { id: 'hooks', holder: 'a', token: n } as const;
    return { id: `lease${n}`, time: 1, facts: [{ t: 'doc', kind: 'lease', id: 'hooks', doc }] as const };
  };
  const log = async (leases: number) => {
    const app = randomUUID();
    const node = await kit.node(app, { pulseMs: 600_000 });
    for (let n = 0; n < leases; n++) await appendOne(node.log, lease(n));
    return { app, node, reader: (await node.log.links.ready()).reader };
  };
  const few = await log(100);
  assert.equal(await take(few.reader, few.app), 'epoch-started');
  assert.equal(
    await kit.postgres.sql(`select secret_mac = '${secretMac(few.app, 'other')}' from rosterd.head where app = '${few.app}'`),
    't\n',
  );
  const many = await log(101);
  assert.equal(await take(many.reader, many.app), 'refused');
  const written = await log(1);
  await appendOne(written.node.log, draft('a'));
  assert.equal(await take(written.reader, written.app), 'refused');
  const trimmed = await log(2);
  await kit.postgres.sql(`update rosterd.head set tail = 1 where app = '${trimmed.app}'`);
  assert.equal(await take(trimmed.reader, trimmed.app), 'refused');
  const older = await log(1);
  await kit.postgres.sql(`update rosterd.head set format = 99 where app = '${older.app}'`);
  assert.equal(await take(older.reader, older.app), 'refused');
  const saved = await log(1);
  await kit.postgres.sql(
    `insert into rosterd.snapshot (app, number, epoch, seq, chunks, bytes, sha256) values ('${saved.app}', 1, 'e', 1, 0, 0, '')`,
  );
  assert.equal(await take(saved.reader, saved.app), 'refused');
});

test('PL7 an epoch is never the same again; a secret is told by a hash that belongs to its application', () => {
  assert.equal(new Set(Array.from({ length: 100 }, newEpoch)).size, 100);
  assert.match(newEpoch(), /^[0-9a-f]{24}$/);
  const macs = [secretMac('a', 's'), secretMac('a', 't'), secretMac('b', 's')];
  assert.deepEqual([new Set(macs).size, secretMac('a', 's')], [3, macs[0]]);
});
