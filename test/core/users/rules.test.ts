/** RQ12, US5, US12: the bounds of teams and of data, to the last one; what a client may write. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { Bench } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';

const teams = (count: number): string[] => Array.from({ length: count }, (_, n) => `team${n}`);

/** The fields that are wrong with a user in these teams; empty when it is accepted. */
function wrong(...names: readonly string[]): string[] {
  const bench = new Bench();
  const write = (): unknown => bench.upsert([{ id: 'ann', teams: names }]);
  try {
    write();
    assert.deepEqual(bench.user('ann').teams, names);
    return [];
  } catch {
    return (refusal(write).fields ?? []).map(({ path }) => path);
  }
}

test('RQ12 a user is in as many teams as allowed and in none more, and each has a name of at most so many bytes', () => {
  assert.deepEqual(wrong(...teams(LIMITS.teamsPerUser)), []);
  assert.deepEqual(wrong(...teams(LIMITS.teamsPerUser + 1)), ['users[ann].teams']);
  assert.deepEqual(wrong('x'.repeat(LIMITS.teamBytes)), []);
  assert.deepEqual(wrong('red', 'x'.repeat(LIMITS.teamBytes + 1)), ['users[ann].teams[1]']);
  assert.deepEqual(wrong('ü'.repeat(LIMITS.teamBytes / 2), 'ü'.repeat(LIMITS.teamBytes / 2 + 1)), ['users[ann].teams[1]']);
  assert.deepEqual(wrong('', 'red', '__proto__'), ['users[ann].teams[0]', 'users[ann].teams[2]']);
});

test('US12 a client may store up to its bound, and keep a record that a server made larger, up to that of a server', () => {
  const sized = (bytes: number): { book: string } => ({ book: 'x'.repeat(bytes - JSON.stringify({ custom: { book: '' } }).length) });
  const bench = new Bench();
  const refused = (act: () => unknown): unknown => refusal(act).fields?.map(({ path }) => path);
  bench.connect('ann', { custom: sized(LIMITS.clientUserBytes) });
  assert.deepEqual(
    refused(() => bench.connect('ann', { custom: sized(LIMITS.clientUserBytes + 1) })),
    ['user'],
  );
  bench.patch('ann', sized(LIMITS.serverUserBytes));
  assert.deepEqual(
    refused(() => bench.patch('ann', sized(LIMITS.serverUserBytes + 1))),
    ['users[ann]'],
  );
  // A client changes what a server made large, and from then on it is as bound as before.
  bench.connect('ann', { custom: { book: 'y'.repeat(LIMITS.clientUserBytes) } });
  bench.connect('ann', { custom: { book: 'short' } });
  assert.deepEqual(
    refused(() => bench.connect('ann', { custom: sized(LIMITS.clientUserBytes + 1) })),
    ['user'],
  );
});

test('US5 a client writes only what it is granted of its own record; every other field is named with the right that it lacks', () => {
  const ann = { kind: 'user', id: 'ann' } as const;
  const bench = new Bench();
  bench.upsert([{ id: 'ann', teams: ['red', 'blue'], teams_role: { red: 'moderator' } }]);
  const told = (act: () => unknown): unknown[] => {
    const error = refusal(act);
    assert.equal(error.kind, 'not_allowed');
    return error.fields.map(({ path, message }) => [
      path.replace(/^users\[ann\]\./, ''),
      message.replace(/^User 'ann' with role 'user' is not allowed to perform action /, ''),
    ]);
  };
  const stamp = '2026-11-21T10:00:00Z';
  for (const [set, expected] of [
    [{ role: 'admin' }, [['role', 'UpdateUserRole']]],
    [{ teams: ['red'] }, [['teams', 'UpdateUserTeams']]],
    [{ teams_role: { red: 'admin' } }, [['teams_role', 'UpdateUserRole']]],
    [{ teams_role: {} }, [['teams_role', 'UpdateUserRole']]],
    [{ revoke_tokens_issued_before: stamp }, [['revoke_tokens_issued_before', 'RevokeTokens']]],
    [
      { role: 'admin', teams: [], teams_role: { red: 'admin' }, revoke_tokens_issued_before: stamp },
      [
        ['role', 'UpdateUserRole'],
        ['teams', 'UpdateUserTeams'],
        ['teams_role', 'UpdateUserRole'],
        ['revoke_tokens_issued_before', 'RevokeTokens'],
      ],
    ],
  ] as const) {
    assert.deepEqual(
      told(() => bench.patch('ann', set, [], ann)),
      expected,
      JSON.stringify(set),
    );
  }
  bench.patch('ann', { name: 'Ann', teams: ['blue', 'red'], role: 'user', teams_role: { red: 'moderator' } }, [], ann);
  bench.run({ kind: 'settings', set: { grants: { user: ['update-user-teams'] } } });
  assert.deepEqual(
    told(() => bench.patch('ann', { name: 'Other' }, [], ann)),
    [['id', 'UpdateUser']],
  );
  // Of a record that was not there before, all is new.
  const client = { kind: 'user', id: 'new' } as const;
  bench.run({ kind: 'settings', set: { grants: { user: ['update-user-owner'] } } });
  for (const [more, path] of [
    [{ role: 'admin' }, 'users[new].role'],
    [{ teams: ['red'] }, 'users[new].teams'],
    [{ teams_role: { red: 'admin' } }, 'users[new].teams_role'],
  ] as const) {
    assert.deepEqual(
      refusal(() => bench.upsert([{ id: 'new', ...more }], client)).fields.map((field) => field.path),
      [path],
    );
  }
  assert.equal(bench.upsert([{ id: 'new', role: 'user', teams: [] }], client).users[0]?.change, 'created');
});

test('TN8 a client that was deactivated since it was admitted cannot write itself', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }]);
  bench.run({ kind: 'deactivate', ids: ['ann'], options: {} });
  const error = refusal(() => bench.patch('ann', { name: 'Ann' }, [], { kind: 'user', id: 'ann' }));
  const message = 'the user ann was deactivated';
  assert.deepEqual([error.kind, error.fields], ['not_allowed', [{ path: 'users[ann].id', message, code: 17 }]]);
});

test('RQ12 RO1 each fault of teams and roles is named with its place and its reason', () => {
  const bench = new Bench();
  const user = {
    id: 'ann',
    role: 'none',
    teams: ['', 'red', '__proto__', 'x'.repeat(LIMITS.teamBytes + 1)],
    teams_role: { red: 'user', blue: 'nobody' },
  };
  assert.deepEqual(
    refusal(() => bench.upsert([user])).fields.map(({ path, message }) => [path, message]),
    [
      ['users[ann].role', 'role "none" does not exist'],
      ['users[ann].teams_role[blue]', 'role "nobody" does not exist'],
      ['users[ann].teams[0]', 'must not be empty'],
      ['users[ann].teams[2]', '"__proto__" is a reserved name'],
      ['users[ann].teams[3]', `must not be longer than ${LIMITS.teamBytes} bytes`],
    ],
  );
  assert.equal(
    refusal(() => bench.upsert([{ id: 'ann', teams: teams(LIMITS.teamsPerUser + 1) }])).fields[0]?.message,
    `must not hold more than ${LIMITS.teamsPerUser} teams`,
  );
});
