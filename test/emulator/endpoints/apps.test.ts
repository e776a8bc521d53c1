/** EM4 and EM5: isolated applications, and their settings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EmulatedApp } from '../../../daemon/emulator/app.ts';
import { EmulatorBench } from '../../support/emulator/emulator-kit.ts';

function appOf(bench: EmulatorBench, key: string): EmulatedApp {
  return bench.emulator.apps.find(({ credentials }) => credentials.apiKey === key) ?? assert.fail(`no application ${key}`);
}

test('EM4 an application has users, a clock, faults and everything else of its own', async (t) => {
  const bench = await EmulatorBench.start(t);
  const { status, body } = await bench.ask('POST', '/apps', { key: 'worker-1' });
  const worker = appOf(bench, 'worker-1');
  assert.deepEqual([status, body.key, body.url, body.emulator_url], [201, 'worker-1', worker.url, `${worker.url}/emulator`]);
  assert.equal(body.secret, worker.credentials.apiSecret);
  assert.notEqual(new URL(body.url).port, new URL(bench.app.url).port);
  await bench.client({}, worker).upsertUsers([{ id: 'ann' }]);
  await bench.ask('POST', '/clock', { advance_ms: 1_000_000 }, worker);
  await bench.ask('POST', '/faults', { fault: 'unavailable', count: 9 }, worker);
  const first = (await bench.ask('GET', '')).body;
  assert.deepEqual([first.app.users, first.clock.ahead_ms, first.faults], [0, 0, []]);
  assert.deepEqual(
    first.apps.map(({ key }: { key: string }) => key),
    [bench.app.credentials.apiKey, 'worker-1'],
  );
  await bench.client().upsertUsers([{ id: 'bob' }]);
  await bench.ask('POST', '/reset');
  assert.equal((await bench.ask('GET', '', undefined, worker)).body.app.users, 1);
  const mixed = bench.client({ apiKey: 'worker-1' });
  await assert.rejects(mixed.queryUsers({}), { status: 401 });
});

test('EM4 an application ends when it is asked for, but not the first one, nor through itself', async (t) => {
  const bench = await EmulatorBench.start(t);
  const { key, url } = (await bench.ask('POST', '/apps')).body;
  const worker = appOf(bench, key);
  const own = await bench.ask('DELETE', `/apps/${key}`, undefined, worker);
  assert.deepEqual([own.status, /ask another application to remove this one/.test(own.body.message)], [409, true]);
  assert.equal((await bench.ask('DELETE', `/apps/${bench.app.credentials.apiKey}`)).status, 409);
  assert.deepEqual((await bench.ask('DELETE', `/apps/${key}`)).body, { removed: key });
  await assert.rejects(fetch(url), 'its port is closed');
  const gone = await bench.ask('DELETE', `/apps/${key}`);
  assert.deepEqual([gone.status, gone.body.message.includes(`there are ${bench.app.credentials.apiKey}`)], [404, true]);
  assert.equal((await bench.ask('GET', '/apps')).body.apps.length, 1);
});

test('EM4 a key is taken once', async (t) => {
  const bench = await EmulatorBench.start(t);
  const answers = await Promise.all([1, 2, 3].map(() => bench.ask('POST', '/apps', { key: 'same', secret: 'short' })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409]);
  assert.equal(appOf(bench, 'same').credentials.apiSecret, 'short');
});

test('EM5 settings come from variables and from the request, and limits on requests are off', async (t) => {
  const bench = await EmulatorBench.start(t, {
    ROSTERD_CONNECT_ROLE: 'keep',
    ROSTERD_LISTEN: '0.0.0.0:1',
    ROSTERD_LOG: 'postgres://nowhere',
  });
  const ann = bench.phone();
  await ann.connectUser({ id: 'ann', role: 'admin' }, await bench.token({ user_id: 'ann' }));
  assert.equal(ann.me?.role, 'user');
  await bench.ask('POST', '/apps', { key: 'strict', settings: { 'connect.role': 'refuse', rate_limits: 'all', 'presence.grace_ms': 0 } });
  const strict = appOf(bench, 'strict');
  const eve = bench.phone(strict);
  await assert.rejects(eve.connectUser({ id: 'eve', role: 'admin' }, await bench.token({ user_id: 'eve' }, strict)), { code: 17 });
});

test('EM5 settings that are unknown, not usable or decided by the emulator are refused by name', async (t) => {
  const bench = await EmulatorBench.start(t);
  for (const [body, text] of [
    [
      { settings: { 'conect.role': 'keep' } },
      /settings\.conect\.role: is no setting \(did you mean connect\.role\?\); there are log_level, origins, console, /,
    ],
    [{ settings: { listen: '0.0.0.0:80' } }, /settings\.listen: is decided by the emulator/],
    [{ settings: { api_key: 'x' } }, /settings\.api_key: is given by the fields key and secret/],
    [{ settings: { 'connect.role': 'maybe' } }, /settings: connect\.role is "maybe", but must be one of refuse, keep/],
    [{ settings: { 'presence.grace_ms': -1 } }, /presence\.grace_ms is "-1", but must be/],
    [{ settings: { origins: ['a'] } }, /settings\.origins: must be/],
    [{ key: 'a b' }, /api_key is "a b", but must be/],
    [{ name: 'x' }, /name: is no field here; there are key, secret, settings/],
  ] as const) {
    const { status, body: answer } = await bench.ask('POST', '/apps', body);
    assert.equal(status, 400, `${JSON.stringify(body)} ${JSON.stringify(answer)}`);
    assert.match(answer.message, text);
  }
  await assert.rejects(EmulatorBench.start(t, { ROSTERD_CONNECT_ROLE: 'maybe' }), /connect\.role \(from ROSTERD_CONNECT_ROLE\)/);
});
