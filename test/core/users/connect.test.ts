/** A client connects: US6, US7, TN6, UA10. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { ConnectDetails } from '../../../protocol/users/connect.ts';
import { Bench } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

test('US6 connect creates, merges the keys sent, removes nothing, and refuses a role that differs', () => {
  const bench = new Bench();
  assert.equal(bench.connect('ann', { name: 'Ann', custom: { a: 1 } }).users[0]?.change, 'created');
  bench.connect('ann', { custom: { b: 2 }, privacy_settings: { read_receipts: { enabled: false } }, role: 'user' });
  const { name, custom, role, privacy_settings } = bench.user('ann');
  assert.deepEqual({ name, custom, role }, { name: 'Ann', custom: { a: 1, b: 2 }, role: 'user' });
  assert.deepEqual(privacy_settings, { read_receipts: { enabled: false } });
  const error = refusal(() => bench.connect('ann', { role: 'admin' }));
  assert.equal(error.message, "User 'ann' with role 'user' is not allowed to perform action UpdateUserRole");
  assert.equal(refusal(() => bench.connect('new', { role: 'admin' })).kind, 'not_allowed');
  assert.equal(refusal(() => bench.connect('ann', { teams: ['red'] })).kind, 'not_allowed');
  const keeping = new Bench({ connectRole: 'keep' });
  assert.deepEqual(keeping.connect('ann', { role: 'admin', teams: ['red'] }).warnings, ['role', 'teams']);
  assert.deepEqual(keeping.user('ann').teams, []);
});

test('US6 role, teams and roles in teams may be repeated, in any order of teams, and not changed; the field is named', () => {
  const SERVER_FIELDS = { role: 'admin', teams: ['red', 'blue'], teams_role: { red: 'moderator' } };
  const bench = new Bench();
  bench.upsert([{ id: 'ann', ...SERVER_FIELDS }, { id: 'bob' }]);
  bench.connect('ann', { ...SERVER_FIELDS, teams: ['blue', 'red'] });
  // Somebody without teams and roles in them repeats that, too.
  for (const id of ['bob', 'new']) bench.connect(id, { role: 'user', teams: [], teams_role: {} });
  const refused: readonly [string, Partial<ConnectDetails>, string, string][] = [
    ['ann', { role: 'user' }, 'role', 'UpdateUserRole'],
    ['ann', { teams: ['red'] }, 'teams', 'UpdateUserTeams'],
    ['ann', { teams_role: { red: 'admin' } }, 'teams_role', 'UpdateUserRole'],
    ['ann', { teams_role: {} }, 'teams_role', 'UpdateUserRole'],
    ['bob', { teams_role: { red: 'admin' } }, 'teams_role', 'UpdateUserRole'],
    ['bob', { teams: ['red'] }, 'teams', 'UpdateUserTeams'],
    ['none', { teams_role: { red: 'admin' } }, 'teams_role', 'UpdateUserRole'],
    ['none', { role: 'admin' }, 'role', 'UpdateUserRole'],
  ];
  const keeping = new Bench({ connectRole: 'keep' });
  keeping.upsert([{ id: 'ann', ...SERVER_FIELDS }, { id: 'bob' }]);
  for (const [id, details, field, action] of refused) {
    const role = id === 'ann' ? 'admin' : 'user';
    const message = `User '${id}' with role '${role}' is not allowed to perform action ${action}`;
    const error = refusal(() => bench.connect(id, details));
    assert.deepEqual([error.kind, error.message, error.fields], ['not_allowed', message, [{ path: `user.${field}`, message }]]);
    assert.deepEqual(keeping.connect(id, { ...details, custom: { [field]: 1 } }).warnings, [field]);
  }
  const { role, teams, teams_role } = keeping.user('ann');
  assert.deepEqual({ role, teams, teams_role }, SERVER_FIELDS);
  assert.deepEqual(keeping.connect('ann', { role: 'user', teams: [], teams_role: {} }).warnings, ['role', 'teams', 'teams_role']);
});

test('TN6 a connect of a user that may not change itself is refused, or changes nothing and warns, as the policy says', () => {
  for (const connectRole of ['refuse', 'keep'] as const) {
    const bench = new Bench({ connectRole });
    bench.connect('ann', { name: 'Ann' });
    bench.run({ kind: 'settings', set: { grants: { user: [] } } });
    const before = bench.user('ann');
    const { seq } = bench.directory;
    const change = () => bench.connect('ann', { name: 'Other' });
    if (connectRole === 'refuse') {
      const error = refusal(change);
      assert.deepEqual(
        [error.kind, error.message],
        ['not_allowed', "User 'ann' with role 'user' is not allowed to perform action UpdateUser"],
      );
    } else assert.deepEqual(change(), { users: [{ user: before, change: 'unchanged' }], warnings: ['user'], seq });
    assert.deepEqual([bench.user('ann'), bench.directory.seq], [before, seq]);
    assert.deepEqual(bench.connect('ann', { name: 'Ann' }).users[0]?.change, 'unchanged');
    assert.equal(bench.connect('new', { name: 'New' }).users[0]?.change, 'created');
  }
});

test('US6 every fault of the details is named with its field, under `user`', () => {
  const bench = new Bench();
  bench.run({ kind: 'settings', set: { enforce_unique_usernames: 'app' } });
  bench.upsert([{ id: 'bob', name: 'Bob' }]);
  const fields = (details: Partial<ConnectDetails>) => refusal(() => bench.connect('ann', details)).fields.map(({ path }) => path);
  assert.deepEqual(fields({ name: 'bob' }), ['user.name']);
  const { message, fields: big } = refusal(() => bench.connect('ann', { custom: { book: 'x'.repeat(LIMITS.clientUserBytes) } }));
  assert.deepEqual([message, big[0]?.path], [`user: ${big[0]?.message}`, 'user']);
});

test('UA10 users that stay connected are active: silently, when it is due, and only who is there', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'asleep' }, { id: 'gone' }, { id: 'never' }]);
  bench.connect('ann');
  for (const id of ['asleep', 'gone']) bench.connect(id);
  bench.run({ kind: 'deactivate', ids: ['asleep'], options: {} });
  bench.delete('gone');
  const ids = ['nobody', 'asleep', 'gone', 'ann', 'never'];
  const active = (minutes: number) => {
    bench.at(start + minutes * 60_000_000);
    return bench.factsOf(() => bench.run({ kind: 'active', ids }));
  };
  const start = bench.user('ann').last_active ?? 0;
  assert.deepEqual(
    active(14).map((fact) => (fact.t === 'user' ? [fact.event, fact.user.id, fact.user.last_active] : fact)),
    [['silent', 'never', start + 14 * 60_000_000]],
  );
  const before = bench.user('ann');
  const facts = active(15);
  assert.deepEqual(facts, [{ t: 'user', event: 'silent', user: { ...before, last_active: start + 15 * 60_000_000 } }]);
  assert.deepEqual(active(15), []);
  assert.equal(bench.user('ann').last_active, start + 15 * 60_000_000);
});

test('US7 the stale-reconnect guard writes only what differs from what was sent last', () => {
  const bench = new Bench();
  const phone = { name: 'Old', custom: { color: 'blue', size: 1 } };
  bench.connect('ann', phone);
  bench.patch('ann', { name: 'New', color: 'red', extra: true });
  const beforeSeq = bench.directory.seq;
  bench.connect('ann', phone);
  assert.equal(bench.directory.seq, beforeSeq, 'the same details again are no entry');
  bench.connect('ann', { name: 'Old', custom: { color: 'green' } });
  assert.deepEqual(bench.user('ann').custom, { color: 'green', size: 1, extra: true });
  assert.equal(bench.user('ann').name, 'New');
  // The phone sends what is stored already: nothing changes for anyone, but it is remembered.
  const { rev } = bench.user('ann');
  bench.connect('ann', { name: 'New', custom: {} });
  assert.equal(bench.user('ann').rev, rev);
  bench.patch('ann', { name: 'Newer' });
  bench.connect('ann', { name: 'New', custom: {} });
  assert.equal(bench.user('ann').name, 'Newer');
});

test('US7 the guard forgets nothing over an upsert, and merge mode writes everything', () => {
  const bench = new Bench();
  bench.connect('ann', { name: 'Old' });
  bench.upsert([{ id: 'ann', name: 'Server' }]);
  bench.connect('ann', { name: 'Old' });
  assert.equal(bench.user('ann').name, 'Server');
  const merging = new Bench({ connectGuard: 'merge' });
  merging.connect('ann', { name: 'Old' });
  merging.upsert([{ id: 'ann', name: 'Server' }]);
  merging.connect('ann', { name: 'Old' });
  assert.equal(merging.user('ann').name, 'Old');
});

test('US6 TN6 a user whose role may not change itself connects all the same where its record is kept, and is told of it', () => {
  for (const connectRole of ['refuse', 'keep'] as const) {
    const bench = new Bench({ connectRole });
    bench.connect('ann', { name: 'Ann' });
    bench.run({ kind: 'settings', set: { grants: { user: [] } } });
    const before = bench.user('ann');
    assert.equal(bench.connect('ann', { name: 'Ann' }).users[0]?.change, 'unchanged', 'what is the same is no change');
    const act = () => bench.connect('ann', { name: 'Other' });
    if (connectRole === 'refuse') {
      const { kind, message } = refusal(act);
      assert.deepEqual([kind, message], ['not_allowed', "User 'ann' with role 'user' is not allowed to perform action UpdateUser"]);
    } else assert.deepEqual(act().warnings, ['user']);
    assert.deepEqual([bench.user('ann').name, bench.user('ann').rev], ['Ann', before.rev]);
  }
});
