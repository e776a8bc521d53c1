/** EM13–EM17: a test looks at all events, and at the webhooks that were delivered to the emulator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { EmulatorBench } from '../../support/emulator/emulator-kit.ts';
import { eventually } from '../../support/eventually.ts';
import { send } from '../../support/http/request.ts';

test('EM13 events come with their positions, page by page, as a subscriber to everything gets them', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  for (const id of ['ann', 'bob', 'carl']) await client.upsertUsers([{ id, name: id.toUpperCase() }]);
  const first = (await bench.ask('GET', '/events?after=0&limit=2')).body;
  assert.deepEqual(
    first.events.map(
      ({ type, seq, created, user }: { type: string; seq: number; created: boolean; user: { id: string; name: string } }) => [
        ...[type, seq, created, user.id, user.name],
      ],
    ),
    [
      ['user.updated', 1, true, 'ann', 'ANN'],
      ['user.updated', 2, true, 'bob', 'BOB'],
    ],
  );
  const rest = (await bench.ask('GET', `/events?after=${encodeURIComponent(first.position)}`)).body;
  assert.deepEqual([rest.events.length, rest.events[0].user.id, rest.head, rest.kept_after], [1, 'carl', 3, 0]);
  const none = (await bench.ask('GET', '/events?after=3')).body;
  assert.deepEqual([none.events, none.position], [[], rest.position]);
});

test('EM13 an answer waits for the first event, and not for longer than it was asked to', async (t) => {
  const bench = await EmulatorBench.start(t);
  const waiting = bench.ask('GET', '/events?after=0&wait_ms=60000');
  await bench.client().upsertUsers([{ id: 'ann' }]);
  assert.equal((await waiting).body.events[0].user.id, 'ann');
  assert.deepEqual((await bench.ask('GET', '/events?after=1&wait_ms=1')).body.events, []);
});

test('EM13 an answer that waits does not outlive the directory that it waits for', async (t) => {
  const bench = await EmulatorBench.start(t);
  let answered: unknown;
  void bench.ask('GET', '/events?wait_ms=60000').then(({ body }) => {
    answered = body.events;
  });
  await eventually(async () => {
    await bench.ask('POST', '/reset');
    return answered !== undefined;
  });
  assert.deepEqual(answered, []);
});

test('EM14 a position that is lost, beyond the newest or no position is refused with the way to begin again', async (t) => {
  const bench = await EmulatorBench.start(t);
  await bench.client().upsertUsers([{ id: 'ann' }]);
  const { position } = (await bench.ask('GET', '/events')).body;
  await bench.ask('POST', '/faults', { fault: 'lost_history' });
  const lost = await bench.ask('GET', `/events?after=${encodeURIComponent(position)}`);
  assert.equal(lost.status, 409);
  assert.match(lost.body.message, /the history of ".*" is lost, as after a reset; begin without "after", or with \w+:1/);
  const early = await bench.ask('GET', '/events?after=0');
  assert.match(early.body.message, /events up to 1 are no longer kept; begin without "after"/);
  assert.equal((await bench.ask('GET', '/events')).body.kept_after, 1);
  for (const [after, text] of [
    ['7', /after: must not be beyond the newest position, 1/],
    ['soon', /after: must be a seq such as 12/],
    ['-1', /after: must be a seq/],
  ] as const) {
    const { status, body } = await bench.ask('GET', `/events?after=${after}`);
    assert.equal(status, 400);
    assert.match(body.message, text);
  }
});

test('EM15 EM16 a webhook can be delivered to the emulator, which shows its headers, signature and body', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  const url = `${bench.app.url}/emulator/webhooks`;
  await client.updateAppSettings({
    event_hooks: [
      { hook_type: 'webhook', enabled: true, event_types: ['user.updated'], webhook_url: `${url}/one` },
      { hook_type: 'webhook', enabled: true, event_types: ['user.deactivated'], webhook_url: `${url}/two` },
    ],
  });
  const waiting = bench.ask('GET', '/webhooks?receiver=one&count=2&wait_ms=60000');
  await client.upsertUsers([{ id: 'ann', name: 'Ann' }, { id: 'bob' }]);
  const { webhooks } = (await waiting).body;
  assert.deepEqual(webhooks.map(({ json }: { json: { user: { id: string } } }) => json.user.id).sort(), ['ann', 'bob']);
  const [first] = webhooks;
  assert.deepEqual([first.receiver, first.signature_valid, first.headers['x-api-key']], ['one', true, bench.app.credentials.apiKey]);
  assert.match(first.headers['x-webhook-id'], /^[0-9a-f-]{36}$/);
  assert.deepEqual(JSON.parse(first.body), first.json);
  await client.deactivateUser('ann');
  const two = (await bench.ask('GET', '/webhooks?receiver=two&wait_ms=60000')).body.webhooks;
  assert.deepEqual([two.length, two[0].json.type], [1, 'user.deactivated']);
  const removed = (await bench.ask('DELETE', '/webhooks')).body.removed;
  assert.ok(removed >= 3, String(removed));
  assert.deepEqual((await bench.ask('GET', '/webhooks?count=1&wait_ms=1')).body, { webhooks: [], dropped: 0 });
});

test('EM15 a body with another signature, packed, or that is no JSON is shown as it is', async (t) => {
  const bench = await EmulatorBench.start(t);
  const post = (body: string, headers: Record<string, string> = {}) =>
    send(`${bench.app.url}/emulator/webhooks/mine`, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body });
  assert.equal((await post('{"a":1}', { 'X-Signature': 'wrong' })).status, 200);
  assert.equal((await post('plain')).status, 200);
  const packed = await fetch(`${bench.app.url}/emulator/webhooks/mine`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
    body: gzipSync('{"b":2}'),
  });
  assert.equal(packed.status, 200);
  assert.equal((await post('not packed', { 'Content-Encoding': 'gzip' })).status, 400);
  assert.equal((await post('x'.repeat(1024 * 1024 + 1))).status, 413);
  const { webhooks } = (await bench.ask('GET', '/webhooks')).body;
  assert.deepEqual(
    webhooks.map(({ n, json, body, signature_valid }: Record<string, unknown>) => [n, json, body, signature_valid]),
    [
      [1, { a: 1 }, '{"a":1}', false],
      [2, null, 'plain', false],
      [3, { b: 2 }, '{"b":2}', false],
    ],
  );
  assert.equal((await bench.ask('POST', '/webhooks/a%20b')).status, 400);
});

test('EM17 the newest deliveries are kept, and those that had to go are counted', async (t) => {
  const bench = await EmulatorBench.start(t);
  const bytes = Buffer.alloc(1024 * 1024, 'x');
  for (let n = 0; n < 20; n++) bench.app.deliveries.add({ receiver: 'big', atMs: n, headers: {}, bytes });
  assert.deepEqual([bench.app.deliveries.of('big').length, bench.app.deliveries.dropped], [16, 4]);
  for (let n = 0; n < 1_010; n++) bench.app.deliveries.add({ receiver: 'small', atMs: n, headers: {}, bytes: Buffer.from(`${n}`) });
  const { webhooks, dropped } = (await bench.ask('GET', '/webhooks?receiver=small')).body;
  assert.deepEqual([webhooks.length, webhooks.at(-1).body, dropped], [1_000, '1009', 30]);
});
