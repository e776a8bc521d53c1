import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeSettings as decodeWith } from '../../../protocol/app/settings-request.ts';

import { decodeConnect } from '../../../protocol/users/connect.ts';
import {
  decodeDeactivateUser,
  decodeDeleteUser,
  decodeDeleteUsers,
  decodeReactivateUser,
  decodeReactivateUsers,
} from '../../../protocol/users/lifecycle.ts';
import { decodePatches } from '../../../protocol/users/patch-request.ts';
import { refusedFields } from '../../support/http/refusal.ts';

const SERVER = { kind: 'server' } as const;

describe('partial updates', () => {
  const paths = (body: unknown) => decodePatches(body, SERVER).problems.map(({ path }) => path);

  it('RQ20 set and unset, alone or together, with PHP’s empty lists', () => {
    const body = {
      users: [
        { id: 'ann', set: { 'a.b': 1 } },
        { id: 'bob', unset: ['c'] },
        { id: 'cem', set: [], unset: [] },
      ],
    };
    const { patches, problems } = decodePatches(body, SERVER);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      patches.map(({ id }) => id),
      ['ann', 'bob', 'cem'],
    );
  });

  it('RQ21 paths through prototypes and overlapping paths are refused, naming the path', () => {
    for (const path of ['__proto__.x', 'constructor.prototype.x', 'a.__proto__']) {
      assert.deepEqual(paths(JSON.parse(`{"users":[{"id":"ann","set":{"${path}":1}}]}`)), [`users[ann].set.${path}`]);
      assert.deepEqual(paths({ users: [{ id: 'ann', unset: [path] }] }), [`users[ann].unset.${path}`]);
    }
    assert.deepEqual(paths({ users: [{ id: 'ann', set: { 'a.b': 1 }, unset: ['a'] }] }), ['users[ann].unset.a']);
    // An inherited name is a name like any other: it is set on the user's own data.
    assert.deepEqual(paths({ users: [{ id: 'ann', set: { 'toString.call': 1 } }] }), []);
  });

  it('RQ22 items: 1 to 100, each with an id, none twice, of the right types', () => {
    assert.deepEqual(
      refusedFields(() => decodePatches({ users: [] }, SERVER)),
      [{ path: 'users', message: 'must not be empty' }],
    );
    const many = Array.from({ length: 101 }, (_, i) => ({ id: `u${i}` }));
    assert.deepEqual(
      refusedFields(() => decodePatches({ users: many }, SERVER)),
      [{ path: 'users', message: 'must not hold more than 100, got 101' }],
    );
    assert.deepEqual(
      refusedFields(() => decodePatches({ users: { ann: {} } }, SERVER)),
      [{ path: 'users', message: 'must be array, got object' }],
    );
    const body = {
      users: [{}, { id: 4 }, { id: 'a b' }, { id: 'ann' }, { id: 'ann' }, 'x', { id: 'bob', set: 'x' }, { id: 'cem', unset: [1] }],
    };
    assert.deepEqual(paths(body), [
      'users[0].id',
      'users[1].id',
      'users[a b].id',
      'users[4].id',
      'users[5]',
      'users[bob].set',
      'users[cem].unset',
    ]);
  });

  it('RQ23 bounds that keep a patch from costing more than it weighs', () => {
    const unset = Array.from({ length: 201 }, (_, i) => `k${i}`);
    assert.deepEqual(paths({ users: [{ id: 'ann', unset }] }), ['users[ann]']);
    assert.deepEqual(paths({ users: [{ id: 'ann', set: { [Array(33).fill('a').join('.')]: 1 } }] }).length, 1);
    assert.deepEqual(paths(JSON.parse(`{"users":[{"id":"ann","set":{"a":${'['.repeat(9_000)}${']'.repeat(9_000)}}}]}`)).length, 1);
    assert.deepEqual(paths(JSON.parse('{"users":[{"id":"ann","set":{"n":1e999}}]}')), ['users[ann].set.n']);
    assert.deepEqual(paths({ users: [{ id: 'ann', set: { language: 'x'.repeat(36) } }] }), ['users[ann].set.language']);
  });
});

describe('lifecycle', () => {
  it('RQ30 delete many: soft by default, options carried, empty texts absent, unknown keys dropped', () => {
    assert.deepEqual(decodeDeleteUsers({ user_ids: ['a', 'b', 'a'], user: '', messages: 'hard', new_channel_owner_id: '', x: 1 }, 't'), {
      kind: 'delete',
      ids: ['a', 'b'],
      mode: 'soft',
      options: { messages: 'hard' },
      task: 't',
    });
    assert.equal(decodeDeleteUsers({ user_ids: ['a'], user: 'pruning' }, 't').mode, 'pruning');
  });

  it('RQ31 delete many: what is wrong is named', () => {
    const fields = (body: unknown) => refusedFields(() => decodeDeleteUsers(body, 't'));
    assert.deepEqual(fields({}), [{ path: 'user_ids', message: 'is required' }]);
    assert.deepEqual(fields({ user_ids: [] }), [{ path: 'user_ids', message: 'must not be empty' }]);
    assert.equal(fields({ user_ids: Array.from({ length: 101 }, (_, i) => `u${i}`) })[0]?.path, 'user_ids');
    assert.deepEqual(
      fields({ user_ids: ['a', 'b c'] }).map(({ path }) => path),
      ['user_ids[1]'],
    );
    assert.deepEqual(fields({ user_ids: ['a'], user: 'gone' }), [
      { path: 'user', message: 'must be one of "soft", "pruning", "hard", got "gone"' },
    ]);
    assert.deepEqual(
      fields({ user_ids: ['a'], calls: 'pruning', files: 1 }).map(({ path }) => path),
      ['calls', 'files'],
    );
    assert.deepEqual(
      fields({ user_ids: ['a'], new_channel_owner_id: 'x y' }).map(({ path }) => path),
      ['new_channel_owner_id'],
    );
  });

  it('RQ32 delete one: switches of Go and PHP', () => {
    assert.deepEqual(decodeDeleteUser('ann', { mark_messages_deleted: 'true', hard_delete: '', delete_conversation_channels: '0' }), {
      kind: 'delete',
      ids: ['ann'],
      mode: 'soft',
      options: { mark_messages_deleted: true, delete_conversation_channels: false },
    });
    for (const on of ['true', '1', 'True']) assert.equal(decodeDeleteUser('ann', { hard_delete: on, user: 'hard' }).mode, 'hard');
    assert.deepEqual(
      refusedFields(() => decodeDeleteUser('ann', { hard_delete: 'maybe' })),
      [{ path: 'hard_delete', message: 'must be true or false' }],
    );
    assert.deepEqual(
      refusedFields(() => decodeDeleteUser('a+b', {})).map(({ path }) => path),
      ['user_id'],
    );
  });

  it('RQ33 deactivate and reactivate, one and many', () => {
    assert.deepEqual(decodeDeactivateUser('ann', { created_by_id: '', mark_messages_deleted: true }), {
      kind: 'deactivate',
      ids: ['ann'],
      options: { mark_messages_deleted: true },
    });
    assert.deepEqual(decodeDeactivateUser('ann', undefined).options, {});
    assert.deepEqual(decodeReactivateUser('ann', { name: 'Ann', restore_messages: false, created_by_id: 'boss' }), {
      kind: 'reactivate',
      ids: ['ann'],
      options: { restore_messages: false, created_by_id: 'boss' },
      name: 'Ann',
    });
    assert.deepEqual(decodeReactivateUser('ann', []), { kind: 'reactivate', ids: ['ann'], options: {} });
    assert.equal(decodeReactivateUsers({ user_ids: ['a'] }, 't').task, 't');
    assert.deepEqual(
      refusedFields(() => decodeDeactivateUser('ann', { created_by_id: 'x'.repeat(300) })).map(({ path }) => path),
      ['created_by_id'],
    );
    assert.deepEqual(
      refusedFields(() => decodeReactivateUser('ann', { name: 'x'.repeat(11_000) })).map(({ path }) => path),
      ['name'],
    );
  });
});

describe('settings and connect', () => {
  const decodeSettings = (body: unknown) => decodeWith(body, { dialect: 'v1', newId: () => 'new' });

  it('RQ40 settings: what Go writes for a field that was not set is left alone; an explicit null clears the stamp', () => {
    assert.deepEqual(decodeSettings({ name: '', policies: null, enforce_unique_usernames: '' }), { kind: 'settings', set: {} });
    assert.deepEqual(decodeSettings({ enforce_unique_usernames: 'team', revoke_tokens_issued_before: null }), {
      kind: 'settings',
      set: { enforce_unique_usernames: 'team', revoke_tokens_issued_before: null },
    });
    const stamp = decodeSettings({ revoke_tokens_issued_before: '1970-01-01T00:00:01.5Z' }).set.revoke_tokens_issued_before;
    assert.equal(stamp, 1_500_000);
    assert.deepEqual(
      refusedFields(() => decodeSettings({ enforce_unique_usernames: 'yes' })),
      [{ path: 'enforce_unique_usernames', message: 'must be one of "no", "app", "team", got "yes"' }],
    );
    for (const never of ['soon', '1969-01-01T00:00:00Z', 1e300, true]) {
      assert.deepEqual(
        refusedFields(() => decodeSettings({ revoke_tokens_issued_before: never })).map(({ path }) => path),
        ['revoke_tokens_issued_before'],
      );
    }
  });

  it('RQ41 details of a connect: both places for custom data, the own id at most repeated', () => {
    assert.deepEqual(decodeConnect('ann', { id: 'ann', name: 'Ann', color: 'blue', custom: { a: 1 }, role: 'user', online: true }), {
      custom: { color: 'blue', a: 1 },
      name: 'Ann',
      role: 'user',
    });
    assert.deepEqual(decodeConnect('ann', []), { custom: {} });
    assert.deepEqual(
      refusedFields(() => decodeConnect('ann', { id: 'bob' })).map(({ path }) => path),
      ['user.id'],
    );
    assert.deepEqual(
      refusedFields(() => decodeConnect('ann', { name: 'x'.repeat(6_000) })).map(({ path }) => path),
      ['user'],
    );
    assert.deepEqual(
      refusedFields(() => decodeConnect('ann', null)).map(({ path }) => path),
      ['user'],
    );
  });
});
