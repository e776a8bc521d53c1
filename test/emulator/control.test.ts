/** EM2 and EM9: who may use what is below /emulator, and what is said to a wrong request. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EmulatorBench } from '../support/emulator/emulator-kit.ts';
import { send } from '../support/http/request.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };

test('EM2 pages of other sites and names that point here are refused, and those of this machine are not', async (t) => {
  const { app } = await EmulatorBench.start(t);
  const { port } = new URL(app.url);
  const status = async (headers: Record<string, string>) =>
    (await send(`${app.url}/emulator/reset`, { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body: '{}' })).status;
  for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', '192.168.0.1', `evil.example@127.0.0.1:${port}`])
    assert.equal(await status({ Host: host }), 403, `host "${host}"`);
  for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example', 'file://', 'http://10.0.0.1:3000'])
    assert.equal(await status({ Origin: origin }), 403, origin);
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, '127.0.0.2'])
    assert.equal(await status({ Host: host }), 200, host);
  for (const origin of ['http://localhost:3000', 'http://127.0.0.1:5173', 'http://[::1]:80'])
    assert.equal(await status({ Origin: origin }), 200, origin);
  assert.equal((await send(`${app.url}/emulator`, { method: 'GET', headers: { Origin: 'https://evil.example' } })).status, 403);
});

test('EM2 a page of this machine may read the answers, and a form of any page cannot be posted', async (t) => {
  const { app } = await EmulatorBench.start(t);
  const origin = 'http://localhost:5173';
  const preflight = await send(`${app.url}/emulator/reset`, { method: 'OPTIONS', headers: { Origin: origin } });
  assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-origin')], [204, origin]);
  const evil = await send(`${app.url}/emulator/reset`, { method: 'OPTIONS', headers: { Origin: 'https://evil.example' } });
  assert.deepEqual([evil.status, evil.headers.get('access-control-allow-origin')], [403, null]);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx']) {
    const { status, text } = await send(`${app.url}/emulator/reset`, { method: 'POST', headers: { 'Content-Type': type }, body: '{}' });
    assert.deepEqual([status, JSON.parse(text).errors[0].path], [400, 'content-type'], type);
  }
  const untyped = await send(`${app.url}/emulator/reset`, { method: 'POST', headers: {} });
  assert.equal(untyped.status, 400);
});

test('EM9 unknown paths, methods, fields and parameters are refused by name, with those that there are', async (t) => {
  const bench = await EmulatorBench.start(t);
  const refusals: [string, string, unknown, number, RegExp][] = [
    ['GET', '/nothing', undefined, 404, /there is no GET \/emulator\/nothing; there are GET \/emulator, POST \/emulator\/reset/],
    ['GET', '/reset', undefined, 404, /there is no GET \/emulator\/reset; there are POST \/emulator\/reset\\"/],
    ['GET', '/%zz', undefined, 404, /there is no GET/],
    ['GET', '/snapshots/%zz', undefined, 400, /a % that is not followed by two hex digits/],
    ['POST', '/reset', { all: true }, 400, /all: is no field here; there are none/],
    ['POST', '/clock', { advance: 1 }, 400, /advance: is no field here; there are advance_ms, now/],
    ['POST', '/clock', { advance_ms: 1, nows: 2 }, 400, /nows: is no field here \(did you mean now\?\)/],
    ['POST', '/clock', { advance_ms: 'soon' }, 400, /advance_ms: must be integer/],
    ['POST', '/clock', [1], 400, /body: must be object, got array/],
    ['GET', '/events?since=3', undefined, 400, /since: is no parameter here; there are after, limit, wait_ms/],
    ['GET', '/events?limit=lots', undefined, 400, /limit: must be a whole number from 0 to 1000, got \\"lots\\"/],
    ['GET', '/clock?now=1', undefined, 400, /now: is no parameter here; there are none/],
  ];
  for (const [method, path, body, status, text] of refusals) {
    const answer = await bench.ask(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    assert.match(JSON.stringify(answer.body.message), text);
  }
});

test('EM9 bodies are bounded, and text that is no JSON is refused with its place', async (t) => {
  const { app } = await EmulatorBench.start(t);
  const post = (body: string) => send(`${app.url}/emulator/clock`, { method: 'POST', headers: JSON_TYPE, body });
  const big = await post(JSON.stringify({ now: 'x'.repeat(1024 * 1024) }));
  assert.equal(big.status, 413);
  const broken = await post('{"now": ');
  assert.equal(broken.status, 400);
  assert.match(broken.text, /is not JSON/);
});

test('EM9 the index lists every endpoint, and shows no secret', async (t) => {
  const bench = await EmulatorBench.start(t, { ROSTERD_API_KEY: 'my-key', ROSTERD_API_SECRET: 'my-own-secret' });
  const { status, body } = await bench.ask('GET', '');
  assert.equal(status, 200);
  assert.deepEqual(body.app, { key: 'my-key', url: bench.app.url, emulator_url: `${bench.app.url}/emulator`, users: 0 });
  assert.ok(body.endpoints.length > 20);
  assert.ok(!JSON.stringify(body).includes('my-own-secret'));
});
