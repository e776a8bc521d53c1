/** A client connects: US6 and US7. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';

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
