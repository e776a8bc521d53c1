/** The pipeline on the reference log: rules SQ1–SQ6 (sequencer) and what clients may rely on when the log fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Command } from '../../../protocol/log/command.ts';
import { HARD_OPTIONS } from '../../../protocol/users/delete-options.ts';
import { nameKey } from '../../../protocol/users/names.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { MemorySnapshots } from '../../../store/snapshot/memory.ts';
import { idsOf } from '../../support/decide-bench.ts';
import { rosterWith } from '../../support/open-roster.ts';

function upsert(...users: { id: string; name?: string }[]): Command {
  return { kind: 'upsert', actor: { kind: 'server' }, users: users.map((user) => ({ custom: {}, ...user })), problems: [] };
}

function refusedAs(kind: string) {
  return (error: unknown) => error instanceof RosterError && error.kind === kind;
}

test('SQ1 what arrives while an append is in flight becomes one batch', async () => {
  const log = new MemoryLog();
  const roster = await rosterWith({ log });
  const release = log.hold();
  const answers = [roster.submit(upsert({ id: 'first' }), 'live')];
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  for (let n = 0; n < 50; n++) answers.push(roster.submit(upsert({ id: `u${n}` }), 'live'));
  release();
  await Promise.all(answers);
  const entries: number[] = [];
  for await (const entry of log.read(0, AbortSignal.timeout(5_000))) {
    entries.push(entry.facts.length);
    if (entry.first + entry.facts.length > 51) break;
  }
  assert.deepEqual(entries, [1, 50]);
});

test('SQ2 live commands pass waiting bulk commands, and bulk ones are not starved', async () => {
  const log = new MemoryLog();
  const roster = await rosterWith({ log });
  const release = log.hold();
  const order: string[] = [];
  const submit = (id: string, lane: 'live' | 'bulk') => roster.submit(upsert({ id }), lane).then(({ seq }) => order.push(`${seq}:${id}`));
  const all = [submit('blocker', 'live')];
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  for (let n = 0; n < 20; n++) all.push(submit(`bulk${n}`, 'bulk'));
  for (let n = 0; n < 600; n++) all.push(submit(`live${n}`, 'live'));
  release();
  await Promise.all(all);
  const position = (id: string) => order.findIndex((item) => item.endsWith(`:${id}`));
  assert.ok(position('live0') < position('bulk0'), 'live goes first');
  assert.ok(position('bulk0') < position('live599'), 'bulk goes before the last live command');
});

test('SQ3 a refused command leaves no trace, and later commands of the batch see earlier ones', async () => {
  const roster = await rosterWith();
  await roster.submit({ kind: 'settings', set: { enforce_unique_usernames: 'app' } }, 'live');
  const [first, second, third] = await Promise.allSettled([
    roster.submit(upsert({ id: 'ann', name: 'Ann' }), 'live'),
    roster.submit(upsert({ id: 'bob' }, { id: 'ann2', name: 'ANN' }), 'live'),
    roster.submit(upsert({ id: 'ann', name: 'Anna' }, { id: 'bob', name: 'ann' }), 'live'),
  ]);
  assert.equal(first.status, 'fulfilled');
  assert.equal(second.status, 'rejected');
  assert.ok(second.status === 'rejected' && refusedAs('duplicate_username')(second.reason));
  assert.equal(third.status, 'fulfilled', 'the name was freed by the same batch');
  assert.equal(roster.directory.user('ann2'), undefined);
  assert.equal(roster.directory.user('bob')?.name, 'ann');
});

test('SQ4 a batch that another writer overtook is decided again on the new head', async () => {
  const log = new MemoryLog();
  const roster = await rosterWith({ log });
  const rivalUser = { id: 'ann', rev: 1, name: 'Rival', role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 };
  log.failNext({ type: 'conflict', rival: { id: 'rival', time: 1, facts: [{ t: 'user', event: 'created', user: rivalUser }] } });
  const { users } = await roster.submit(upsert({ id: 'ann', name: 'Ann' }), 'live');
  assert.equal(users[0]?.change, 'updated', 'decided again, the user exists already');
  assert.equal(users[0]?.user.rev, 2);
  assert.equal(roster.directory.user('ann')?.name, 'Ann');
});

test('SQ5 after an unknown outcome the log is asked: stored is an answer, lost is an error, and both go on', async () => {
  const log = new MemoryLog();
  const roster = await rosterWith({ log });
  log.failNext({ type: 'unknown-stored' });
  assert.equal((await roster.submit(upsert({ id: 'ann' }), 'live')).users[0]?.change, 'created');
  log.failNext({ type: 'unknown-lost' });
  await assert.rejects(roster.submit(upsert({ id: 'bob' }), 'live'), refusedAs('unavailable'));
  assert.equal(roster.directory.user('bob'), undefined);
  log.failNext({ type: 'not-written' });
  await assert.rejects(roster.submit(upsert({ id: 'bob' }), 'live'), refusedAs('unavailable'));
  await roster.submit(upsert({ id: 'bob' }), 'live');
  assert.equal(roster.directory.seq, 2);
});

test('SQ6 a full queue refuses, and closing finishes what waits', async () => {
  const log = new MemoryLog();
  const roster = await rosterWith({ log });
  const release = log.hold();
  const waiting: Promise<unknown>[] = [roster.submit(upsert({ id: 'u' }), 'live')];
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  for (let n = 0; n < 20_000; n++) waiting.push(roster.submit(upsert({ id: `u${n % 10}` }), 'live'));
  await assert.rejects(roster.submit(upsert({ id: 'more' }), 'live'), refusedAs('unavailable'));
  const closed = roster.close();
  await assert.rejects(roster.submit(upsert({ id: 'late' }), 'live'), refusedAs('unavailable'));
  release();
  await Promise.all([...waiting, closed]);
});

test('US1 times grow with positions, within a batch too', async () => {
  const roster = await rosterWith();
  const outcomes = await Promise.all(Array.from({ length: 20 }, (_, n) => roster.submit(upsert({ id: `u${n}` }), 'live')));
  const times = outcomes.map(({ users }) => users[0]?.user.created_at ?? 0);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
  assert.equal(new Set(times).size, 20);
});

test('SN1 a snapshot and the log after it give the same directory', async () => {
  const log = new MemoryLog({ retentionFacts: 1_000_000 });
  const snapshots = new MemorySnapshots();
  const first = await rosterWith({ log, snapshots, snapshotEveryFacts: 50 });
  for (let n = 0; n < 300; n++) await first.submit(upsert({ id: `u${n % 70}`, name: `n${n}` }), 'live');
  await first.submit({ kind: 'delete', ids: ['u1', 'u2'], mode: 'hard', options: HARD_OPTIONS, task: 'task-1' }, 'bulk');
  await first.submit({ kind: 'delete', ids: ['u3'], mode: 'soft', options: {} }, 'bulk');
  await new Promise((resolve) => setImmediate(resolve));
  const loaded = await snapshots.load();
  assert.ok(
    loaded !== undefined && loaded.position.seq > 0 && loaded.position.seq < first.directory.seq,
    'the snapshot lies before the head',
  );
  const second = await rosterWith({ log, snapshots });
  assert.deepEqual([...second.directory.freeze().lines()].map(sortable).sort(), [...first.directory.freeze().lines()].map(sortable).sort());
  assert.equal(second.directory.seq, first.directory.seq);
});

function sortable(line: object): string {
  return JSON.stringify(line);
}

test('SN2 the indexes that are filled after a load hold what was loaded and what changed meanwhile', () => {
  const user = (id: string, name: string, rev = 1): StoredUser => ({
    id,
    rev,
    name,
    role: 'user',
    teams: ['red'],
    custom: {},
    created_at: 1,
    updated_at: 1,
  });
  const directory = new Directory({ epoch: 'e', seq: 1_000 });
  directory.load(Array.from({ length: 1_000 }, (_, n) => ({ user: user(`u${n}`, `name ${n}`) })));
  assert.equal(directory.isIndexed, false);
  assert.equal(directory.indexStep(), true);
  const facts = ['u0', 'u999'].map((id, n) => ({
    t: 'user' as const,
    event: 'updated' as const,
    user: user(id, `renamed ${id}`, 1_001 + n),
  }));
  directory.apply({ id: 'e1', time: 2, first: 1_001, facts });
  for (const [name, ids] of [
    ['name 0', []],
    ['name 999', []],
    ['renamed u0', ['u0']],
    ['renamed u999', ['u999']],
    ['name 500', ['u500']],
  ] as const) {
    assert.deepEqual(idsOf(directory, directory.lookup.names.rows(nameKey(name))), ids, name);
  }
  assert.equal(directory.isIndexed, true);
  assert.equal(idsOf(directory, directory.lookup.teams.rows('red')).length, 1_000);
});

test('SQ7 a batch too long for one entry is taken apart; a single command that is too long is refused and nothing else', async () => {
  const roster = await rosterWith();
  const task = (id: string, megabytes: number): Command => ({
    kind: 'docs',
    changes: [
      {
        kind: 'task',
        id,
        doc: { id, kind: 'test', status: 'completed', created_at: 0, updated_at: 0, result: { text: 'x'.repeat(megabytes * 1024 * 1024) } },
      },
    ],
  });
  const answers = await Promise.allSettled([
    roster.submit(task('a', 40), 'bulk'),
    roster.submit(task('b', 65), 'bulk'),
    roster.submit(task('c', 40), 'bulk'),
  ]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  await assert.rejects(roster.submit(task('b', 65), 'bulk'), refusedAs('too_big'));
  assert.deepEqual(
    [...roster.directory.docs.all('task')].map(({ id }) => id),
    ['a', 'c'],
  );
});
