/** Feeds: users and activities in the place of references (FD24). */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { httpWorld, SERVER_TOKEN, type Send } from '../../support/http/fake-backend.ts';
import { create, ROOT } from '../../support/http/feeds-kit.ts';

const get = async (send: Send, path: string, query: Record<string, string> = {}) => (await send('GET', `${ROOT}/${path}/`, { query })).body;

const add = (send: Send, feed: string, body: object, token = SERVER_TOKEN) => send('POST', `${ROOT}/feed/${feed}/`, { body, token });

const good = { actor: 'SU:ann', verb: 'post', object: 'p:1' };

test('FD24 enrichment puts users in the place of references, with the keys of the user endpoint in its order', async () => {
  const { send } = httpWorld();
  await create(send, 'ann', { color: 'red', name: 'Ann' });
  const sent = { ...good, object: 'SU:bob', target: 'SO:food:burger', by: ['SU:ann', 'x'], deep: { who: 'SU:ann' }, note: 'SUnshine' };
  await add(send, 'user/ann', { ...sent, foreign_id: 'SU:ann', time: '2024-05-06T07:08:09' });
  const [found] = (await get(send, 'enrich/feed/user/ann')).results;
  const { duration: _, ...ann } = (await send('GET', `${ROOT}/user/ann/`)).body;
  for (const value of [found.actor, found.by[0], found.deep.who]) assert.equal(JSON.stringify(value), JSON.stringify(ann));
  const missing = { error: 'ReferenceNotFound' };
  assert.deepEqual(found.object, { id: 'bob', ...missing, reference: 'SU:bob', reference_type: 'user' });
  assert.deepEqual(found.target, { id: 'burger', collection: 'food', ...missing, reference: 'SO:food:burger', reference_type: 'object' });
  assert.deepEqual([found.by[1], found.note, found.foreign_id], ['x', 'SUnshine', 'SU:ann']);
  const [plain] = (await get(send, 'feed/user/ann')).results;
  assert.deepEqual([plain.actor, plain.object, plain.by], ['SU:ann', 'SU:bob', ['SU:ann', 'x']]);
  const [named] = (await get(send, 'enrich/activities', { ids: found.id })).results;
  assert.deepEqual(named, found);
});

test('FD24 users are read as they are at that moment: changed, deleted, back again', async () => {
  const { send } = httpWorld();
  await create(send, 'ann', { n: 1 });
  await add(send, 'user/ann', good);
  const actor = async () => (await get(send, 'enrich/feed/user/ann')).results[0].actor;
  await send('PUT', `${ROOT}/user/ann/`, { body: { data: { n: 2 } } });
  assert.deepEqual((await actor()).data, { n: 2 });
  await send('DELETE', `${ROOT}/user/ann/`);
  assert.equal((await actor()).error, 'ReferenceNotFound');
  await create(send, 'ann', { n: 3 });
  assert.deepEqual((await actor()).data, { n: 3 });
});

test('FD24 a reference to an activity is that activity, with nothing replaced inside it', async () => {
  const { send } = httpWorld();
  await create(send, 'ann');
  const { body } = await add(send, 'user/ann', good);
  await add(send, 'user/bob', { ...good, object: `SA:${body.id}`, target: 'SA:nothing' });
  const [found] = (await get(send, 'enrich/feed/user/bob')).results;
  assert.deepEqual([found.object.id, found.object.actor, found.object.origin], [body.id, 'SU:ann', null]);
  assert.equal(found.target.reference_type, 'activity');
});
