/**
 * SC1: tokens and the secret appear in no log line, whatever its level, and in nothing that is answered.
 * SC2: the same is watched over everything that any test with a daemon does (test/support/http/secrecy.ts).
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { encodeToken } from '../../../protocol/base/tokens.ts';
import { leakIn } from '../../support/http/secrecy.ts';
import { IoClient } from '../../support/live/io-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { API_KEY, API_SECRET, serverToken, userToken, World } from '../../support/world.ts';

/** Part of every token here, in the clear and as it stands in a token. */
const MARK = 'marked-so-that-it-is-found';

function marked(claims: Record<string, unknown>, secret = API_SECRET): string {
  return encodeToken({ ...claims, mark: MARK }, (input) => createHmac('sha256', secret).update(input).digest('base64url'));
}

/** What must not be found: the tokens, their parts, what is in them, and the secret. */
function needlesOf(tokens: readonly string[]): string[] {
  const parts = tokens.flatMap((token) => token.split('.').slice(1));
  return [...tokens, ...parts, MARK, API_SECRET].filter((needle) => needle.length > 8);
}

test('SC1 tokens and the secret are in no log line and in no answer', async (t) => {
  const log: string[] = [];
  const told: string[] = [];
  const world = await World.start(t, { onLog: (line) => log.push(line), flags: { 'log-level': 'debug' } });
  const nowS = Math.floor(Date.now() / 1000);
  const tokens = {
    server: marked({ server: true }),
    ann: marked({ user_id: 'ann' }),
    expired: marked({ user_id: 'ann', exp: 1 }),
    early: marked({ user_id: 'ann', nbf: nowS + 3_600 }),
    future: marked({ user_id: 'ann', iat: nowS + 3_600 }),
    forged: marked({ server: true }, 'another secret that is long enough'),
    nobody: marked({ mark: 'x' }),
    wrongType: marked({ user_id: 7 }),
    short: marked({ user_id: 'carl', exp: nowS }),
  };
  const http = async (method: string, path: string, token: string, body?: string): Promise<void> => {
    for (const inQuery of [false, true]) {
      const url = `${world.daemon.url}${path}${path.includes('?') ? '&' : '?'}api_key=${API_KEY}${inQuery ? `&authorization=${token}` : ''}`;
      const response = await fetch(url, {
        method,
        headers: { Authorization: `Bearer ${token}`, 'Stream-Auth-Type': 'jwt', 'Content-Type': 'application/json' },
        ...(body === undefined ? {} : { body }),
      });
      told.push(JSON.stringify([...response.headers]), await response.text());
    }
  };
  for (const token of Object.values(tokens)) {
    await http('GET', '/users?payload={"filter_conditions":{}}', token);
    await http('POST', '/users', token, '{"users":{"ann":{"id":"ann"}}}');
    await http('POST', '/api/v2/users', token, '{"users":{"bad id":{"id":"bad id","role":7}}}');
    await http('POST', '/api/v2/users', token, '{"users":');
    await http('POST', '/api/v2/users', token, `{"users":{"ann":{"id":"ann","token":${'['.repeat(200)}}}}`);
    await http('GET', '/no/such/path/%ff', token);
    await http('GET', '/app', token);
  }

  for (const token of Object.values(tokens)) {
    const client = await world.open();
    client.send({ op: 'connect', id: 1, api_key: API_KEY, token });
    await client.until(({ re }) => re === 1);
    client.send({ op: 'refresh', id: 2, token: tokens.forged });
    client.send({ op: 'refresh', id: 3, token });
    client.send({ op: 'refresh', token: 7, marked: token });
    client.send(`{"op":"refresh","token":"${token}`);
    await client.closed;
    told.push(JSON.stringify(client.frames));
    const query = { json: '{"user_details":{"id":"ann"}}', api_key: API_KEY, authorization: token, 'stream-auth-type': 'jwt' };
    const chat = await world.open(`/connect?${new URLSearchParams(query)}`);
    told.push(JSON.stringify(await chat.until(() => true)));
    const io = new IoClient(world.daemon.url, { api_key: API_KEY, token });
    const answer = await io.opened().catch((error: { data?: Frame; message: string }) => [error.message, error.data]);
    told.push(JSON.stringify([answer, io.socket.connected ? await io.request('refresh', { token: tokens.forged }) : undefined]));
    io.close();
  }
  await world.stop();

  const lines = log.join('\n');
  const answers = told.join('\n');
  assert.ok(log.length > 20, 'a log was written');
  assert.ok(answers.length > 10_000 && answers.includes('connection.ok') && answers.includes('signature'));
  // The mark would be found: it is in what was sent.
  assert.ok(Buffer.from(tokens.ann.split('.')[1] ?? '', 'base64url').includes(MARK));
  for (const needle of needlesOf(Object.values(tokens))) {
    assert.ok(!lines.includes(needle), `in the log: ${log.find((line) => line.includes(needle))}`);
    assert.ok(!answers.includes(needle), `in an answer: ${told.find((text) => text.includes(needle))?.slice(0, 500)}`);
  }
});

test('SC2 the watch over all tests finds tokens, their parts, and the secret', () => {
  const [header = '', claims = '', signature = ''] = userToken('ann').split('.');
  for (const text of [serverToken(), header, claims, signature, API_SECRET]) {
    assert.notEqual(leakIn(`{"level":30,"msg":"a request with ${text}"}`), undefined, text);
  }
  assert.equal(leakIn(`{"level":30,"id":"req-1","user":"ann","digest":"${'a'.repeat(43)}"}`), undefined);
});
