/** The life of a user: US9–US11. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HARD_OPTIONS } from '../../../protocol/users/delete-options.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { Bench } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';

test('US9 deactivate keeps the data and refuses connects; reactivate may rename; twice is an error', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann', name: 'Ann', custom: { a: 1 } }]);
  bench.run({ kind: 'deactivate', ids: ['ann'], options: { created_by_id: 'root' } });
  assert.equal(refusal(() => bench.connect('ann')).message, 'the user ann was deactivated');
  assert.equal(refusal(() => bench.run({ kind: 'deactivate', ids: ['ann'], options: {} })).spec.code, 4);
  bench.run({ kind: 'reactivate', ids: ['ann'], name: 'Anna', options: {} });
  assert.equal(bench.user('ann').name, 'Anna');
  assert.equal(bench.user('ann').deactivated_at, undefined);
  assert.equal(refusal(() => bench.run({ kind: 'reactivate', ids: ['ann'], options: {} })).spec.code, 4);
  assert.equal(refusal(() => bench.run({ kind: 'deactivate', ids: ['nobody'], options: {} })).spec.code, 16);
});

test('US10 soft keeps the record, pruning empties it, hard removes it, each may follow a weaker one, and the id stays burned', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann', name: 'Ann', image: 'i', teams: ['red'], role: 'admin', custom: { a: 1 } }]);
  const remove = (mode: 'soft' | 'pruning' | 'hard') =>
    bench.run({ kind: 'delete', ids: ['ann'], mode, options: mode === 'hard' ? HARD_OPTIONS : {} });
  const record = () => bench.directory.record('ann') as Partial<StoredUser> & { gone_at?: number };
  remove('soft');
  assert.equal(bench.directory.user('ann'), undefined);
  assert.equal(record().name, 'Ann');
  assert.equal(refusal(() => remove('soft')).message, 'the user ann was deleted');
  remove('pruning');
  assert.deepEqual(
    [record().name, record().image, record().custom, record().teams, record().role],
    [undefined, undefined, {}, [], 'admin'],
  );
  remove('hard');
  assert.ok(record().gone_at !== undefined);
  for (const act of [
    () => remove('hard'),
    () => bench.connect('ann'),
    () => bench.upsert([{ id: 'ann' }]),
    () => bench.patch('ann', { a: 1 }),
  ]) {
    assert.equal(refusal(act).spec.code, 16);
  }
  const reusing = new Bench({ reuseHardDeleted: true });
  reusing.upsert([{ id: 'ann' }]);
  reusing.run({ kind: 'delete', ids: ['ann'], mode: 'hard', options: HARD_OPTIONS });
  assert.equal(reusing.upsert([{ id: 'ann' }]).users[0]?.change, 'created');
});

test('US11 with a task each user succeeds or fails alone, and the finished task comes in the same entry', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }, { id: 'bob' }]);
  bench.run({ kind: 'delete', ids: ['ann', 'nobody', 'bob'], mode: 'soft', options: {}, task: 't1' });
  assert.deepEqual(bench.directory.docs.get('task', 't1')?.result, {
    ann: { status: 'ok' },
    nobody: { status: 'error', error: 'the user nobody does not exist' },
    bob: { status: 'ok' },
  });
  assert.equal(bench.directory.docs.get('task', 't1')?.status, 'completed');
  assert.equal(bench.directory.size, 0);
});
