/** ER1–ER4: a batch with several things wrong in it lists all of them, each with its own code, and does nothing. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type HttpWorld, httpWorld, type Received } from '../../support/http/fake-backend.ts';

interface Listed {
  readonly path: string;
  readonly code: number;
  readonly message: string;
}

/** A directory where names are unique, `zoe` is called Taken, and `gone` was deleted. */
async function world(): Promise<HttpWorld> {
  const made = httpWorld();
  await made.send('POST', '/users', { body: { users: { zoe: { name: 'Taken' }, gone: {}, ann: {}, bob: {}, cem: {}, dan: {}, eve: {} } } });
  await made.send('DELETE', '/users/gone');
  assert.equal((await made.send('PATCH', '/app', { body: { enforce_unique_usernames: 'app' } })).status, 200);
  return made;
}

/** What every such refusal must be, whatever is wrong. Gives what is listed as `path code`. */
function listed(received: Received, operation: string): string[] {
  const { body, status } = received;
  const errors: readonly Listed[] = body.errors;
  assert.ok(Array.isArray(errors) && errors.length > 0, received.text);
  const [first] = errors;
  assert.equal(body.message, `${operation} failed with error: "${first?.path}: ${first?.message}"`);
  assert.equal(body.code, first?.code, 'the code of the answer is that of the first error');
  assert.equal(body.StatusCode, status);
  assert.deepEqual(body.exception_fields, Object.fromEntries(errors.map(({ path, message }) => [path, message])));
  for (const error of errors) assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'path']);
  return errors.map(({ path, code }) => `${path} ${code}`);
}

it('ER1 an upsert: wrong types, an unknown role, a name that is taken, a deleted user', async () => {
  for (const path of ['/users', '/api/v2/users']) {
    const { backend, send } = await world();
    const before = backend.position.seq;
    const users = {
      ann: { role: 'captain' },
      gone: { name: 'Back' },
      bob: { name: 'taken' },
      cem: { name: 5, teams: 'red' },
      dan: { teams: [''] },
      eve: { name: 'Eve is fine' },
      'no id': {},
    };
    const found = listed(await send('POST', path, { body: { users } }), 'UpdateUsers');
    assert.deepEqual(found.toSorted(), [
      'users[ann].role 4',
      'users[bob].name 6',
      'users[cem].name 4',
      'users[cem].teams 4',
      'users[dan].teams[0] 4',
      'users[gone] 16',
      'users[no id].id 4',
    ]);
    assert.equal(backend.position.seq, before, 'something was applied');
    assert.equal(backend.directory.user('eve')?.name, undefined);
  }
});

it('ER2 a partial update: bad paths, an unknown user, a deleted one, a name that is taken', async () => {
  const { backend, send } = await world();
  const before = backend.position.seq;
  const users = [
    { id: 'ann', set: { role: 'captain' } },
    { id: 'bob', set: { 'a.__proto__': 1, name: 5 } },
    { id: 'cem', set: { name: 'TAKEN' } },
    { id: 'gone', set: { a: 1 } },
    { id: 'nobody', set: { a: 1 } },
    { id: 'dan', unset: ['role'] },
    { id: 'eve', set: { a: 1 } },
  ];
  const found = listed(await send('PATCH', '/api/v2/users', { body: { users } }), 'UpdateUsersPartial');
  assert.deepEqual(found.toSorted(), [
    'users[ann].role 4',
    'users[bob].set.a.__proto__ 4',
    'users[bob].set.name 4',
    'users[cem].name 6',
    'users[dan].unset.role 4',
    'users[gone] 16',
    'users[nobody] 16',
  ]);
  assert.equal(backend.position.seq, before, 'something was applied');
});

it('ER3 a restore: every user that cannot be restored, and why', async () => {
  const { backend, send } = await world();
  const before = backend.position.seq;
  const received = await send('POST', '/users/restore', { body: { user_ids: ['gone', 'ann', 'nobody'] } });
  const found = listed(received, 'RestoreUsers');
  assert.equal(found.length, 2, received.text);
  assert.match(found[0] ?? '', /ann/);
  assert.match(found[1] ?? '', /nobody/);
  assert.equal(backend.position.seq, before, 'something was applied');
  assert.notEqual(backend.directory.user('gone')?.id, 'gone');
});

it('ER4 ids in a list: each that is none is named by its place', async () => {
  const { send } = await world();
  for (const path of ['/users/delete', '/api/v2/users/deactivate', '/users/restore', '/export/users']) {
    const { body } = await send('POST', path, { body: { user_ids: ['ann', 'a b', '', 'bob', '__proto__'] } });
    assert.deepEqual(
      body.errors.map((error: Listed) => `${error.path} ${error.code}`),
      ['user_ids[1] 4', 'user_ids[2] 4', 'user_ids[4] 4'],
      path,
    );
  }
});
