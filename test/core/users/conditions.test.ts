/** Revisions that users must have to be changed: CN1–CN4, CN6, CN8. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { decide } from '../../../daemon/core/decide.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import type { Actor } from '../../../protocol/base/actor.ts';
import type { Command, Outcome } from '../../../protocol/log/command.ts';
import type { Conditions } from '../../../protocol/users/conditions.ts';
import { HARD_OPTIONS } from '../../../protocol/users/delete-options.ts';
import { decodePatches } from '../../../protocol/users/patch-request.ts';
import { DEFAULT_POLICY } from '../../support/default-policy.ts';
import { refusal } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const SERVER: Actor = { kind: 'server' };
const T1 = '11111111-1111-4111-8111-111111111111';

function upsert(id: string, name: string, ifRev: Conditions, actor: Actor = SERVER): Command {
  return { kind: 'upsert', actor, users: [{ id, name, custom: {} }], problems: [], ifRev };
}

function patch(id: string, name: string, ifRev: Conditions, actor: Actor = SERVER): Command {
  return { ...decodePatches({ users: [{ id, set: { name } }] }, actor), ifRev };
}

const lifecycle = (kind: 'deactivate' | 'reactivate', id: string, ifRev: Conditions): Command => ({ kind, ids: [id], options: {}, ifRev });
const remove = (id: string, ifRev: Conditions, mode: 'soft' | 'hard' = 'soft'): Command => ({
  kind: 'delete',
  ids: [id],
  mode,
  options: mode === 'hard' ? HARD_OPTIONS : {},
  ifRev,
});

type Make = (id: string, ifRev: Conditions) => Command;

/** Every operation that takes a condition, as a change of the living user. `bench` makes the state that it changes. */
const OPERATIONS: Readonly<Record<string, { readonly make: Make; readonly isAsleep?: true }>> = {
  upsert: { make: (id, ifRev) => upsert(id, 'New', ifRev) },
  patch: { make: (id, ifRev) => patch(id, 'New', ifRev) },
  deactivate: { make: (id, ifRev) => lifecycle('deactivate', id, ifRev) },
  reactivate: { make: (id, ifRev) => lifecycle('reactivate', id, ifRev), isAsleep: true },
  'soft delete': { make: (id, ifRev) => remove(id, ifRev) },
  'hard delete': { make: (id, ifRev) => remove(id, ifRev, 'hard') },
};

function benchWithAnn(isAsleep: boolean): RulesBench {
  const bench = new RulesBench();
  bench.upsert([{ id: 'zoe' }, { id: 'ann', name: 'Ann' }]);
  if (isAsleep) bench.run({ kind: 'deactivate', ids: ['ann'], options: {} });
  return bench;
}

describe('CN1 a user is changed only at the revision that was named', () => {
  for (const [name, { make, isAsleep = false }] of Object.entries(OPERATIONS)) {
    const rev = isAsleep ? 3 : 2;
    const cases: readonly [what: string, wanted: number | '*', message: string | undefined][] = [
      ['the right revision', rev, undefined],
      ['any revision', '*', undefined],
      ['an older one', 1, `the user ann has revision ${rev}, not 1`],
      ['one that is not there yet', 99, `the user ann has revision ${rev}, not 99`],
      ['none', 0, `the user ann exists already (revision ${rev})`],
    ];
    for (const [what, wanted, message] of cases) {
      it(`${name}, ${what}`, () => {
        const bench = benchWithAnn(isAsleep);
        const before = bench.user('ann');
        const act = (): Outcome => bench.run(make('ann', new Map([['ann', wanted]])));
        if (message === undefined) {
          assert.equal(act().users[0]?.change, 'updated');
          return;
        }
        const error = refusal(act);
        assert.deepEqual([error.kind, error.message, error.fields[0]?.path], ['precondition', message, 'users[ann]']);
        assert.equal(bench.user('ann'), before);
      });
    }
    it(`${name}, a user that does not exist`, () => {
      const bench = benchWithAnn(false);
      for (const wanted of [7, '*'] as const) {
        const error = refusal(() => bench.run(make('bob', new Map([['bob', wanted]]))));
        assert.deepEqual([error.kind, error.message], ['precondition', 'the user bob does not exist']);
      }
    });
  }

  it('CN1 0 creates who does not exist, and is no condition on anything else', () => {
    const bench = benchWithAnn(false);
    assert.equal(bench.run(upsert('bob', 'Bob', new Map([['bob', 0]]))).users[0]?.change, 'created');
    assert.equal(refusal(() => bench.run(remove('cem', new Map([['cem', 0]])))).kind, 'not_found');
    assert.equal(refusal(() => bench.run(lifecycle('deactivate', 'cem', new Map([['cem', 0]])))).kind, 'not_found');
  });

  it('CN1 a deleted user does not exist for a write, and is still there to be removed for good', () => {
    const bench = benchWithAnn(false);
    bench.delete('ann');
    const wanted = new Map([['ann', 2]]);
    assert.deepEqual(
      [upsert('ann', 'New', wanted), lifecycle('deactivate', 'ann', wanted)].map((command) => refusal(() => bench.run(command)).message),
      ['the user ann does not exist', 'the user ann does not exist'],
    );
    assert.equal(refusal(() => bench.run(upsert('ann', 'New', new Map([['ann', 0]])))).kind, 'not_found');
    assert.equal(refusal(() => bench.run(remove('ann', wanted, 'hard'))).message, 'the user ann has revision 3, not 2');
    assert.equal(bench.run(remove('ann', new Map([['ann', 3]]), 'hard')).users[0]?.change, 'updated');
    const freed = new RulesBench();
    freed.upsert([{ id: 'ann' }]);
    freed.delete('ann');
    assert.equal(freed.run({ ...upsert('ann', 'New', new Map([['ann', 0]])), reuseDeleted: true } as Command).users[0]?.change, 'created');
  });
});

test('CN2 a user that would not change is not refused, whatever revision was named', () => {
  const bench = benchWithAnn(false);
  const old = new Map<string, number>([['ann', 1]]);
  const facts = bench.entries.length;
  assert.equal(bench.run(upsert('ann', 'Ann', old)).users[0]?.change, 'unchanged');
  assert.equal(bench.run(upsert('ann', 'Ann', new Map([['ann', 0]]))).users[0]?.change, 'unchanged');
  assert.equal(
    bench.run({ ...upsert('ann', 'Other', old), existing: 'keep' } as Command).users[0]?.change,
    'unchanged',
    'who is kept does not change',
  );
  assert.equal(bench.run(patch('ann', 'Ann', old)).users[0]?.change, 'unchanged');
  assert.equal(bench.run(lifecycle('reactivate', 'ann', old)).users[0]?.change, 'unchanged');
  assert.equal(bench.entries.length, facts);
  bench.run(lifecycle('deactivate', 'ann', new Map([['ann', 2]])));
  assert.equal(bench.run(lifecycle('deactivate', 'ann', new Map([['ann', 2]]))).users[0]?.change, 'unchanged');
  bench.delete('ann');
  assert.equal(bench.run(remove('ann', new Map([['ann', 3]]))).users[0]?.user.deleted, 'soft');
  bench.delete('ann', 'hard');
  assert.equal(
    refusal(() => bench.run(remove('ann', new Map([['ann', 3]]), 'hard'))).message,
    'the user ann was deleted',
    'there is nothing left to answer with',
  );
});

test('CN2 without a condition what is already so is an error, as before', () => {
  const bench = benchWithAnn(false);
  assert.equal(refusal(() => bench.run({ kind: 'reactivate', ids: ['ann'], options: {} })).message, 'the user ann is not deactivated');
  const other = new Map([['bob', 1]]);
  assert.equal(refusal(() => bench.run({ kind: 'reactivate', ids: ['ann'], options: {}, ifRev: other })).kind, 'input');
  const renamed: Command = { kind: 'reactivate', ids: ['ann'], options: {}, name: 'Other', ifRev: new Map([['ann', 2]]) };
  assert.equal(refusal(() => bench.run(renamed)).kind, 'input', 'a new name would be a change');
});

test('CN3 all problems of a batch are listed, one for a user that has another revision, and nothing of the batch is stored', () => {
  const bench = benchWithAnn(false);
  bench.upsert([{ id: 'bob' }]);
  const command: Command = {
    kind: 'upsert',
    actor: SERVER,
    users: [
      { id: 'ann', role: 'no-such-role', custom: {} },
      { id: 'bob', role: 'no-such-role', custom: {} },
      { id: 'cem', custom: {} },
      { id: 'dan', custom: {} },
    ],
    problems: [],
    ifRev: new Map([
      ['ann', 7],
      ['bob', 3],
      ['cem', 4],
      ['dan', 0],
    ]),
  };
  const seq = bench.directory.seq;
  const error = refusal(() => bench.run(command));
  assert.equal(error.kind, 'precondition');
  assert.deepEqual(
    error.fields.map(({ path, message, code }) => [path, message, code]),
    [
      ['users[ann]', 'the user ann has revision 2, not 7', 4],
      ['users[bob].role', 'role "no-such-role" does not exist', 4],
      ['users[cem]', 'the user cem does not exist', 4],
    ],
  );
  assert.equal(bench.directory.seq, seq);
});

test('CN3 a name that a refused user would have left free counts as free for the others of its batch', () => {
  const bench = benchWithAnn(false);
  bench.settings({ enforce_unique_usernames: 'app' });
  const users = [
    { id: 'ann', name: 'Other', custom: {} },
    { id: 'bob', name: 'Ann', custom: {} },
  ];
  const error = refusal(() => bench.run({ kind: 'upsert', actor: SERVER, users, problems: [], ifRev: new Map([['ann', 1]]) }));
  assert.deepEqual(
    error.fields.map(({ path }) => path),
    ['users[ann]'],
  );
});

test('CN4 of two commands that are decided together, the second sees the revision that the first one gives', () => {
  const bench = benchWithAnn(false);
  const draft = new Draft(bench.directory);
  const first = decide(draft, upsert('ann', 'First', new Map([['ann', 2]])), bench.now + 1, DEFAULT_POLICY);
  const rev = first.users[0]?.user.rev;
  assert.equal(rev, 3);
  const late = refusal(() => decide(draft, upsert('ann', 'Second', new Map([['ann', 2]])), bench.now + 2, DEFAULT_POLICY));
  assert.equal(late.message, 'the user ann has revision 3, not 2');
  assert.equal(decide(draft, patch('ann', 'Third', new Map([['ann', 3]])), bench.now + 3, DEFAULT_POLICY).users[0]?.user.rev, 4);
  assert.equal(draft.facts.length, 2);
});

test('CN6 of many users each has its own result; what is already so is ok', () => {
  const bench = new RulesBench();
  bench.upsert(['ann', 'bob', 'cem', 'dan', 'eve', 'fay'].map((id) => ({ id })));
  bench.run({ kind: 'deactivate', ids: ['cem'], options: {} });
  bench.delete('fay', 'hard');
  const ifRev = new Map(['ann', 'bob', 'cem', 'fay', 'zoe'].map((id, at) => [id, at + 1]));
  ifRev.set('bob', 77);
  const results = (command: Command): unknown => {
    bench.run(command);
    return bench.directory.docs.get('task', T1)?.result;
  };
  const ids = ['ann', 'bob', 'cem', 'dan', 'zoe'];
  assert.deepEqual(results({ kind: 'deactivate', ids, options: {}, task: T1, ifRev }), {
    ann: { status: 'ok' },
    bob: { status: 'error', error: 'the user bob has revision 2, not 77' },
    cem: { status: 'ok' },
    dan: { status: 'ok' },
    zoe: { status: 'error', error: 'the user zoe does not exist' },
  });
  assert.equal(bench.user('bob').deactivated_at, undefined);
  // The same once more: what was done is so already, and what was refused is refused again.
  assert.deepEqual(results({ kind: 'deactivate', ids: ['ann', 'bob', 'dan'], options: {}, task: T1, ifRev }), {
    ann: { status: 'ok' },
    bob: { status: 'error', error: 'the user bob has revision 2, not 77' },
    dan: { status: 'error', error: 'the user dan is already deactivated' },
  });
  assert.deepEqual(results({ kind: 'delete', ids: ['fay', 'bob'], mode: 'hard', options: HARD_OPTIONS, task: T1, ifRev }), {
    fay: { status: 'ok' },
    bob: { status: 'error', error: 'the user bob has revision 2, not 77' },
  });
});

test('CN8 a client hears nothing of the revisions of others', () => {
  const bench = benchWithAnn(false);
  const zoe: Actor = { kind: 'user', id: 'zoe' };
  for (const wanted of [0, 1, 2] as const) {
    for (const command of [upsert('ann', 'Ann', new Map([['ann', wanted]]), zoe), upsert('ann', 'New', new Map([['ann', wanted]]), zoe)]) {
      const error = refusal(() => bench.run(command));
      assert.equal(error.kind, 'not_allowed');
      assert.doesNotMatch(JSON.stringify(error.fields), /revision/);
    }
  }
  assert.equal(refusal(() => bench.run(upsert('zoe', 'Zoe', new Map([['zoe', 9]]), zoe))).message, 'the user zoe has revision 1, not 9');
});
