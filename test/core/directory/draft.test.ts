/** OG2, SQ3: what a draft adds to the facts, and what a later command of a batch sees of an earlier one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import type { Fact, Origin } from '../../../protocol/log/entry.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

const user = (id: string, more: Partial<StoredUser> = {}): StoredUser => ({
  ...{ id, rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 },
  ...more,
});

const FROM: Origin = { source: 'client', by: 'ann' };

/** A draft over a directory with ann (Ann, blue) and bob. */
function draftOf(isFull = false): Draft {
  const directory = new Directory({ epoch: 'e', seq: 2 });
  directory.load([{ user: user('ann', { name: 'Ann', custom: { color: 'blue' } }) }, { user: user('bob') }]);
  return new Draft(directory, isFull);
}

/** What is noted beside the user of the fact, of a command with this origin. */
function noted(fact: Fact, origin: Origin | undefined = FROM): unknown {
  const draft = draftOf();
  if (origin !== undefined) draft.begin(origin);
  draft.stage(fact);
  draft.commit();
  assert.deepEqual(draft.facts, [fact]);
  const { from, fields }: { from?: unknown; fields?: unknown } = fact.t === 'user' || fact.t === 'deleted' ? fact : {};
  return [from, fields];
}

test('OG2 a fact about a user has the origin of its command, and an update the fields that it touched', () => {
  const renamed = user('ann', { name: 'Anna', custom: { color: 'red' } });
  assert.deepEqual(noted({ t: 'user', event: 'updated', user: renamed }), [FROM, ['name', 'custom.color']]);
  assert.deepEqual(noted({ t: 'user', event: 'created', user: user('new', { name: 'N' }) }), [FROM, undefined]);
  assert.deepEqual(noted({ t: 'user', event: 'updated', user: user('new', { name: 'N' }) }), [FROM, undefined], 'nothing was there before');
  assert.deepEqual(noted({ t: 'deleted', mode: 'soft', options: {}, user: renamed } as never), [FROM, undefined]);
  assert.deepEqual(noted({ t: 'user', event: 'silent', user: renamed }), [undefined, undefined]);
});

test('SQ3 a command sees what earlier ones of its batch left, and nothing of one that was refused', () => {
  const draft = draftOf();
  const holders = (key: string): string[] => [...draft.holders(key)].map(({ id }) => id);
  assert.equal(draft.nextSeq, 3);
  draft.stage({ t: 'user', event: 'updated', user: user('bob', { name: 'Robert', role: 'admin' }) });
  assert.deepEqual([draft.nextSeq, holders('robert'), holders('ann')], [4, ['bob'], ['ann']]);
  draft.discard();
  assert.deepEqual([draft.nextSeq, holders('robert'), draft.record('bob')], [3, [], user('bob')]);
  draft.stage({ t: 'user', event: 'updated', user: user('bob', { name: 'Robert', role: 'admin' }) });
  assert.equal(draft.usersWithRole('admin'), 0, 'what is not accepted yet does not count');
  draft.commit();
  assert.deepEqual([draft.nextSeq, draft.usersWithRole('admin'), draft.usersWithRole('user')], [4, 1, 1]);
  draft.stage({ t: 'deleted', mode: 'hard', options: {}, user: user('ann', { name: 'Ann' }) } as never);
  draft.commit();
  assert.deepEqual([holders('ann'), draft.usersWithRole('user'), draft.nextSeq], [[], 0, 5]);
  const left = draft.record('ann');
  assert.ok(left !== undefined && !('rev' in left), 'a tombstone');
  assert.deepEqual(
    draft.facts.map(({ t }) => t),
    ['user', 'deleted'],
  );
});

test('OG1 who may do what follows from the origin: its source and its user', () => {
  for (const [origin, sender] of [
    [undefined, { kind: 'server' }],
    [{ source: 'server' }, { kind: 'server' }],
    [{ source: 'import', by: 'ann' }, { kind: 'server' }],
    [
      { source: 'client', by: 'ann' },
      { kind: 'user', id: 'ann' },
    ],
    [
      { source: 'live', by: 'ann' },
      { kind: 'user', id: 'ann' },
    ],
    [{ source: 'client' }, { kind: 'anonymous' }],
    [{ source: 'live' }, { kind: 'server' }],
  ] as const) {
    const draft = draftOf();
    if (origin !== undefined) draft.begin(origin);
    assert.deepEqual(draft.sender, sender, JSON.stringify(origin));
  }
});

test('HR1 where there is no room, users and activities that are new are too much, and everything else is not', () => {
  const draft = draftOf(true);
  const isTooMuch = (...facts: Fact[]): boolean => {
    for (const fact of facts) draft.stage(fact);
    const found = draft.isTooMuch;
    draft.discard();
    return found;
  };
  const activity = { t: 'doc', kind: 'activity', id: 'a1', doc: { id: 'a1' } } as unknown as Fact;
  const created: Fact = { t: 'user', event: 'created', user: user('new') };
  const changed: Fact = { t: 'user', event: 'updated', user: user('ann', { name: 'Anna' }) };
  assert.equal(isTooMuch(created), true);
  assert.equal(isTooMuch(changed, activity), true);
  assert.equal(isTooMuch(changed), false, 'what was refused has left no trace');
  draft.stage({ t: 'deleted', mode: 'soft', options: {}, user: user('bob', { deleted_at: 2 }) } as never);
  draft.stage({ t: 'deleted', mode: 'hard', options: {}, user: user('ann') } as never);
  draft.commit();
  assert.equal(isTooMuch({ t: 'user', event: 'updated', user: user('bob') }), false, 'restored: it was there all the time');
  assert.equal(isTooMuch({ t: 'user', event: 'created', user: user('ann') }), true, 'anew under an id that was taken');
  assert.equal(isTooMuch({ t: 'deleted', mode: 'hard', options: {}, user: user('ann') } as never), false);
  assert.equal(isTooMuch({ t: 'doc', kind: 'activity', id: 'a1', doc: null } as never), false, 'one that goes');
  assert.equal(isTooMuch({ t: 'doc', kind: 'task', id: 't1', doc: { id: 't1' } } as never), false);
  const roomy = draftOf();
  for (const fact of [created, activity]) roomy.stage(fact);
  assert.equal(roomy.isTooMuch, false);
});
