/** HI13: a whole number that would become another number is refused, whatever way it comes in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveClient } from '../../support/live/live-client.ts';
import { RawIo } from '../../support/live/raw-io.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

const BIG = '175928847299117063';
const TOO_BIG = `${BIG} is too big to be an exact number; write it as text`;

async function send(world: World, method: string, path: string, text: string, token = serverToken()) {
  const url = new URL(path, world.daemon.url);
  url.searchParams.set('api_key', API_KEY);
  const headers = { Authorization: token, 'Stream-Auth-Type': 'jwt', 'Content-Type': 'application/json' };
  const response = await fetch(url, { method, headers, ...(method === 'GET' ? {} : { body: text }) });
  return { status: response.status, text: await response.text() };
}

const requests: readonly [method: string, path: string, body: string, field: string][] = [
  ['POST', '/users', `{"users":{"ann":{"id":"ann","discord":${BIG}}}}`, 'users[ann].discord'],
  ['POST', '/users', `{"users":{"ann":{"id":${BIG}}}}`, 'users[ann].id'],
  ['POST', '/users?dry_run=true', `{"users":[{"id":"ann","a":{"b":[1,${BIG}]}}]}`, 'users[0].a.b[1]'],
  ['POST', '/api/v2/users', `{"users":{"ann":{"id":"ann","custom":{"discord":${BIG}}}}}`, 'users[ann].custom.discord'],
  ['PATCH', '/users', `{"users":[{"id":"ann","set":{"discord":${BIG}}}]}`, 'users[0].set.discord'],
  ['PATCH', '/api/v2/users', `{"users":[{"id":"ann","set":{"a.b":${BIG}}}]}`, 'users[0].set.a.b'],
  ['POST', '/guest', `{"user":{"id":"g","discord":${BIG}}}`, 'user.discord'],
  ['POST', '/users/ann/event', `{"event":{"type":"x","n":${BIG}}}`, 'event.n'],
  ['POST', '/moderation/flag', `{"target_user_id":"ann","user_id":"bob","custom":{"n":${BIG}}}`, 'custom.n'],
  ['POST', '/api/v1.0/user', `{"id":"f","data":{"n":${BIG}}}`, 'data.n'],
  ['POST', '/api/v1.0/feed/user/ann', `{"actor":"SU:ann","verb":"x","object":"y","n":${BIG}}`, 'n'],
  ['GET', `/users?payload={"filter_conditions":{"discord":${BIG}}}`, '', 'filter_conditions.discord'],
];

test('HI13 in the body and the query of requests of every dialect; nothing is stored', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  const { seq } = (await world.http('GET', '/sync/position')).body;
  for (const [method, path, body, field] of requests) {
    const { status, text } = await send(world, method, path, body);
    assert.equal(status, 400, `${path} ${text}`);
    assert.ok(text.includes(`${field}: ${TOO_BIG}`), `${path} ${text}`);
  }
  assert.equal((await world.http('GET', '/sync/position')).body.seq, seq);
});

test('HI13 a user of v2 can be sent back with its times, and texts of digits are texts', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann', name: 'Ann', custom: { discord: BIG, exact: 9007199254740992 } });
  const url = new URL('/api/v2/users?payload={"filter_conditions":{}}', world.daemon.url);
  url.searchParams.set('api_key', API_KEY);
  const response = await fetch(url, { headers: { Authorization: serverToken(), 'Stream-Auth-Type': 'jwt' } });
  const shown = await response.text();
  const user = /"users":\[(\{.*\})\]/.exec(shown)?.[1] ?? '';
  assert.match(user, /"created_at":\d{19}/);
  const { status, text } = await send(world, 'POST', '/api/v2/users', `{"users":{"ann":${user}}}`);
  assert.deepEqual([status, JSON.parse(text).unchanged], [200, ['ann']], text);
  assert.ok(text.includes(`"discord":"${BIG}"`) && text.includes('"exact":9007199254740992'), text);
});

test('HI13 in frames of /live, in the connect of a chat client, and over Socket.IO; the connection goes on', async (t) => {
  const world = await World.start(t);
  const live = await world.chat('ann');
  live.send(`{"op":"update","id":"u1","set":{"discord":${BIG}}}`);
  const refused = await live.until(({ re }) => re === 'u1');
  assert.ok(refused.error.message.includes(`set.discord: ${TOO_BIG}`), JSON.stringify(refused));
  assert.equal((await live.request({ op: 'update', set: { discord: BIG } })).user.custom.discord, BIG);

  const first = await world.open();
  first.send(`{"op":"connect","api_key":"${API_KEY}","token":"${userToken('bob')}","user":{"id":"bob","n":${BIG}}}`);
  const answer = await first.until(({ error }) => error !== undefined);
  assert.ok(answer.error.message.includes(`user.n: ${TOO_BIG}`), JSON.stringify(answer));

  const payload = encodeURIComponent(`{"user_details":{"id":"carl","n":${BIG}}}`);
  const query = `api_key=${API_KEY}&authorization=${userToken('carl')}&stream-auth-type=jwt&json=${payload}`;
  const chat = await LiveClient.open(`${world.liveUrl}/connect?${query}`);
  const error = await chat.until(({ error: found }) => found !== undefined);
  assert.ok(error.error.message.includes(`user_details.n: ${TOO_BIG}`), JSON.stringify(error));

  const io = await RawIo.open(world.liveUrl);
  t.after(() => io.ws.terminate());
  await io.until('"sid"');
  io.connect({ api_key: API_KEY, token: userToken('dan'), user: { id: 'dan', created_at: 7 } });
  await io.until('40{');
  io.send(`421["update",{"set":{"a":{"n":${BIG}}}}]`);
  await io.until('set.a.n: is too big to be an exact number; write it as text');
  io.send(`422["update",{"set":{"a":"${BIG}"}}]`);
  await io.until(`"a":"${BIG}"`);
  io.send(`423["update",{"set":{"a":${'{"a":'.repeat(5_000)}${BIG}${'}'.repeat(5_000)}}}]`);
  await io.until('433[');
  assert.ok((io.packets.find((packet) => packet.startsWith('433[')) ?? '').length < 2_000, 'a refusal does not repeat a long path');
  const other = await RawIo.open(world.liveUrl);
  t.after(() => other.ws.terminate());
  await other.until('"sid"');
  other.send(`40{"api_key":"${API_KEY}","token":"${userToken('eve')}","user":{"id":"eve","n":${BIG}}}`);
  await other.until('user.n: is too big to be an exact number; write it as text');
  assert.equal((await world.http('GET', '/sync/position')).body.users, 2, 'ann and dan');
});
