/** WH4, WH6, WH23: the request of an event, and the delivery of webhooks put together. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { systemClock } from '../../../daemon/base/clock.ts';
import { Durations } from '../../../daemon/base/durations.ts';
import { createDelivery } from '../../../daemon/jobs/hooks/deliver.ts';
import type { Post } from '../../../daemon/jobs/hooks/sender.ts';
import { webhookId } from '../../../daemon/jobs/hooks/signature.ts';
import { startWebhooks } from '../../../daemon/jobs/hooks/start.ts';
import { type HookEvent, renderHookBody } from '../../../protocol/hooks/payload.ts';
import { eventually } from '../../support/eventually.ts';
import { HOOK, OK, START_MS, userRecord } from '../../support/hooks/hook-bench.ts';
import { openRoster, upsert } from '../../support/live/hub-kit.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';

const event: HookEvent = {
  ...{ seq: 7, at: START_MS * 1_000, type: 'user.updated', lane: 'ann' },
  fact: { t: 'user', event: 'updated', user: { ...userRecord('ann', 7), name: 'Ann' } },
};
const lookups = { user: () => undefined, online: () => true, exportUrl: () => undefined };
const never = new AbortController().signal;

/** The requests of two attempts. */
async function posts(more: Partial<typeof HOOK>): Promise<Post[]> {
  const sent: Post[] = [];
  const sender = {
    post: async (post: Post) => {
      sent.push(post);
      return OK;
    },
    close: () => {},
  };
  const send = createDelivery({ sender, apiKey: 'key', apiSecret: 'secret', version: '1.2.3', lookups, durations: new Durations() });
  const attempt = send({ ...HOOK, ...more }, { id: 'event-id', epoch: 'e' }, event);
  assert.deepEqual([await attempt(1, 5_000, never), await attempt(2, 3_000, never)], [OK, OK]);
  return sent;
}

test('WH6 the body has the dialect of its hook and is signed; the headers name the event, the attempt and the application', async () => {
  for (const dialect of ['v1', 'v2'] as const) {
    const [first, second] = await posts({ dialect, url: 'https://hooks.example/x' });
    assert.ok(first !== undefined && second !== undefined);
    const text = first.body.toString();
    assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(renderHookBody(event, dialect, { ...lookups, epoch: 'e' }))));
    assert.deepEqual(first.headers, {
      'Content-Type': 'application/json',
      'User-Agent': 'rosterd/1.2.3',
      'X-Webhook-Id': 'event-id',
      'X-Webhook-Attempt': 1,
      'X-Api-Key': 'key',
      'X-Signature': createHmac('sha256', 'secret').update(text).digest('hex'),
    });
    assert.deepEqual(second, { ...first, timeoutMs: 3_000, headers: { ...first.headers, 'X-Webhook-Attempt': 2 } });
    assert.deepEqual([first.url, first.timeoutMs, first.cut], ['https://hooks.example/x', 5_000, never]);
  }
});

test('WH6 a compressed body says so, and its signature is that of the body before compression', async () => {
  const [plain] = await posts({});
  const [packed] = await posts({ isCompressed: true });
  assert.ok(plain !== undefined && packed !== undefined);
  assert.deepEqual(gunzipSync(packed.body), plain.body);
  assert.deepEqual(packed.headers, { ...plain.headers, 'Content-Encoding': 'gzip' });
});

test('WH6 the id of a delivery is a UUID of the position and the hook, and of nothing else', () => {
  const id = webhookId('e', 7, 'h');
  assert.equal(id, webhookId('e', 7, 'h'));
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const ids = [id, webhookId('e', 8, 'h'), webhookId('f', 7, 'h'), webhookId('e', 7, 'i'), webhookId('e7', 7, 'h')];
  for (let seq = 100; seq < 400; seq++) ids.push(webhookId('e', seq, 'h'));
  assert.equal(new Set(ids).size, ids.length);
  for (const one of ids) assert.match(one, /^.{14}8.{4}[89ab]/);
});

test('WH4 WH6 WH23 put together, events of the directory arrive signed, with what the directory knows, until the stop', async (t) => {
  const arrived: { headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    arrived.push({ headers: request.headers, body });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const start = async (allowPrivate: boolean) => {
    const roster = await openRoster();
    const dataDirectory = await temporaryDirectory();
    const webhooks = await startWebhooks({
      ...{
        roster,
        dataDirectory,
        leases: undefined,
        letters: undefined,
        apiKey: 'key',
        apiSecret: 'secret',
        version: '1.2.3',
        allowPrivate,
        exportUrl: () => 'x',
        clock: systemClock,
      },
      ...{ concurrency: 1, retryMs: 60_000, deadKeptMs: 60_000, logger: { info: () => {}, error: () => {} } },
    });
    const hook = { id: 'h', hook_type: 'webhook', enabled: true, webhook_url: url, event_types: ['user.updated'], dialect: 'v2' };
    await roster.submit({ kind: 'settings', set: { event_hooks: [hook as never] } }, 'live');
    await upsert(roster, ['ann']);
    await upsert(roster, ['ann'], 'changed');
    return { roster, dataDirectory, webhooks };
  };
  const { roster, dataDirectory, webhooks } = await start(true);
  await eventually(async () => arrived.length === 2 && (await webhooks.status())[0]?.lastSuccessAt !== undefined);
  const [first] = arrived;
  assert.ok(first);
  const { headers, body } = first;
  assert.equal(headers['x-signature'], createHmac('sha256', 'secret').update(body).digest('hex'));
  assert.deepEqual([headers['x-api-key'], headers['user-agent']], ['key', 'rosterd/1.2.3']);
  const told = JSON.parse(body);
  assert.deepEqual([told.type, told.user.id, told.user.online], ['user.updated', 'ann', false]);
  assert.equal((await readdir(`${dataDirectory}/webhooks`)).length, 1);
  assert.deepEqual([webhooks.mayReach('10.0.0.1'), webhooks.mayReach('hooks.example')], [true, true]);
  assert.deepEqual(await webhooks.deadLetters('h', { limit: 1 }), []);
  assert.deepEqual(await webhooks.replay('h', {}), { replaying: 0, remaining: 0 });
  await webhooks.stop(1_000);
  await upsert(roster, ['ann'], 'late');
  const closed = await start(false);
  await eventually(async () => (await closed.webhooks.status())[0]?.lastError !== undefined);
  assert.deepEqual([closed.webhooks.mayReach('10.0.0.1'), closed.webhooks.mayReach('hooks.example')], [false, true]);
  await closed.webhooks.stop(0);
  assert.equal(arrived.length, 2, 'nothing after the stop, and nothing to a private address');
});
