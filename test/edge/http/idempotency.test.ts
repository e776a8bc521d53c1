/** Requests with an `Idempotency-Key`: IK1–IK10. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Writes } from '../../../daemon/edge/http/idempotency.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { assertRefused, httpWorld, type Received, type Send, type Sent, userToken } from '../../support/http/fake-backend.ts';

const keyed = (key: string, sent: Sent = {}): Sent => ({ ...sent, headers: { ...sent.headers, 'idempotency-key': key } });

const isReplayed = ({ headers }: Received): boolean => headers['idempotency-replayed'] === 'true';

async function group(send: Send, key: string, name: string, sent: Sent = {}): Promise<Received> {
  return await send('POST', '/usergroups', keyed(key, { ...sent, body: { name } }));
}

describe('the same key', () => {
  it('IK4 with the same request does nothing and is answered as before, marked as replayed', async () => {
    const { send, backend } = httpWorld();
    const first = await group(send, 'one', 'G');
    const second = await group(send, 'one', 'G');
    assert.deepEqual([first.status, isReplayed(first)], [201, false]);
    assert.deepEqual([second.status, isReplayed(second)], [201, true]);
    assert.deepEqual(second.body.user_group, first.body.user_group);
    assert.equal(second.headers['x-rosterd-position'], first.headers['x-rosterd-position']);
    assert.equal(backend.directory.docs.count('group'), 1);
    const other = await group(send, 'two', 'G');
    assert.notEqual(other.body.user_group.id, first.body.user_group.id);
  });

  it('IK2 with another method, path, query or body is 422', async () => {
    const { send, backend } = httpWorld();
    await send('POST', '/users', { body: { users: { ann: { name: 'Ann' }, bob: {} } } });
    const body = { users: { ann: { name: 'A' } } };
    assert.equal((await send('POST', '/users', keyed('k', { body }))).status, 200);
    const { seq } = backend.position;
    const others: readonly [Parameters<Send>[0], string, Sent][] = [
      ['POST', '/users', { body: { users: { ann: { name: 'B' } } } }],
      ['POST', '/users', { payload: JSON.stringify(body, null, 1) }],
      ['POST', '/users', { body, query: { other: '1' } }],
      ['POST', '/api/v2/users', { body }],
      ['PATCH', '/users', { body: { users: [{ id: 'ann', set: { name: 'C' } }] } }],
      ['POST', '/users/ann/deactivate', { body: {} }],
      ['DELETE', '/users/bob', {}],
    ];
    for (const [method, path, sent] of others) {
      const refused = await send(method, path, keyed('k', sent));
      assertRefused(refused, 422, 4, undefined, /the idempotency key was used for another request/);
      assert.equal(isReplayed(refused), false);
    }
    assert.equal(backend.position.seq, seq);
    const again = await send('POST', '/users', keyed('k', { body, query: { connection_id: 'other', 'stream-auth-type': 'jwt' } }));
    assert.deepEqual([again.status, isReplayed(again)], [200, true], 'over which connection does not count');
  });

  it('IK3 makes the same ids, one after the other; another key, caller or body makes others', () => {
    const idsOf = (key: string | undefined, caller: { kind: 'server' } | { kind: 'user'; id: string }, body: string): string[] => {
      const endpoint = { method: 'POST', path: '/usergroups', access: 'server' } as const;
      const writes = new Writes({ endpoint, params: {}, query: {}, caller, key });
      writes.noteBody(Buffer.from(body));
      return [writes.newId(), writes.newId()];
    };
    const ids = idsOf('one', { kind: 'server' }, '{}');
    assert.deepEqual(idsOf('one', { kind: 'server' }, '{}'), ids);
    const others = [
      idsOf('two', { kind: 'server' }, '{}'),
      idsOf('one', { kind: 'user', id: 'ann' }, '{}'),
      idsOf('one', { kind: 'server' }, '{"a":1}'),
      idsOf(undefined, { kind: 'server' }, '{}'),
      idsOf(undefined, { kind: 'server' }, '{}'),
    ];
    assert.equal(new Set([ids, ...others].flat()).size, 12);
  });

  it('IK1 of another caller is another request', async () => {
    const { send, backend } = httpWorld();
    await send('POST', '/users', { body: { users: { ann: {}, bob: {}, cem: {} } } });
    for (const id of ['ann', 'bob']) {
      const sent = { token: userToken(id), body: { target_user_id: 'cem' } };
      for (const isAgain of [false, true]) assert.equal(isReplayed(await send('POST', '/moderation/flag', keyed('k', sent))), isAgain);
    }
    assert.equal(backend.directory.user('cem')?.flags?.length, 2);
    // A token that was renewed meanwhile is of the same caller.
    const renewed = { token: userToken('ann', { iat: 1 }), body: { target_user_id: 'cem' } };
    assert.equal(isReplayed(await send('POST', '/moderation/flag', keyed('k', renewed))), true);
  });

  it('IK7 what was refused may be sent again', async () => {
    const { send } = httpWorld();
    const ban = (): Promise<Received> => send('POST', '/moderation/ban', keyed('k', { body: { target_user_id: 'ann' } }));
    assert.equal((await ban()).status, 404);
    await send('POST', '/users', { body: { users: { ann: {} } } });
    const [done, again] = [await ban(), await ban()];
    assert.deepEqual([done.status, isReplayed(done), again.status, isReplayed(again)], [201, false, 201, true]);
  });

  it('IK4 a request that found nothing to do does nothing later, either', async () => {
    const { send, backend } = httpWorld();
    await send('POST', '/users', { body: { users: { ann: { name: 'Ann' } } } });
    const unchanged = keyed('k', { body: { users: { ann: { name: 'Ann' } } } });
    assert.deepEqual((await send('POST', '/users', unchanged)).body.unchanged, ['ann']);
    await send('POST', '/users', { body: { users: { ann: { name: 'Other' } } } });
    const again = await send('POST', '/users', unchanged);
    assert.deepEqual([again.body.unchanged, again.body.users.ann.name], [['ann'], 'Other'], 'users are shown as they are now');
    const follow = (method: 'POST' | 'DELETE', path: string, key: string, body?: object): Promise<Received> =>
      send(method, `/api/v1.0/feed/user/ann/follows${path}`, keyed(key, body === undefined ? {} : { body }));
    const target = { target: 'user:bob' };
    await follow('POST', '', 'f1', target);
    await follow('POST', '', 'f2', target);
    await follow('DELETE', '/user:bob', 'f3');
    for (const key of ['f1', 'f2']) assert.equal(isReplayed(await follow('POST', '', key, target)), true);
    assert.equal(backend.directory.docs.count('follow'), 0);
  });
});

describe('bad keys', () => {
  it('IK8 a key that is none is an error that names the header, and nothing happens', async () => {
    const { send, backend } = httpWorld();
    for (const key of ['', 'a b', 'ä', 'x'.repeat(LIMITS.idempotencyKeyChars + 1), 'tab\there']) {
      const refused = await group(send, key, 'G');
      assertRefused(refused, 400, 4, 'idempotency-key');
    }
    assert.equal(backend.position.seq, 0);
    assert.equal((await group(send, 'x'.repeat(LIMITS.idempotencyKeyChars), 'G')).status, 201);
    assert.equal((await send('GET', '/users', keyed(''))).status, 200, 'who reads needs none');
  });

  it('IK8 without a token the key must be long: it alone tells callers apart', async () => {
    const { send, backend } = httpWorld();
    const guest = (key: string): Promise<Received> =>
      send('POST', '/guest', keyed(key, { token: null, headers: { 'stream-auth-type': 'anonymous' }, body: { user: { id: 'joe' } } }));
    assertRefused(await guest('short'), 400, 4, 'idempotency-key');
    const key = '0f8fad5b-d9cb-469f-a165-70867728950e';
    const [first, second] = [await guest(key), await guest(key)];
    assert.deepEqual([first.status, second.status, isReplayed(second)], [201, 201, true], second.text);
    assert.deepEqual([second.body.user, second.body.access_token], [first.body.user, first.body.access_token]);
    assert.equal(backend.directory.size, 1);
    await send('PATCH', '/users', {
      body: { users: [{ id: first.body.user.id, set: { revoke_tokens_issued_before: '2030-01-01T00:00:00Z' } }] },
    });
    const { access_token } = (await guest(key)).body;
    const refused = await send('GET', '/users', { token: access_token });
    assert.equal(refused.body.code, 40, 'no new token for one that was revoked');
  });
});

describe('answers that cannot be made again', () => {
  const lost: Readonly<
    Record<string, { readonly write: (send: Send) => Promise<Received>; readonly undo: (send: Send) => Promise<Received> }>
  > = {
    'a user that was deleted for good': {
      write: (send) => send('POST', '/users', keyed('k', { body: { users: { ann: { name: 'A' } } } })),
      undo: (send) => send('DELETE', '/users/ann', { query: { hard_delete: 'true' } }),
    },
    'push preferences of such a user': {
      write: (send) => send('POST', '/push_preferences', keyed('k', { body: { preferences: [{ user_id: 'ann', chat_level: 'all' }] } })),
      undo: (send) => send('DELETE', '/users/ann', { query: { hard_delete: 'true' } }),
    },
    'a user group': {
      write: (send) => send('POST', '/usergroups', keyed('k', { body: { id: 'g', name: 'G' } })),
      undo: (send) => send('DELETE', '/usergroups/g'),
    },
    'a role': {
      write: (send) => send('POST', '/roles', keyed('k', { body: { name: 'chef' } })),
      undo: (send) => send('DELETE', '/roles/chef'),
    },
    'a block': {
      write: (send) => send('POST', '/users/block', keyed('k', { body: { user_id: 'ann', blocked_user_id: 'bob' } })),
      undo: (send) => send('POST', '/users/unblock', { body: { user_id: 'ann', blocked_user_id: 'bob' } }),
    },
    'a report': {
      write: (send) => send('POST', '/moderation/flag', keyed('k', { body: { user_id: 'ann', target_user_id: 'bob' } })),
      undo: (send) => send('POST', '/moderation/unflag', { body: { user_id: 'ann', target_user_id: 'bob' } }),
    },
    'an activity': {
      write: (send) =>
        send('POST', '/api/v1.0/feed/user/ann', keyed('k', { body: { actor: 'ann', verb: 'run', object: 'x', foreign_id: 'f' } })),
      undo: (send) => send('DELETE', '/api/v1.0/feed/user/ann/f', { query: { foreign_id: '1' } }),
    },
  };
  for (const [name, { write, undo }] of Object.entries(lost)) {
    it(`IK10 ${name}: a clear 404, and nothing is done again`, async () => {
      const { send, backend } = httpWorld();
      await send('POST', '/users', { body: { users: { ann: {}, bob: {} } } });
      const first = await write(send);
      assert.ok(first.status < 300, first.text);
      assert.ok((await undo(send)).status < 300);
      const { seq } = backend.position;
      const again = await write(send);
      assert.equal(again.status, 404, again.text);
      assert.match(again.text, /the request was carried out before; /);
      assert.equal(isReplayed(again), true);
      assert.equal(backend.position.seq, seq);
    });
  }

  it('IK10 what needs no user to answer is answered when the users are gone; a hard delete, too', async () => {
    const { send } = httpWorld();
    await send('POST', '/users', { body: { users: { ann: {}, bob: {}, cem: {} } } });
    const writes = [
      () => send('POST', '/users/deactivate', keyed('t', { body: { user_ids: ['ann', 'bob'] } })),
      () => send('DELETE', '/users/ann', keyed('d', { query: { hard_delete: 'true' } })),
      () =>
        send('POST', '/users/delete', keyed('m', { body: { user_ids: ['bob'], user: 'hard', messages: 'hard', conversations: 'hard' } })),
      () => send('DELETE', '/api/v1.0/users', keyed('f', { query: { ids: 'cem,nobody' } })),
    ];
    const first: Received[] = [];
    for (const write of writes) first.push(await write());
    for (const [at, write] of writes.entries()) {
      const { duration: _, ...before } = first[at]?.body ?? {};
      const again = await write();
      const { duration: __, ...body } = again.body;
      assert.deepEqual([again.status, isReplayed(again), body], [first[at]?.status, true, before]);
    }
  });

  it('IK10 a user that was deleted and came again is not deleted by a repeated delete', async () => {
    const { send, backend } = httpWorld();
    const remove = (): Promise<Received> => send('DELETE', '/api/v1.0/users', keyed('f', { query: { ids: 'ann' } }));
    const one = (): Promise<Received> => send('DELETE', '/api/v1.0/user/bob', keyed('g'));
    const create = (): Promise<Received> => send('POST', '/api/v1.0/users', { body: { users: [{ id: 'ann' }, { id: 'bob' }] } });
    await create();
    for (const write of [remove, one]) assert.equal((await write()).status, 200);
    await create();
    for (const write of [remove, one]) assert.deepEqual([(await write()).status, isReplayed(await write())], [200, true]);
    assert.equal(backend.directory.size, 2);
  });
});
