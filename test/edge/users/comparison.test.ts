/** CY1–CY3: digests of the users, and how a copy differs in single users. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digest, digestPart } from '../../../protocol/base/digest.ts';
import { assertRefused, httpWorld, userToken as tokenOf } from '../../support/http/fake-backend.ts';

const USERS = { ann: { teams: ['red'] }, bob: { name: 'Bob', city: 'Rome' }, cem: { teams: ['red', 'blue'] }, dan: {}, eve: {} };

async function filled() {
  const world = httpWorld();
  await world.send('POST', '/users', { body: { users: USERS } });
  await world.send('DELETE', '/users/dan');
  await world.send('DELETE', '/users/eve', { query: { hard_delete: 'true' } });
  return world;
}

test('CY1 the digest is that of the client library, of all users and of each part', async () => {
  const { send } = await filled();
  const users = [
    { id: 'ann', rev: 1 },
    { id: 'bob', rev: 2 },
    { id: 'cem', rev: 3 },
  ];
  for (const prefix of ['', '/api/v2']) {
    const { body } = await send('GET', `${prefix}/sync/digests`, { query: { parts: '4', since: '2' } });
    const parts = [0, 1, 2, 3].map((part) => digest(users.filter(({ id }) => digestPart(id, 4) === part)));
    const { duration: _, ...rest } = body;
    assert.deepEqual(rest, { epoch: 'test', seq: 7, users: 3, digest: digest(users), changed: 1, parts });
  }
  const red = await send('GET', '/sync/digests', { query: { team: 'red' } });
  assert.deepEqual([red.body.users, red.body.digest], [2, digest(users.filter(({ id }) => id !== 'bob'))]);
  assert.deepEqual(red.body.parts, [red.body.digest]);
});

test('CY1 the list of revisions can be had for some of the parts', async () => {
  const { send } = await filled();
  const part = digestPart('ann', 8);
  const { text } = await send('GET', '/sync/users', { query: { parts: String(part), of: '8' } });
  const ids = [...text.matchAll(/"id":"(\w+)"/g)].map(([, id]) => id);
  assert.deepEqual(
    ids,
    ['ann', 'bob', 'cem'].filter((id) => digestPart(id, 8) === part),
  );
  assertRefused(await send('GET', '/sync/users', { query: { parts: '1' } }), 400, 4, 'of');
  assertRefused(await send('GET', '/sync/users', { query: { parts: 'x', of: '8' } }), 400, 4, 'parts');
  assertRefused(await send('GET', '/sync/digests', { query: { parts: '4097' } }), 400, 4, 'parts');
});

test('CY2 each user that differs is named, with how; what changed after the position of the copy is no difference', async () => {
  const { send } = await filled();
  const revs = { ann: 1, bob: 1, cem: 9, dan: 4, eve: 5, fay: 1 };
  const { body } = await send('POST', '/sync/compare', { body: { revs } });
  const { duration: _, ...rest } = body;
  const notes = rest.differences.map(({ note }: { note?: string }) => note);
  assert.deepEqual(
    rest.differences.map(({ note: __, ...one }: Record<string, unknown>) => one),
    [
      { id: 'bob', how: 'older', rev: 2, copy_rev: 1 },
      { id: 'dan', how: 'missing_here', copy_rev: 4 },
      { id: 'eve', how: 'missing_here', copy_rev: 5 },
      { id: 'fay', how: 'missing_here', copy_rev: 1 },
    ],
  );
  assert.deepEqual([rest.equal, rest.changed], [1, 1]);
  assert.match(notes[1], /^deleted at .*Z, revision 6$/);
  assert.match(notes[2], /^hard-deleted at /);
  assert.equal(notes[3], 'there is and was no such user');
  const newer = await send('POST', '/sync/compare', { body: { revs: { bob: 5 } } });
  assert.deepEqual(newer.body.differences, [{ id: 'bob', how: 'newer', rev: 2, copy_rev: 5 }]);
  const before = await send('POST', '/api/v2/sync/compare', { body: { position: { epoch: 'test', seq: 1 }, revs: { bob: 1, dan: 1 } } });
  assert.deepEqual([before.body.changed, before.body.differences], [2, []]);
  const team = await send('POST', '/sync/compare', { body: { team: 'red', revs: { ann: 1, bob: 2 } } });
  assert.deepEqual(team.body.differences, [{ id: 'bob', how: 'missing_here', copy_rev: 2, note: 'not in the team red, revision 2' }]);
});

test('CY2 whole users are compared field by field, as an upsert would change them', async () => {
  const { send } = await filled();
  const users = { ann: { teams: ['red'] }, bob: { name: 'Rob', custom: { city: 'Rome' } }, cem: { role: 'no-such-role' }, nobody: {} };
  const { body } = await send('POST', '/api/v2/sync/compare', { body: { users } });
  assert.deepEqual(body.differences, [
    { id: 'bob', how: 'differs', rev: 2, fields: { name: ['Bob', 'Rob'] } },
    { id: 'cem', how: 'differs', rev: 3, note: 'role "no-such-role" does not exist' },
  ]);
  assert.equal(body.equal, 1);
});

test('CY3 only a server may compare, and a request that cannot be compared names its field', async () => {
  const { send, backend } = await filled();
  for (const [method, path] of [
    ['GET', '/sync/digests'],
    ['POST', '/sync/compare'],
  ] as const) {
    assertRefused(await send(method, path, { token: tokenOf('ann'), ...(method === 'POST' ? { body: { revs: {} } } : {}) }), 403, 17);
  }
  const refused = async (body: unknown, field: string) => assertRefused(await send('POST', '/sync/compare', { body }), 400, 4, field);
  await refused({}, 'revs');
  await refused({ revs: { ann: -1 } }, 'revs.ann');
  await refused({ revs: { 'a b': 1 } }, 'revs[a b]');
  await refused({ revs: Object.fromEntries(Array.from({ length: 1_001 }, (_, n) => [`u${n}`, 1])) }, 'revs');
  await refused({ revs: { ann: 1 }, position: { epoch: 'other', seq: 1 } }, 'position');
  assert.equal(backend.directory.seq, 7, 'nothing was written');
});
