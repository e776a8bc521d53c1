/** Receipts of requests that are carried out once: how long they are kept, and what they hold. IK4, IK9, IK10. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../daemon/core/decide.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import { dropReceipts, makeRoom, RECEIPTS_DROPPED } from '../../../daemon/core/users/receipts.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { ANONYMOUS } from '../../../protocol/base/tokens.ts';
import type { Command, OnceCommand, Outcome } from '../../../protocol/log/command.ts';
import type { Fact } from '../../../protocol/log/entry.ts';
import { HARD_OPTIONS } from '../../../protocol/users/delete-options.ts';
import { DEFAULT_POLICY } from '../../support/default-policy.ts';
import { refusal } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const HOUR = 3_600_000_000;

function once(key: string, command: OnceCommand['command'], fingerprint = 'f'): Command {
  return { kind: 'once', key, fingerprint, command };
}

const create = (id: string): OnceCommand['command'] => ({
  kind: 'upsert',
  actor: { kind: 'server' },
  users: [{ id, custom: {} }],
  problems: [],
});

const keysOf = (bench: RulesBench): string[] => [...bench.directory.docs.all('receipt')].map(({ id }) => id);

test('IK9 receipts go when they were kept long enough, in the order in which they came, some at a time', () => {
  const bench = new RulesBench({ receiptsKeptMicros: 24 * HOUR });
  const start = bench.now;
  for (let n = 0; n < 250; n++) bench.at(start + n * 1_000).run(once(`k${n}`, create(`u${n}`)));
  bench.at(start + 24 * HOUR + 199 * 1_000);
  const dropped: number[] = [];
  for (;;) {
    const { docs = [] } = bench.at(start + 24 * HOUR + 199 * 1_000).run({ kind: 'expire' });
    if (docs.length === 0) break;
    assert.ok(docs.every(({ kind, doc }) => kind === 'receipt' && doc === null));
    dropped.push(docs.length);
  }
  assert.equal(
    dropped.reduce((sum, count) => sum + count, 0),
    200,
  );
  assert.ok(dropped.every((count) => count <= LIMITS.batchUsers));
  assert.deepEqual([keysOf(bench).length, keysOf(bench)[0]], [50, 'k200']);
  // What is not known any more is carried out again: here it changes nothing, as an upsert would.
  const again = bench.run(once('k0', create('u0')));
  assert.deepEqual([again.isReplay, again.users[0]?.change], [undefined, 'unchanged']);
  assert.equal(bench.run(once('k200', create('u200'))).isReplay, true);
});

test('IK9 there are never more than are kept: the oldest go first', () => {
  const bench = new RulesBench();
  const receipt = (n: number): Fact => ({
    t: 'doc',
    kind: 'receipt',
    id: `k${n}`,
    doc: { id: `k${n}`, fingerprint: 'f', seq: 0, users: [], created_at: 1 },
  });
  const facts = Array.from({ length: LIMITS.receiptsKept - 1 }, (_, n) => receipt(n));
  bench.directory.apply({ id: 'many', time: 1, first: 1, facts });
  bench.run(once('last', create('ann')));
  assert.equal(bench.directory.docs.count('receipt'), LIMITS.receiptsKept);
  bench.run(once('one more', create('bob')));
  assert.equal(bench.directory.docs.count('receipt'), LIMITS.receiptsKept + 1 - RECEIPTS_DROPPED);
  assert.equal(keysOf(bench)[0], `k${RECEIPTS_DROPPED}`);
  assert.deepEqual(keysOf(bench).slice(-2), ['last', 'one more']);
});

test('IK9 the receipts of a client give way to its own, and to no others', () => {
  const bench = new RulesBench();
  bench.run(once('of a server', create('ann')));
  const own = (n: number) => bench.run(once(`a${n}`, { kind: 'follow', source: 'user:ann', target: `user:u${n}` }), 'ann');
  for (let n = 0; n < LIMITS.receiptsPerUser; n++) own(n);
  bench.run(once('of bob', { kind: 'follow', source: 'user:bob', target: 'user:ann' }), 'bob');
  assert.equal(bench.directory.docs.count('receipt'), LIMITS.receiptsPerUser + 2);
  own(LIMITS.receiptsPerUser);
  assert.equal(bench.directory.docs.count('receipt'), LIMITS.receiptsPerUser + 3 - RECEIPTS_DROPPED);
  assert.deepEqual(keysOf(bench).slice(0, 2), ['of a server', `a${RECEIPTS_DROPPED}`]);
  assert.equal(own(LIMITS.receiptsPerUser).isReplay, true);
});

test('IK7 a refused command leaves no receipt; IK2 another request under the key is refused and changes nothing', () => {
  const bench = new RulesBench();
  const missing = { kind: 'deactivate', ids: ['ann'], options: {} } as const;
  assert.equal(refusal(() => bench.run(once('k', missing))).kind, 'not_found');
  assert.equal(bench.directory.docs.count('receipt'), 0);
  bench.run(once('k', create('ann')));
  const { seq } = bench.directory;
  assert.equal(refusal(() => bench.run(once('k', create('bob'), 'other'))).kind, 'key_reused');
  assert.equal(bench.directory.seq, seq);
});

test('IK5 of two commands with one key that are decided together, the second is a replay', () => {
  const bench = new RulesBench();
  const draft = new Draft(bench.directory);
  const run = (at: number): Outcome => decide(draft, once('k', create('ann')), bench.now + at, DEFAULT_POLICY);
  const [first, second] = [run(1), run(2)];
  assert.deepEqual(
    [first.isReplay, first.users[0]?.change, second.isReplay, second.users[0]?.change],
    [undefined, 'created', true, 'created'],
  );
  assert.equal(second.users[0]?.user, first.users[0]?.user);
  assert.deepEqual(
    draft.facts.map((fact) => (fact.t === 'doc' ? fact.kind : fact.t)),
    ['user', 'receipt'],
  );
});

test('IK6 the receipt lies in the entry of its effect', () => {
  const bench = new RulesBench();
  const facts = bench.factsOf(() => bench.run(once('k', create('ann'))));
  assert.deepEqual(
    facts.map((fact) => fact.t),
    ['user', 'doc'],
  );
  assert.equal(bench.entries.length, 1);
});

test('IK10 a hard delete can be answered again, though the user is gone; of users that were deleted later only the ids are known', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: 'Ann', role: 'admin', custom: { book: 'b' } }]);
  bench.run(once('up', create('bob')));
  const gone = { kind: 'delete', ids: ['ann'], mode: 'hard', options: HARD_OPTIONS } as const;
  const first = bench.run(once('k', gone));
  const again = bench.run(once('k', gone));
  assert.deepEqual(again.users, first.users);
  assert.deepEqual([again.users[0]?.user.name, again.users[0]?.user.custom], [undefined, {}], 'nothing personal is kept');
  bench.delete('bob', 'hard');
  const later = bench.run(once('up', create('bob')));
  assert.deepEqual([later.users, later.gone, later.isReplay], [[], ['bob'], true]);
});

test('IK4 a repeated answer has the warnings, the missing ids and the documents of the first, documents as they are now', () => {
  const bench = new RulesBench({ connectRole: 'keep' });
  bench.upsert([{ id: 'ann' }, { id: 'bob' }]);
  const server = { kind: 'server' } as const;
  const both = (key: string, command: OnceCommand['command']) => [bench.run(once(key, command)), bench.run(once(key, command))] as const;
  const [muted, again] = both('mute', { kind: 'mute', actor: server, by: 'ann', targets: ['ghost', 'bob'] });
  assert.deepEqual([again.missing, again.users, again.warnings, again.seq, again.isReplay], [['ghost'], muted.users, [], muted.seq, true]);
  assert.ok(!('docs' in again) && !('gone' in again));
  const [kept, warned] = both('connect', { kind: 'connect', id: 'ann', details: { role: 'admin', custom: {} } });
  assert.deepEqual([kept.warnings, warned.warnings, 'missing' in warned], [['role'], ['role'], false]);
  const [role, named] = both('role', { kind: 'role-create', name: 'boss' });
  assert.deepEqual([named.docs, named.users, named.seq], [role.docs, [], role.seq]);
  bench.run({ kind: 'role-delete', name: 'boss' });
  assert.deepEqual(bench.run(once('role', { kind: 'role-create', name: 'boss' })).docs, [{ kind: 'role', id: 'boss', doc: null }]);
  assert.deepEqual(bench.directory.docs.get('receipt', 'connect'), {
    id: 'connect',
    fingerprint: 'f',
    seq: kept.seq,
    users: [['ann', kept.users[0]?.change]],
    warnings: ['role'],
    created_at: bench.now - 5_000,
  });
});

test('PV3 to a client, a repeated answer does not show who is behind walls or deleted by now', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', teams: ['red'] }]);
  const command = { kind: 'patch', actor: { kind: 'user', id: 'ann' }, patches: [], problems: [] } as const;
  bench.run(once('k', command), 'ann');
  const held = bench.directory.docs.get('receipt', 'k');
  assert.equal(held?.by, 'ann');
  bench.upsert([
    { id: 'bob', teams: ['red'] },
    { id: 'cem', teams: ['blue'] },
    { id: 'dee', teams: ['red'] },
  ]);
  bench.delete('dee');
  const users = ['ann', 'bob', 'cem', 'dee', 'none'].map((id) => [id, 'updated'] as const);
  bench.run({ kind: 'docs', changes: [{ kind: 'receipt', id: 'k', doc: { ...held, users } as never }] });
  const shown = (by?: string) => {
    const { users: found, gone } = bench.run(once('k', command), by);
    return [found.map(({ user }) => user.id), gone];
  };
  assert.deepEqual(shown('ann'), [
    ['ann', 'bob', 'cem'],
    ['dee', 'none'],
  ]);
  bench.settings({ multi_tenant_enabled: true });
  assert.deepEqual(shown('ann'), [
    ['ann', 'bob'],
    ['cem', 'dee', 'none'],
  ]);
  assert.deepEqual(shown(), [['ann', 'bob', 'cem', 'dee'], ['none']]);
});

test('IK9 at its bound a caller loses its ten oldest receipts: a client its own, callers without a user theirs, a server the oldest of all', () => {
  for (const [by, owner, most] of [
    ['ann', 'ann', LIMITS.receiptsPerUser],
    [undefined, ANONYMOUS, LIMITS.receiptsOfNobody],
  ] as const) {
    const bench = new RulesBench();
    const receipt = (n: number): Fact => ({
      t: 'doc',
      kind: 'receipt',
      id: `k${n}`,
      doc: { id: `k${n}`, fingerprint: 'f', seq: 0, users: [], created_at: 1, ...(n === 0 ? {} : { by: owner }) },
    });
    bench.directory.apply({ id: 'many', time: 1, first: 1, facts: Array.from({ length: most }, (_, n) => receipt(n)) });
    const make = () => {
      const draft = new Draft(bench.directory);
      draft.begin({ source: 'client', ...(by === undefined ? {} : { by }) });
      makeRoom(draft);
      draft.commit();
      return draft.facts.map((fact) => (fact.t === 'doc' ? fact.id : fact.t));
    };
    assert.deepEqual(make(), [], 'one place is left');
    bench.directory.apply({ id: 'one', time: 2, first: most + 1, facts: [receipt(most)] });
    assert.deepEqual(
      make(),
      Array.from({ length: 10 }, (_, n) => `k${n + 1}`),
    );
  }
});

test('IK9 receipts go at the end of their time to the microsecond, so many at once, and those from the future do not hold up others', () => {
  const bench = new RulesBench();
  const times = [500, 90, 100, 101, 102];
  const facts = times.map(
    (created_at): Fact => ({
      t: 'doc',
      kind: 'receipt',
      id: `k${created_at}`,
      doc: { id: `k${created_at}`, fingerprint: 'f', seq: 0, users: [], created_at },
    }),
  );
  bench.directory.apply({ id: 'x', time: 1, first: 1, facts });
  const dropped = (wall: number, kept: number, max: number) => {
    const draft = new Draft(bench.directory);
    return dropReceipts(draft, wall, kept, max).map(({ id }) => id);
  };
  assert.deepEqual(dropped(200, 100, 9), ['k90', 'k100']);
  assert.deepEqual(dropped(201, 100, 9), ['k90', 'k100', 'k101']);
  assert.deepEqual(dropped(600, 100, 9), ['k500', 'k90', 'k100', 'k101', 'k102']);
  assert.deepEqual(dropped(500, 1, 9), [], 'one of just now ends the search');
  assert.deepEqual(dropped(499, 1, 9), ['k90', 'k100', 'k101', 'k102']);
  assert.deepEqual([dropped(200, 0, 2), dropped(200, 0, 1), dropped(200, 0, 0), dropped(200, 0, -1)], [['k90', 'k100'], ['k90'], [], []]);
});
