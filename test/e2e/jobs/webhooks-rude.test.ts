/** WH23: receivers that answer as none should wedge nothing, neither their hook, nor another, nor the stop. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { RosterdProcess } from '../../support/process.ts';
import { MANNER_NAMES, type MannerName, type RudeServer, rudeServer } from '../../support/rude-server.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';
import { API_KEY, API_SECRET, fastClock, serverToken, World } from '../../support/world.ts';

interface Receiver {
  readonly name: MannerName;
  readonly server: RudeServer;
  /** Revisions of the user in the requests that were taken, in order. */
  readonly taken: string[];
}

async function receivers(t: TestContext): Promise<readonly Receiver[]> {
  return await Promise.all(
    MANNER_NAMES.map(async (name) => {
      const taken: string[] = [];
      const server = await rudeServer(t, name, (request, response) => {
        void textOf(request).then((text) => {
          taken.push(JSON.parse(text).user.name);
          response.end();
        });
      });
      return { name, server, taken };
    }),
  );
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

function hooksOf(all: readonly Receiver[]): object[] {
  return all.map(({ server }, index) => ({
    ...{ id: `h${index}`, hook_type: 'webhook', enabled: true, webhook_url: server.url, event_types: [], timeout_ms: 300 },
  }));
}

const snapshots = (data: string): readonly string[] => readdirSync(join(data, 'snapshot'));

test('WH23 once a rude receiver behaves, its hook goes on, in order', async (t) => {
  const world = await World.start(t, { flags: { 'webhooks-allow-private': 'true' }, clock: fastClock(20) });
  const all = await receivers(t);
  await world.http('PATCH', '/api/v2/app', { event_hooks: hooksOf(all) });
  for (const name of ['1', '2', '3']) await world.upsert({ id: 'ann', name });
  const seen = async (): Promise<boolean> => {
    const { body } = await world.http('GET', '/api/v2/hooks');
    return body.hooks.every(
      ({ last_error, last_success_at }: Record<string, unknown>) => last_error !== undefined || last_success_at !== undefined,
    );
  };
  await eventually(seen, 'every receiver was tried');
  for (const { server } of all) server.isRude = false;
  await world.upsert({ id: 'ann', name: '4' });
  for (const { name, taken } of all) await eventually(() => taken.at(-1) === '4', `${name}: ${taken}`);
  // At least once: an answer that came too late counts as none.
  for (const { name, taken } of all) assert.deepEqual([...new Set(taken)], [...new Set(taken)].sort(), `${name}: in order`);
  // A receiver whose head said 200 has taken the event, whatever came after it.
  const behind = all.filter(({ taken }) => taken.length < 4).map(({ name }) => name);
  const statuses = ['an endless body', 'a body that never comes', 'a Content-Length that is too long', 'garbage in chunks'];
  const polite = ['keep-alive, then a close', 'an offer of h2c', '204 with a body', 'a reset after the head'];
  assert.deepEqual(
    behind.filter((name) => ![...statuses, ...polite].includes(name)),
    [],
    'events of these receivers were lost',
  );
});

test('WH23 a stop ends in time and with a snapshot while every receiver is rude', async (t) => {
  const data = await temporaryDirectory();
  const world = await World.start(t, { data, flags: { 'webhooks-allow-private': 'true' }, clock: fastClock(20) });
  const all = await receivers(t);
  await world.http('PATCH', '/api/v2/app', { event_hooks: hooksOf(all) });
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const startedMs = Date.now();
  await world.stop();
  const tookMs = Date.now() - startedMs;
  // Requests have five seconds to end; without a bound, they would take for ever.
  assert.ok(tookMs < 30_000, `the stop took ${tookMs} ms`);
  assert.equal(snapshots(data).length, 1);
});

test('WH23 a new address helps a hook whose receiver answered 101, and SIGTERM ends with 0 and a snapshot', async (t) => {
  const data = await temporaryDirectory();
  const [wedge, good] = await receivers(t);
  assert.ok(wedge?.name === '101 Switching Protocols' && good !== undefined);
  good.server.isRude = false;
  const env = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET };
  const args = ['serve', '--listen', '127.0.0.1:0', '--data', data, '--webhooks-allow-private', 'true', '--drain-ms', '500'];
  const daemon = RosterdProcess.run(args, { env });
  t.after(() => daemon.kill('SIGKILL'));
  const url = await daemon.listening();
  const send = async (method: string, path: string, body: unknown): Promise<void> => {
    const headers = { Authorization: serverToken(), 'Content-Type': 'application/json' };
    const response = await fetch(`${url}${path}?api_key=${API_KEY}`, { method, headers, body: JSON.stringify(body) });
    assert.ok(response.ok, await response.text());
  };
  const hook = { id: 'main', hook_type: 'webhook', enabled: true, event_types: [], timeout_ms: 300 };
  await send('PATCH', '/api/v2/app', { event_hooks: [{ ...hook, webhook_url: wedge.server.url }] });
  for (const name of ['1', '2']) await send('POST', '/api/v2/users', { users: { ann: { id: 'ann', name } } });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await send('PATCH', '/api/v2/app', { event_hooks: [{ ...hook, webhook_url: good.server.url }] });
  await eventually(() => good.taken.length === 2, 'the events at the new address');
  assert.deepEqual(good.taken, ['1', '2']);
  await send('PATCH', '/api/v2/app', { event_hooks: [{ ...hook, webhook_url: wedge.server.url }] });
  await send('POST', '/api/v2/users', { users: { ann: { id: 'ann', name: '3' } } });
  const startedMs = Date.now();
  const { code, stderr } = await daemon.kill('SIGTERM');
  assert.equal(code, 0, stderr);
  const tookMs = Date.now() - startedMs;
  assert.ok(tookMs < 500 + 5_000 + 25_000, `the stop took ${tookMs} ms`);
  assert.equal(snapshots(data).length, 1);
});
