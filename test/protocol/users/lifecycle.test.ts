import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  decodeDeactivateUser,
  decodeDeleteUser,
  decodeDeleteUsers,
  decodeReactivateUser,
  decodeReactivateUsers,
} from '../../../protocol/users/lifecycle.ts';
import { refusedFields } from '../../support/http/refusal.ts';

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
    for (const on of ['true', '1', 'True']) {
      const { mode, options } = decodeDeleteUser('ann', { hard_delete: on, user: 'hard' });
      assert.deepEqual([mode, options], ['hard', { messages: 'hard', conversations: 'hard' }], 'DO5: the one switch is for all');
    }
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
