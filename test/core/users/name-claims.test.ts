/** Unique names: US8, PV1. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';

test('US8 unique names: within the app, within common teams, within a batch, and freed by a delete', () => {
  const app = new Bench();
  app.upsert([
    { id: 'old1', name: 'Same' },
    { id: 'old2', name: 'same' },
  ]);
  app.run({ kind: 'settings', set: { enforce_unique_usernames: 'app' } });
  app.upsert([{ id: 'old1', name: 'Same', custom: { a: 1 } }]);
  app.upsert([{ id: 'ann', name: 'John Doe' }]);
  for (const name of ['john.doe', 'JOHN  DOE', 'Ｊohn Doe']) assert.equal(refusal(() => app.connect('bob', { name })).spec.code, 6, name);
  assert.equal(
    refusal(() =>
      app.upsert([
        { id: 'x', name: 'New one' },
        { id: 'y', name: 'new-one' },
      ]),
    ).kind,
    'duplicate_username',
  );
  assert.equal(refusal(() => app.patch('old2', { name: 'john doe' })).kind, 'duplicate_username');
  app.run({ kind: 'deactivate', ids: ['ann'], options: {} });
  assert.equal(refusal(() => app.connect('bob', { name: 'John Doe' })).kind, 'duplicate_username');
  app.run({ kind: 'delete', ids: ['ann'], mode: 'soft', options: {} });
  app.connect('bob', { name: 'John Doe' });

  const team = new Bench();
  team.run({ kind: 'settings', set: { enforce_unique_usernames: 'team' } });
  team.upsert([
    { id: 'a', name: 'Ann', teams: ['red'] },
    { id: 'b', name: 'Ann', teams: ['blue'] },
  ]);
  assert.equal(refusal(() => team.upsert([{ id: 'c', name: 'ann', teams: ['green', 'blue'] }])).kind, 'duplicate_username');
  assert.equal(refusal(() => team.patch('b', { teams: ['blue', 'red'] })).kind, 'duplicate_username');
});

test('PV1 a write that the caller has no right to is refused for that alone: a name in a foreign team is not judged', () => {
  const app = new Bench();
  app.run({ kind: 'settings', set: { enforce_unique_usernames: 'team' } });
  app.upsert([
    { id: 'hidden', name: 'Ann', teams: ['red'] },
    { id: 'fay', name: 'Fay', teams: ['blue'] },
  ]);
  const fay = { kind: 'user', id: 'fay' } as const;
  for (const name of ['Ann', 'Nobody']) {
    const refusals = [
      refusal(() => app.upsert([{ id: 'fay', name, teams: ['blue', 'red'] }], fay)),
      refusal(() => app.patch('fay', { name, teams: ['blue', 'red'] }, [], fay)),
    ];
    const fields = refusals.map(({ fields: named }) => named.map(({ path }) => path));
    assert.deepEqual(fields, [['users[fay].teams'], ['users[fay].teams']], name);
  }
  // A server is told everything that is wrong.
  assert.equal(refusal(() => app.upsert([{ id: 'fay', name: 'Ann', teams: ['red'] }])).kind, 'duplicate_username');
});
