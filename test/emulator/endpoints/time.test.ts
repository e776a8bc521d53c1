/** EM10–EM12: the clock of an application is set, and everything that ends in time follows; tokens have its times. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EmulatorBench } from '../../support/emulator/emulator-kit.ts';
import { eventually } from '../../support/eventually.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

test('EM10 bans and mutes end when the clock is set beyond their end, and their events are sent', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  await client.upsertUsers([{ id: 'ann' }, { id: 'bob' }]);
  await client.banUser('ann', { banned_by_id: 'bob', timeout: 60 });
  const types = async (): Promise<string> =>
    (await bench.ask('GET', '/events')).body.events.map(({ type }: { type: string }) => type).join();
  assert.doesNotMatch(await types(), /user\.unbanned/);
  await bench.ask('POST', '/clock', { advance_ms: HOUR_MS - 60_000 });
  assert.equal((await client.queryUsers({ id: 'ann' })).users[0]?.banned, true);
  await bench.ask('POST', '/clock', { advance_ms: 60_000 });
  await eventually(async () => /user\.unbanned/.test(await types()));
  assert.equal((await client.queryUsers({ id: 'ann' })).users[0]?.banned ?? false, false);
});

test('EM10 EM12 a token has the times of the emulated clock, and ends by it: for requests, and for a connection', async (t) => {
  const bench = await EmulatorBench.start(t);
  await bench.ask('POST', '/clock', { now: '2031-05-06T07:08:09Z' });
  const { body } = await bench.ask('POST', '/tokens', { user_id: 'ann', expires_in_s: 3_600 });
  assert.match(body.expires_at, /^2031-05-06T08:08:\d\d\.000Z$/);
  assert.equal(body.api_key, bench.app.credentials.apiKey);
  const tokens: string[] = [];
  const ann = bench.phone();
  await ann.connectUser({ id: 'ann' }, async () => {
    tokens.push(tokens.length === 0 ? body.token : await bench.token({ user_id: 'ann' }));
    return tokens.at(-1) ?? '';
  });
  await bench.ask('POST', '/clock', { advance_ms: 2 * HOUR_MS });
  await eventually(
    () => tokens.length === 2 && ann.state.kind === 'open',
    () => `${tokens.length} ${ann.state.kind}`,
  );
  const late = bench.phone();
  await assert.rejects(late.connectUser({ id: 'ann' }, body.token), { code: 40 });
});

test('EM12 a token may be for a server, never end, or be over already', async (t) => {
  const bench = await EmulatorBench.start(t);
  const claims = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  const forever = await bench.ask('POST', '/tokens', { server: true, expires_in_s: null });
  assert.deepEqual([claims(forever.body.token).server, claims(forever.body.token).exp, forever.body.expires_at], [true, undefined, null]);
  const daily = claims(await bench.token({ user_id: 'ann' }));
  assert.equal(daily.exp - daily.iat, DAY_MS / 1_000);
  const over = await bench.token({ user_id: 'ann', expires_in_s: -3_600 });
  await assert.rejects(bench.phone().connectUser({ id: 'ann' }, over), { code: 40 });
  for (const [body, text] of [
    [{}, /user_id: give either user_id or/],
    [{ user_id: 'ann', server: true }, /give either/],
    [{ user_id: 'a b' }, /user_id: may contain only/],
    [{ user_id: 'ann', expires_in_s: 1.5 }, /expires_in_s/],
  ] as const) {
    const { status, body: answer } = await bench.ask('POST', '/tokens', body);
    assert.equal(status, 400);
    assert.match(answer.message, text);
  }
});

test('EM10 a user whose connection ended is offline when its grace is skipped', async (t) => {
  const bench = await EmulatorBench.start(t, { ROSTERD_PRESENCE_GRACE_MS: '600000' });
  await bench.client().upsertUsers([{ id: 'ann' }]);
  const ann = bench.phone();
  await ann.connectUser({ id: 'ann' }, await bench.token({ user_id: 'ann' }));
  const { roster, sessions } = bench.app;
  await eventually(() => roster.online('ann'));
  await ann.disconnectUser();
  await eventually(() => [...sessions.all].length === 0);
  assert.equal(roster.online('ann'), true);
  await bench.ask('POST', '/clock', { advance_ms: 600_000 });
  await eventually(() => !roster.online('ann'));
});

test('EM10 finished tasks and files of exports are gone when the clock is set beyond their retention', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  await client.upsertUsers([{ id: 'ann' }]);
  const { task_id } = await client.exportUsers({ user_ids: ['ann'] });
  await eventually(async () => (await client.getTask({ id: task_id })).status === 'completed');
  const { url } = (await client.getTask({ id: task_id })).result as { url: string };
  assert.equal((await fetch(url)).status, 200);
  await bench.ask('POST', '/clock', { advance_ms: 61 * DAY_MS });
  await eventually(
    async () =>
      await client.getTask({ id: task_id }).then(
        () => false,
        ({ status }) => status === 404,
      ),
  );
  assert.notEqual((await fetch(url)).status, 200, 'the link is over too');
});

test('EM10 a webhook that fails is tried again when the clock is advanced', async (t) => {
  // On a busy machine, many hours are skipped before the next attempt has come to its end.
  const bench = await EmulatorBench.start(t, { ROSTERD_WEBHOOKS_RETRY_H: '8760' });
  const client = bench.client();
  await client.updateAppSettings({
    event_hooks: [{ hook_type: 'webhook', enabled: true, event_types: [], webhook_url: `${bench.app.url}/emulator/webhooks/mine` }],
  });
  await bench.ask('POST', '/faults', { fault: 'unavailable', operation: 'Webhook', count: 1_000_000 });
  await client.upsertUsers([{ id: 'ann' }]);
  const left = async (): Promise<number> => (await bench.ask('GET', '/faults')).body.faults[0]?.left ?? 0;
  await eventually(async () => (await left()) < 999_999);
  await bench.ask('DELETE', '/faults');
  const arrived = async (): Promise<number> => (await bench.ask('GET', '/webhooks')).body.webhooks.length;
  await eventually(async () => {
    await bench.ask('POST', '/clock', { advance_ms: HOUR_MS });
    return (await arrived()) > 0;
  });
});

test('EM11 a clock cannot be set to a time that is none, and no request may say both or neither', async (t) => {
  const bench = await EmulatorBench.start(t);
  for (const [body, text] of [
    [{}, /advance_ms: give either advance_ms or now/],
    [{ advance_ms: 1, now: '2030-01-01T00:00:00Z' }, /give either/],
    [{ now: 'tomorrow' }, /now: must lead to a time in RFC 3339 from 2000 to 2200/],
    [{ now: '1999-12-31T23:59:59Z' }, /now: must lead to/],
    [{ now: '2201-01-01T00:00:00Z' }, /now: must lead to/],
    [{ advance_ms: 0 }, /advance_ms: must be >= 1/],
    [{ advance_ms: -5 }, /advance_ms/],
  ] as const) {
    const { status, body: answer } = await bench.ask('POST', '/clock', body);
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(answer.message, text);
  }
  await bench.ask('POST', '/clock', { now: '2199-01-01T00:00:00Z' });
  assert.match((await bench.ask('POST', '/clock', { advance_ms: 2 * 365 * DAY_MS })).body.message, /advance_ms: must lead to/);
  assert.match((await bench.ask('GET', '/clock')).body.now, /^2199-01-01T/);
});
