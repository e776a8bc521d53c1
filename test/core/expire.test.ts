/** The end of bans, mutes and tasks: MD9 on the core, MD10 for the index behind it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../daemon/core/decide.ts';
import { Directory } from '../../daemon/core/directory/directory.ts';
import { Draft } from '../../daemon/core/directory/draft.ts';
import { Expiry } from '../../daemon/core/directory/expiry.ts';
import { Heap } from '../../daemon/core/directory/heap.ts';
import type { DirectoryLine } from '../../daemon/core/directory/record.ts';
import type { Actor } from '../../protocol/base/actor.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import type { Micros } from '../../protocol/base/time.ts';
import { audienceOf } from '../../protocol/live/user-events.ts';
import type { Command } from '../../protocol/log/command.ts';
import type { Task } from '../../protocol/log/documents.ts';
import type { StoredUser } from '../../protocol/users/user.ts';
import { sized } from '../support/long.ts';
import { seeded, testOption } from '../support/random.ts';
import { micros, RulesBench } from '../support/rules-bench.ts';

const ENDS = sized(20_000, 100_000);

const SERVER: Actor = { kind: 'server' };
const NOON = '2026-11-21T12:00:00Z';

class ExpiryBench extends RulesBench {
  constructor() {
    super();
    this.upsert([{ id: 'ann' }, { id: 'bob' }, { id: 'cem' }, { id: 'mod', role: 'moderator' }]);
  }

  ban(target: string, minutes: number, more: { cid?: string; shadow?: boolean; future?: boolean; by?: string } = {}): void {
    this.run({ kind: 'ban', actor: SERVER, target, minutes, ...more });
  }

  mute(by: string, targets: readonly string[], minutes: number): void {
    this.run({ kind: 'mute', actor: SERVER, by, targets, minutes });
  }

  /** The facts of ending what is over, in short. */
  expire() {
    return this.factsOf(() => this.run({ kind: 'expire' })).map((fact) =>
      fact.t === 'user' ? [fact.event, fact.user.id, audienceOf(fact), fact.about] : [fact.t],
    );
  }

  task(id: string, fields: Partial<Task>): void {
    const doc: Task = { id, kind: 'delete_users', status: 'completed', created_at: this.now, updated_at: this.now, ...fields };
    this.run({ kind: 'docs', changes: [{ kind: 'task', id, doc }] });
  }

  tasks(): string[] {
    return [...this.directory.docs.all('task')].map(({ id }) => id);
  }
}

test('MD9 what is over ends as an entry of its own, which names nobody; what is not over stays', () => {
  const bench = new ExpiryBench();
  bench.at(NOON);
  bench.ban('ann', 10);
  bench.ban('ann', 20, { cid: 'm:a', by: 'mod', future: true });
  bench.ban('bob', 10, { shadow: true });
  bench.mute('cem', ['ann', 'bob'], 10);
  bench.mute('cem', ['mod'], 30);
  const { updated_at } = bench.user('ann');

  bench.at('2026-11-21T12:09:59Z');
  assert.deepEqual(bench.expire(), []);
  assert.deepEqual(bench.run({ kind: 'expire' }).users, []);
  bench.at('2026-11-21T12:10:01Z');
  assert.deepEqual(bench.expire(), [
    ['unbanned', 'ann', 'all', {}],
    ['unbanned', 'bob', 'server', { shadow: true }],
    ['unmuted', 'cem', 'self', { targets: ['ann', 'bob'] }],
  ]);
  assert.deepEqual(bench.expire(), []);
  assert.deepEqual([bench.user('ann').updated_at, bench.user('cem').rev], [updated_at, bench.directory.seq]);
  assert.deepEqual(
    bench.user('cem').mutes?.map(({ id }) => id),
    ['mod'],
  );
  bench.at('2026-11-21T13:00:00Z');
  assert.deepEqual(bench.expire(), [
    ['unbanned', 'ann', 'all', { cid: 'm:a' }],
    ['unbanned', 'ann', 'all', { future_channels: true }],
    ['unmuted', 'cem', 'self', { targets: ['mod'] }],
  ]);
  assert.ok(!('bans' in bench.user('ann')) && !('mutes' in bench.user('cem')));
  assert.equal(bench.directory.expiry.next, undefined);
});

test('MD9 a ban that was lifted, renewed or whose user was deleted does not end again', () => {
  const bench = new ExpiryBench();
  bench.at(NOON);
  for (const id of ['ann', 'bob', 'cem']) bench.ban(id, 10);
  bench.run({ kind: 'unban', actor: SERVER, target: 'ann' });
  bench.ban('bob', 60);
  bench.delete('cem');
  bench.at('2026-11-21T12:30:00Z');
  assert.deepEqual(bench.expire(), []);
  bench.run({ kind: 'restore', ids: ['cem'] });
  assert.deepEqual(bench.expire(), [['unbanned', 'cem', 'all', {}]]);
  assert.equal(bench.user('bob').bans?.length, 1);
});

test('MD9 one command ends so much and no more; sent again until nothing is over, it ends everything', () => {
  const bench = new ExpiryBench();
  bench.at(NOON);
  const ids = Array.from({ length: 130 }, (_, i) => `u${i}`);
  bench.upsert(ids.map((id) => ({ id })));
  for (const id of ids) bench.ban(id, 1);
  for (let i = 0; i < 150; i++) bench.ban('ann', 1, { cid: `m:${i}` });
  bench.mute('ann', ['bob'], 1);
  bench.at('2026-11-21T13:00:00Z');
  const counts: number[] = [];
  for (;;) {
    const { length } = bench.expire();
    if (length === 0) break;
    counts.push(length);
  }
  assert.ok(
    counts.every((count) => count <= LIMITS.batchUsers),
    counts.join(),
  );
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    130 + 150 + 1,
  );
  assert.deepEqual([bench.directory.bans.size, bench.directory.expiry.size], [0, 0]);
});

test('MD9 finished tasks go when they were kept long enough; those that still run stay', () => {
  const bench = new ExpiryBench();
  const kept = bench.policy.tasksKeptMicros;
  bench.at(NOON);
  bench.task('running', { status: 'running' });
  bench.task('old', {});
  bench.task('failed', { status: 'failed' });
  bench.task('late', { updated_at: bench.now + kept });
  bench.at(micros(NOON) + kept / 2).task('young', {});
  assert.deepEqual(bench.run({ kind: 'expire' }).docs, []);
  bench.at(micros(NOON) + kept + 1_000_000);
  assert.deepEqual(
    bench.run({ kind: 'expire' }).docs?.map(({ id }) => id),
    ['old', 'failed'],
  );
  assert.deepEqual(bench.tasks(), ['running', 'late', 'young']);
  bench.at(micros(NOON) + 3 * kept).expire();
  assert.deepEqual(bench.tasks(), ['running']);
  for (let i = 0; i < 250; i++) bench.task(`many-${i}`, {});
  bench.at(micros(NOON) + 5 * kept);
  assert.equal(bench.run({ kind: 'expire' }).docs?.length, LIMITS.batchUsers);
  bench.expire();
  bench.expire();
  assert.deepEqual(bench.tasks(), ['running']);
});

test('MD9 bans and mutes end, and tasks go, at their end to the microsecond', () => {
  const bench = new ExpiryBench();
  bench.at(NOON);
  const end = bench.now + 1_000 + 60_000_000;
  bench.ban('ann', 1);
  bench.at(NOON).mute('bob', ['cem'], 1);
  const before = bench.directory.seq;
  assert.deepEqual(bench.at(end - 1).expire(), []);
  assert.deepEqual(
    bench
      .at(end)
      .expire()
      .map(([event, id]) => [event, id]),
    [
      ['unbanned', 'ann'],
      ['unmuted', 'bob'],
    ],
  );
  assert.equal(bench.directory.seq, before + 2);
  const kept = bench.policy.tasksKeptMicros;
  const at = bench.now;
  bench.task('first', { created_at: at, updated_at: at });
  bench.task('changed', { created_at: at, updated_at: at + 1 });
  bench.task('second', { created_at: at + 1, updated_at: at + 1 });
  const gone = (time: Micros) =>
    bench
      .at(time)
      .run({ kind: 'expire' })
      .docs?.map(({ id }) => id);
  assert.deepEqual([gone(at + kept - 1), gone(at + kept)], [[], ['first']]);
  assert.deepEqual(gone(at + kept + 1), ['changed', 'second']);
});

test('CK1 a task from a time that has not come yet stays, and does not hold up those after it', () => {
  const bench = new ExpiryBench();
  bench.at(NOON);
  const now = bench.now + 10 * bench.policy.tasksKeptMicros;
  bench.task('future', { created_at: now + 1, updated_at: 1 });
  bench.task('now', { created_at: now, updated_at: 1 });
  bench.task('old', { created_at: 1, updated_at: 1 });
  // One that is young by the clock ends the search, as all after it are younger.
  assert.deepEqual(bench.at(now).run({ kind: 'expire' }).docs, []);
  bench.run({ kind: 'docs', changes: [{ kind: 'task', id: 'now', doc: null }] });
  assert.deepEqual(bench.at(now).run({ kind: 'expire' }).docs, [{ kind: 'task', id: 'old', doc: null }]);
});

test('MD9 what an earlier command of the same batch has lifted, or whose user it has deleted, does not end again', () => {
  const bench = new ExpiryBench();
  bench.at(NOON);
  for (const id of ['ann', 'bob', 'cem']) bench.ban(id, 1);
  const now = bench.now + 3_600_000_000;
  const draft = new Draft(bench.directory);
  const run = (command: Command) => decide(draft, command, now, bench.policy);
  run({ kind: 'unban', actor: SERVER, target: 'ann' });
  run({ kind: 'delete', ids: ['bob'], mode: 'soft', options: {} });
  const { users } = run({ kind: 'expire' });
  assert.deepEqual(
    users.map(({ user, change }) => [user.id, user.bans, change]),
    [['cem', undefined, 'updated']],
  );
  assert.deepEqual(
    draft.facts.map((fact) => (fact.t === 'user' ? fact.event : fact.t)),
    ['unbanned', 'deleted', 'unbanned'],
  );
});

function userWith(id: string, ends: readonly Micros[]): StoredUser {
  const bans = ends.map((expires, i) => ({ cid: `m:${i}`, created_at: 1, expires }));
  return { id, rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1, ...(ends.length === 0 ? {} : { bans }) };
}

test('MD10 a heap gives its items in order, taking them out or not', () => {
  const seed = testOption('seed', 7);
  const random = seeded(seed);
  const heap = new Heap<number>((a, b) => a < b);
  const items = Array.from({ length: 500 }, () => Math.floor(random() * 200));
  for (const item of items) heap.push(item);
  const sorted = [...items].sort((a, b) => a - b);
  assert.deepEqual([...heap.inOrder()], sorted, `seed ${seed}`);
  const popped: (number | undefined)[] = [];
  while (heap.size > 0) popped.push(heap.pop());
  assert.deepEqual(popped, sorted, `seed ${seed}`);
  assert.equal(heap.pop(), undefined);
});

test('MD10 the index knows at every moment what a look at all users would find', () => {
  const seed = testOption('seed', Math.floor(Math.random() * 2 ** 31));
  const random = seeded(seed);
  const below = (max: number) => Math.floor(random() * max);
  const expiry = new Expiry();
  const users = new Map<string, StoredUser>();
  for (let step = 0; step < 4_000; step++) {
    const id = `u${below(60)}`;
    const after =
      below(10) === 0
        ? undefined
        : userWith(
            id,
            Array.from({ length: below(4) }, () => 1 + below(50)),
          );
    expiry.changed(users.get(id), after);
    if (after === undefined) users.delete(id);
    else users.set(id, after);
    const ends = [...users.values()].flatMap(({ id, bans = [] }) =>
      bans.length === 0 ? [] : [{ id, at: Math.min(...bans.map(({ expires = 0 }) => expires)) }],
    );
    ends.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
    const what = `seed ${seed}, step ${step}`;
    assert.equal(expiry.next, ends[0]?.at, what);
    assert.equal(expiry.size, ends.length, what);
    const now = below(60);
    const max = below(70);
    const due = ends.filter(({ at }) => at <= now).map((end) => end.id);
    assert.deepEqual(expiry.dueBy(now, max), due.slice(0, max), what);
  }
});

test('MD10 after a snapshot is loaded, the index is the same as before', () => {
  const bench = new ExpiryBench();
  bench.at(NOON);
  for (const [id, minutes] of [
    ['ann', 30],
    ['bob', 10],
    ['cem', 20],
    ['bob', 40],
    ['cem', 5],
  ] as const) {
    bench.ban(id, minutes);
  }
  bench.mute('mod', ['ann'], 5);
  const view = bench.directory.freeze();
  const loaded = new Directory(view.position);
  const lines: DirectoryLine[] = JSON.parse(JSON.stringify([...view.lines()]));
  loaded.load(lines);
  view.release();
  for (const { expiry, bans } of [bench.directory, loaded]) {
    assert.equal(expiry.next, micros('2026-11-21T12:05:00Z') + 4_000);
    assert.deepEqual(expiry.dueBy(micros('2026-11-22T00:00:00Z'), 10), ['cem', 'mod', 'ann', 'bob']);
    assert.deepEqual([...bans.ids()].sort(), ['ann', 'bob', 'cem']);
  }
});

test(`MD10 with ${ENDS} ends before it, the next one is at hand, and a change costs microseconds`, () => {
  const expiry = new Expiry();
  const users = Array.from({ length: ENDS }, (_, i) => userWith(`u${i}`, [1_000_000 + ((i * 7_919) % ENDS)]));
  const started = process.cpuUsage();
  for (const user of users) expiry.changed(undefined, user);
  // Renewed again and again: what is no longer true must not pile up, nor be searched.
  for (let round = 1; round <= 3; round++) {
    for (const [i, user] of users.entries()) {
      const renewed = userWith(user.id, [1_000_000 * (round + 1) + i]);
      expiry.changed(user, renewed);
      users[i] = renewed;
      assert.ok(expiry.next !== undefined);
    }
  }
  assert.equal(expiry.next, 4_000_000);
  assert.deepEqual(expiry.dueBy(4_000_002, 100), ['u0', 'u1', 'u2']);
  for (let now = 4_000_000; now < 4_000_000 + ENDS; now += 100) {
    const due = expiry.dueBy(now + 99, 100);
    assert.equal(due.length, 100);
    for (const id of due) expiry.changed(users[Number(id.slice(1))], undefined);
  }
  assert.equal(expiry.next, undefined);
  const { user, system } = process.cpuUsage(started);
  // Of this process, so that a busy machine changes nothing. A walk over all of them for each answer would take minutes.
  const tookMicros = (user + system) / ENDS;
  assert.ok(tookMicros < 100, `${tookMicros} µs`);
});
