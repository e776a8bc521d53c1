/** Lifecycle over HTTP (HT30–HT33), restore live too (RS5–RS7), and every option of delete, deactivate and reactivate (DO1–DO4). */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { assertRefused, httpWorld, type Send, userToken as tokenFor } from '../../support/http/fake-backend.ts';
import { RFC3339 } from '../../support/http/some-users.ts';

const BASES = ['', '/api/v2'];

async function create(send: Send, ...ids: string[]): Promise<void> {
  const { status } = await send('POST', '/users', {
    body: { users: Object.fromEntries(ids.map((id) => [id, { id, name: id, color: 'blue' }])) },
  });
  assert.equal(status, 201);
}

async function found(send: Send, ...ids: string[]): Promise<string[]> {
  const payload = JSON.stringify({ filter_conditions: { id: { $in: ids } }, include_deactivated_users: true });
  const { body } = await send('GET', '/users', { query: { payload } });
  return body.users.map(({ id }: { id: string }) => id).sort();
}

test('RS5 POST /users/restore in both dialects: the users can be found at once, with their data', async () => {
  for (const base of BASES) {
    const { send, backend } = httpWorld();
    await create(send, 'ann', 'bob');
    await send('POST', `${base}/users/delete`, { body: { user_ids: ['ann', 'bob'] } });
    assert.deepEqual(await found(send, 'ann', 'bob'), []);
    const { status, body, headers } = await send('POST', `${base}/users/restore`, { body: { user_ids: ['ann', 'bob'] } });
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body), ['duration']);
    assert.equal(headers['x-rosterd-position'], `test:${backend.directory.seq}`);
    assert.deepEqual(await found(send, 'ann', 'bob'), ['ann', 'bob']);
    assert.deepEqual(backend.directory.user('ann')?.custom, { color: 'blue' });
  }
});

test('RS5 what cannot be restored is named with its reason, and nobody is restored', async () => {
  for (const base of BASES) {
    const { send, backend } = httpWorld();
    await create(send, 'soft', 'pruned', 'hard', 'alive');
    await send('POST', '/users/delete', { body: { user_ids: ['soft'] } });
    await send('POST', '/users/delete', { body: { user_ids: ['pruned'], user: 'pruning' } });
    await send('POST', '/users/delete', { body: { user_ids: ['hard'], user: 'hard', messages: 'hard', conversations: 'hard' } });
    const { seq } = backend.directory;
    const refused = await send('POST', `${base}/users/restore`, { body: { user_ids: ['soft', 'pruned', 'hard', 'alive', 'nobody'] } });
    assertRefused(refused, 400, 4, 'user_ids[pruned]', /user pruned cannot be restored: pruned/);
    assert.deepEqual(refused.body.exception_fields, {
      'user_ids[pruned]': 'user pruned cannot be restored: pruned',
      'user_ids[hard]': 'user hard cannot be restored: hard deleted',
      'user_ids[alive]': 'user alive cannot be restored: not deleted',
      'user_ids[nobody]': 'user nobody cannot be restored: does not exist',
    });
    assert.equal(backend.directory.seq, seq);
    for (const user_ids of [[], undefined, 'soft', [7], Array.from({ length: 101 }, (_, i) => `u${i}`)]) {
      assertRefused(await send('POST', `${base}/users/restore`, { body: { user_ids } }), 400, 4);
    }
    assertRefused(await send('POST', `${base}/users/restore`, { token: tokenFor('alive'), body: { user_ids: ['soft'] } }), 403, 17);
  }
});

test('RS7 tokens that were revoked before the delete stay revoked after the restore', async () => {
  const { send } = httpWorld();
  await create(send, 'ann');
  const stamp = '2026-03-04T05:06:00Z';
  await send('PATCH', '/users', { body: { users: [{ id: 'ann', set: { revoke_tokens_issued_before: stamp } }] } });
  await send('POST', '/users/delete', { body: { user_ids: ['ann'] } });
  await send('POST', '/users/restore', { body: { user_ids: ['ann'] } });
  const at = Date.parse(stamp) / 1000;
  const write = (iat: number) =>
    send('PATCH', '/users', { token: tokenFor('ann', { iat }), body: { users: [{ id: 'ann', set: { a: iat } }] } });
  assertRefused(await write(at - 1), 401, 40);
  assert.equal((await write(at + 1)).status, 200);
});

async function results(send: Send, path: string, body: object): Promise<Record<string, unknown>> {
  const started = await send('POST', path, { body });
  assert.equal(started.status, 201, started.text);
  const task = await send('GET', `/tasks/${started.body.task_id}`);
  assert.equal(task.body.status, 'completed');
  return task.body.result;
}

test('DO1 delete many: each mode, from weaker to stronger, each user for itself', async () => {
  for (const base of BASES) {
    const { send, backend } = httpWorld();
    await create(send, 'ann', 'bob');
    const remove = (body: object) => results(send, `${base}/users/delete`, body);
    assert.deepEqual(await remove({ user_ids: ['ann', 'nobody'] }), {
      ann: { status: 'ok' },
      nobody: { status: 'error', error: 'the user nobody does not exist' },
    });
    assert.equal(backend.directory.user('ann'), undefined);
    assert.deepEqual(await remove({ user_ids: ['ann', 'bob'], user: 'soft' }), {
      ann: { status: 'error', error: 'the user ann was deleted' },
      bob: { status: 'ok' },
    });
    assert.deepEqual(await remove({ user_ids: ['ann'], user: 'pruning', messages: 'pruning' }), { ann: { status: 'ok' } });
    const hard = { user: 'hard', messages: 'hard', conversations: 'hard' };
    assert.deepEqual(await remove({ user_ids: ['ann'], ...hard }), { ann: { status: 'ok' } });
    assert.deepEqual(await remove({ user_ids: ['bob'], ...hard, calls: 'hard' }), { bob: { status: 'ok' } });
    assert.deepEqual(await remove({ user_ids: ['ann'], ...hard }), { ann: { status: 'error', error: 'the user ann was deleted' } });
    for (const id of ['ann', 'bob']) assertRefused(await send('POST', '/users', { body: { users: { [id]: { id } } } }), 404, 16);
  }
});

test('DO5 a hard delete needs hard messages and conversations: else it is refused, or fails for each user', async () => {
  const { send, backend } = httpWorld();
  await create(send, 'ann', 'bob');
  const { seq } = backend.directory;
  const remove = (base: string, options: object) =>
    send('POST', `${base}/users/delete`, { body: { user_ids: ['ann', 'bob', 'nobody'], user: 'hard', ...options } });
  for (const base of BASES) {
    for (const messages of [undefined, null, '', 'soft', 'pruning']) {
      assertRefused(await remove(base, { messages, conversations: 'hard' }), 400, 4, 'messages');
    }
    assertRefused(await remove(base, { messages: 'hard', conversations: 'soft' }), 400, 4, 'conversations');
    const both = await remove(base, { messages: 'soft', conversations: 'soft' });
    assert.deepEqual(
      both.body.errors.map(({ path }: { path: string }) => path),
      ['messages', 'conversations'],
    );
  }
  assert.equal(backend.directory.seq, seq, 'a refused request leaves nothing behind');
  for (const base of BASES) {
    for (const conversations of [undefined, null, '']) {
      const body = { user_ids: ['ann', 'bob', 'nobody'], user: 'hard', messages: 'hard', conversations };
      const failed = (id: string) => ({
        status: 'error',
        error: `conversations: the user ${id} cannot be hard deleted unless conversations is "hard", too`,
      });
      const told = await results(send, `${base}/users/delete`, body);
      assert.deepEqual(told, { ann: failed('ann'), bob: failed('bob'), nobody: failed('nobody') });
    }
  }
  assert.ok(backend.directory.user('ann') !== undefined && backend.directory.user('bob') !== undefined);
});

test('DO2 options of the wrong form are refused and nobody is deleted', async () => {
  const { send, backend } = httpWorld();
  await create(send, 'ann');
  const { seq } = backend.directory;
  for (const base of BASES) {
    for (const [field, value] of Object.entries({
      user: 'gone',
      messages: 'none',
      conversations: 'pruning',
      calls: 'pruning',
      files: 'yes',
      new_channel_owner_id: 'a b',
      new_call_owner_id: 7,
    })) {
      assertRefused(await send('POST', `${base}/users/delete`, { body: { user_ids: ['ann'], [field]: value } }), 400, 4, field);
    }
  }
  assert.equal(backend.directory.seq, seq);
});

test('DO4 deactivating twice, reactivating the active, and users that are not there: 400/4 and 404/16, as tasks per user', async () => {
  for (const base of BASES) {
    const { send } = httpWorld();
    await create(send, 'ann', 'bob', 'gone');
    await send('POST', '/users/delete', { body: { user_ids: ['gone'] } });
    assertRefused(await send('POST', `${base}/users/ann/reactivate`, { body: {} }), 400, 4, undefined, /not deactivated/);
    assert.equal((await send('POST', `${base}/users/ann/deactivate`, { body: {} })).status, 200);
    assertRefused(await send('POST', `${base}/users/ann/deactivate`, { body: {} }), 400, 4, undefined, /already deactivated/);
    for (const id of ['nobody', 'gone']) {
      assertRefused(await send('POST', `${base}/users/${id}/deactivate`, { body: {} }), 404, 16);
      assertRefused(await send('POST', `${base}/users/${id}/reactivate`, { body: {} }), 404, 16);
    }
    const result = await results(send, `${base}/users/deactivate`, { user_ids: ['ann', 'bob', 'nobody'] });
    assert.deepEqual(
      Object.values(result).map((one) => Object(one).status),
      ['error', 'ok', 'error'],
    );
    assert.deepEqual(await results(send, `${base}/users/reactivate`, { user_ids: ['ann', 'bob'] }), {
      ann: { status: 'ok' },
      bob: { status: 'ok' },
    });
    assertRefused(
      await send('POST', `${base}/users/deactivate`, { body: { user_ids: ['bob'], created_by_id: 'a b' } }),
      400,
      4,
      'created_by_id',
    );
  }
});

describe('lifecycle', () => {
  it('HT30 deactivate and reactivate one, both dialects; a second time is refused', async () => {
    for (const base of ['', '/api/v2']) {
      const { send } = httpWorld();
      await create(send, 'ann');
      const off = await send('POST', `${base}/users/ann/deactivate`, { body: { created_by_id: '', mark_messages_deleted: true } });
      assert.equal(off.status, 200);
      if (base === '') assert.match(off.body.user.deactivated_at, RFC3339);
      else assert.match(off.text, /"deactivated_at":\d{19}\b/);
      assertRefused(await send('POST', `${base}/users/ann/deactivate`, { body: {} }), 400, 4);
      assertRefused(await send('GET', `${base}/users`, { token: tokenFor('ann') }), 403, 17, undefined, /the user ann was deactivated/);
      const on = await send('POST', `${base}/users/ann/reactivate`, { body: { name: 'Ann again' } });
      assert.equal(on.body.user.name, 'Ann again');
      assert.equal('deactivated_at' in on.body.user, false);
      assertRefused(await send('POST', `${base}/users/ann/reactivate`), 400, 4);
      assertRefused(await send('POST', `${base}/users/nobody/deactivate`, { body: {} }), 404, 16);
    }
  });

  it('HT31 delete one is v1 only: soft, or hard with a switch of Go or PHP', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann', 'bob', 'cem');
    const query = { mark_messages_deleted: 'true', hard_delete: '', delete_conversation_channels: '' };
    const { body } = await send('DELETE', '/users/ann', { query });
    assert.match(body.user.deleted_at, RFC3339);
    assert.deepEqual(backend.commands.at(-1)?.command, {
      kind: 'delete',
      ids: ['ann'],
      mode: 'soft',
      options: { mark_messages_deleted: true },
    });
    await send('DELETE', '/users/bob', { query: { hard_delete: '1' } });
    assert.equal(backend.directory.record('bob')?.id, 'bob');
    assert.equal(backend.directory.user('bob'), undefined);
    assertRefused(await send('DELETE', '/users/ann'), 404, 16, undefined, /was deleted/);
    assertRefused(await send('DELETE', '/api/v2/users/cem'), 404, 16);
    assertRefused(await send('DELETE', '/users/cem', { query: { hard_delete: 'perhaps' } }), 400, 4, 'hard_delete');
    assert.notEqual(backend.directory.user('cem'), undefined);
  });

  it('HT32 many: a task with the result of each user, dates in the dialect, unknown users reported alone', async () => {
    for (const base of ['', '/api/v2']) {
      const { send } = httpWorld();
      await create(send, 'ann', 'bob');
      for (const [path, failed] of [
        ['deactivate', undefined],
        ['reactivate', undefined],
        ['delete', 'nobody'],
      ] as const) {
        const user_ids = ['ann', 'bob', ...(failed === undefined ? [] : [failed])];
        const { status, body } = await send('POST', `${base}/users/${path}`, { body: { user_ids, user: '' } });
        assert.equal(status, 201);
        const task = await send('GET', `${base}/tasks/${body.task_id}`);
        assert.equal(task.status, 200);
        assert.equal(task.body.status, 'completed');
        assert.equal(task.body.task_id, body.task_id);
        assert.deepEqual(task.body.result.ann, { status: 'ok' });
        if (failed !== undefined)
          assert.deepEqual(task.body.result[failed], { status: 'error', error: `the user ${failed} does not exist` });
        if (base === '') assert.match(task.body.created_at, RFC3339);
        else assert.match(task.text, /"created_at":\d{19},"updated_at":\d{19}\b/);
      }
      assertRefused(await send('GET', `${base}/tasks/nothing`), 404, 16);
    }
  });

  it('HT33 clients may not: delete, deactivate, reactivate, settings, tasks', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann');
    const done = backend.commands.length;
    const token = tokenFor('ann');
    const calls = [
      ['DELETE', '/users/ann'],
      ['POST', '/users/ann/deactivate'],
      ['POST', '/api/v2/users/ann/reactivate'],
      ['POST', '/users/delete'],
      ['POST', '/api/v2/users/deactivate'],
      ['POST', '/users/reactivate'],
      ['GET', '/app'],
      ['PATCH', '/api/v2/app'],
      ['GET', '/tasks/x'],
    ] as const;
    for (const [method, path] of calls) {
      assertRefused(
        await send(method, path, { token, ...(method === 'POST' ? { body: {} } : {}) }),
        403,
        17,
        undefined,
        /is not allowed to perform action/,
      );
    }
    assert.equal(backend.commands.length, done);
  });
});
