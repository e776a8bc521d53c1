/** SN1, UL1: a view shows one moment, whatever changes afterwards. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HARD_OPTIONS } from '../../../protocol/users/delete-options.ts';
import { Bench } from '../../support/decide-bench.ts';

const lines = (view: { lines(): Iterable<object> }): string[] => [...view.lines()].map((line) => JSON.stringify(line)).sort();

/** A directory with users and documents. */
function filled(): Bench {
  const bench = new Bench();
  bench.upsert(Array.from({ length: 5 }, (_, n) => ({ id: `u${n}`, name: 'old' })));
  for (const id of ['a', 'b']) bench.run({ kind: 'docs', changes: [{ kind: 'task', id, doc: taskOf(id, 'pending') }] });
  return bench;
}

const taskOf = (id: string, status: 'pending' | 'running') => ({ id, kind: 'test', status, created_at: 1, updated_at: 1 }) as const;

const CHANGES: Readonly<Record<string, (bench: Bench) => unknown>> = {
  'one user': (bench) => bench.patch('u1', { name: 'new' }),
  'a user, twice': (bench) => [bench.patch('u1', { name: 'new' }), bench.patch('u1', { name: 'newer' })],
  'a new user': (bench) => bench.upsert([{ id: 'new' }]),
  'a user that is removed': (bench) => bench.run({ kind: 'delete', ids: ['u2'], mode: 'hard', options: HARD_OPTIONS }),
  'one document': (bench) => bench.run({ kind: 'docs', changes: [{ kind: 'task', id: 'a', doc: taskOf('a', 'running') }] }),
  'a document that is removed': (bench) => bench.run({ kind: 'docs', changes: [{ kind: 'task', id: 'a', doc: null }] }),
  'a new document': (bench) => bench.run({ kind: 'docs', changes: [{ kind: 'task', id: 'c', doc: taskOf('c', 'pending') }] }),
  'the settings': (bench) => bench.run({ kind: 'settings', set: { enforce_unique_usernames: 'app' } }),
};

for (const [name, change] of Object.entries(CHANGES)) {
  test(`SN1 UL1 a view is not touched by a change of ${name}`, () => {
    const bench = filled();
    const expected = lines(bench.directory.freeze());
    const view = bench.directory.freeze();
    change(bench);
    assert.deepEqual(lines(view), expected);
    assert.deepEqual([view.user('u1')?.name, view.user('u2')?.id, view.user('new'), [...view.users()].length], ['old', 'u2', undefined, 5]);
    const later = bench.directory.freeze();
    assert.notDeepEqual(lines(later), expected);
    view.release();
    bench.upsert([{ id: 'after' }]);
    assert.notDeepEqual(lines(bench.directory.freeze()), expected);
    later.release();
  });
}
