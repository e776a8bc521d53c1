/** MX2–MX6: the metrics of a real daemon. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { ALL_METRICS } from '../../../daemon/metrics/all-metrics.ts';
import { METRIC_PREFIX } from '../../../daemon/metrics/metric-spec.ts';
import { openDataDirectory } from '../../../store/data-dir.ts';
import { eventually } from '../../support/eventually.ts';
import { HookReceiver } from '../../support/hooks/hook-receiver.ts';
import { Scrape } from '../../support/http/scrape.ts';
import { IoClient } from '../../support/live/io-client.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';
import { API_KEY, API_SECRET, serverToken, World, type WorldOptions } from '../../support/world.ts';

function start(t: Parameters<typeof World.start>[0], { flags, ...options }: WorldOptions = {}): Promise<World> {
  return World.start(t, { flags: { 'metrics-listen': '127.0.0.1:0', ...flags }, ...options });
}

const scrapeOf = (world: World): Promise<Scrape> => Scrape.of(world.daemon.metricsUrl);

/** Scrapes until the condition holds. */
async function scrapeUntil(world: World, holds: (scrape: Scrape) => boolean): Promise<Scrape> {
  let scrape = await scrapeOf(world);
  await eventually(
    async () => {
      scrape = await scrapeOf(world);
      return holds(scrape);
    },
    () => `never: ${holds}, in ${scrape.text}`,
  );
  return scrape;
}

test('MX5 the first scrape has every metric of the table, of its type, and labels of no other name', async (t) => {
  const scrape = await scrapeOf(await start(t));
  const own = [...scrape.types].filter(([name]) => name.startsWith(METRIC_PREFIX));
  assert.deepEqual(
    own,
    ALL_METRICS.map(({ name, type }) => [METRIC_PREFIX + name, type]),
  );
  for (const { name, labels, type } of ALL_METRICS) {
    const samples = scrape.all(`${METRIC_PREFIX}${name}${type === 'histogram' ? '_bucket' : ''}`);
    const wanted = [...labels, ...(type === 'histogram' ? ['le'] : [])].sort();
    for (const sample of samples) assert.deepEqual(Object.keys(sample.labels).sort(), wanted, name);
    // What an operator names, or has no journal entry yet, is not there; all that is known beforehand is, and is no alarm.
    const isLater = /^(http_requests_total|http_request_duration|webhook_(deliveries|lag|dead)|consumer_lag|journal_oldest|cluster_)/.test(
      name,
    );
    assert.equal(samples.length === 0, isLater, name);
  }
  assert.equal(scrape.value('rosterd_writable'), 1);
  assert.equal(scrape.value('rosterd_journal_append_duration_seconds_count'), 0);
  assert.equal(scrape.value('rosterd_rate_limited_total', { operation: 'UpdateUsers' }), 0);
});

test('MX4 what happens is counted, where it happens', async (t) => {
  const world = await start(t, { heartbeat: { everyMs: 1_000, idleMs: 60_000 } });
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  await world.upsert({ id: 'ann' });
  await world.http('POST', '/api/v2/users', { users: { x: { id: 'y' } } });
  await world.http('GET', '/api/v2/users', undefined, '');
  const subscriber = await world.subscriber({
    durable: 'mirror',
    subs: [
      { sub: 'all', all: true },
      { sub: 'some', ids: ['ann'] },
    ],
  });
  const chat = await world.open('/connect?api_key=wrong');
  assert.equal((await chat.closed).code, 4401);
  const io = new IoClient(world.daemon.url, { api_key: API_KEY, token: serverToken() });
  t.after(() => io.socket.disconnect());
  await io.opened();
  const { body } = await world.upsert({ id: 'cat' });
  assert.ok(body.users.cat);
  await subscriber.until(({ user }) => user?.id === 'cat');
  const resumed = await world.subscriber({ resume: { epoch: world.daemon.roster.position.epoch, seq: 1 } });
  await world.subscriber({ resume: { epoch: 'another', seq: 1 } });
  await world.http('POST', '/api/v2/users/deactivate', { user_ids: ['bob'] });
  const gone = await world.http('POST', '/api/v2/users/delete', { user_ids: ['cat'], user: 'soft' });
  assert.equal(gone.status, 201, JSON.stringify(gone.body));
  const scrape = await scrapeUntil(world, (found) => (found.value('rosterd_heartbeat_rtt_seconds_count') ?? 0) > 0);
  const value = (name: string, labels = {}): number =>
    scrape.value(`rosterd_${name}`, labels) ?? assert.fail(`no ${name} ${JSON.stringify(labels)} in ${scrape.text}`);
  assert.deepEqual([value('connections'), value('connections_opened_total', { protocol: 'live' })], [4, 3]);
  assert.deepEqual(
    [value('connections_opened_total', { protocol: 'connect' }), value('connections_opened_total', { protocol: 'socket.io' })],
    [1, 1],
  );
  assert.equal(value('connections_closed_total', { code: '4401' }), 1);
  assert.deepEqual([value('resumes_total', { result: 'resumed' }), value('resumes_total', { result: 'resync' })], [1, 1]);
  assert.deepEqual([value('subscriptions', { kind: 'all' }), value('subscriptions', { kind: 'ids' })], [1, 1]);
  assert.deepEqual(
    [value('users', { state: 'active' }), value('users', { state: 'deactivated' }), value('users', { state: 'deleted' })],
    [1, 1, 1],
  );
  assert.deepEqual([value('changes_total', { result: 'created' }), value('changes_total', { result: 'unchanged' })], [3, 1]);
  assert.equal(value('events_total', { type: 'user.deleted' }), 1);
  const upserts = ['200', '201', '400', '500'].map((code) =>
    value('http_requests_total', { operation: 'UpdateUsers', dialect: 'v2', code }),
  );
  assert.deepEqual(upserts, [1, 2, 1, 0]);
  assert.equal(value('http_request_duration_seconds_count', { operation: 'UpdateUsers' }), 4);
  assert.deepEqual([value('auth_failures_total', { reason: 'api_key' }), value('auth_failures_total', { reason: 'auth' })], [1, 1]);
  for (const protocol of ['live', 'socket.io']) {
    for (const name of ['frames_sent_total', 'sent_bytes_total', 'received_bytes_total'])
      assert.ok(value(name, { protocol }) > 0, `${name} ${protocol}`);
  }
  assert.ok(value('frames_sent_total', { protocol: 'connect' }) > 0 && value('event_delivery_delay_seconds_count') > 0);
  assert.equal(value('log_position'), world.daemon.roster.position.seq);
  assert.equal(value('consumer_lag_events', { consumer: 'mirror' }), world.daemon.roster.position.seq - subscriberStart(world));
  assert.deepEqual(
    [value('tasks', { kind: 'deactivate_users', state: 'completed' }), value('tasks', { kind: 'delete_users', state: 'completed' })],
    [1, 1],
  );
  assert.ok(value('journal_append_duration_seconds_count') > 0 && value('journal_bytes') > 1_000 && value('data_free_bytes') > 0);
  assert.ok(Math.abs(value('journal_oldest_entry_timestamp_seconds') - Date.now() / 1_000) < 600);
  assert.equal(value('http_requests_in_flight'), 0);
  resumed.terminate();
  const later = await scrapeUntil(world, (found) => found.value('rosterd_connections') === 3);
  assert.equal(later.value('rosterd_connections_closed_total', { code: '1006' }), 1);
});

/** The position that the durable consumer acknowledged. */
function subscriberStart({ daemon }: World): number {
  return daemon.roster.directory.docs.get('consumer', 'mirror')?.seq ?? assert.fail('there is a consumer');
}

test('MX4 webhooks, snapshots and backups are counted', async (t) => {
  const receiver = await new HookReceiver(API_SECRET).live();
  t.after(() => receiver.die());
  const world = await start(t, { flags: { 'webhooks-allow-private': 'true', 'snapshot-changes': '100' } });
  const hook = { id: 'main', hook_type: 'webhook', enabled: true, webhook_url: receiver.url, event_types: [] };
  assert.equal((await world.http('PATCH', '/api/v2/app', { event_hooks: [hook] })).status, 200);
  await world.upsert({ id: 'ann' });
  await receiver.until(() => receiver.taken.length === 1);
  const delivered = await scrapeUntil(
    world,
    (scrape) => scrape.value('rosterd_webhook_deliveries_total', { hook: 'main', result: 'delivered' }) === 1,
  );
  assert.deepEqual(
    [delivered.value('rosterd_webhook_lag_seconds', { hook: 'main' }), delivered.value('rosterd_webhook_dead_letters', { hook: 'main' })],
    [0, 0],
  );
  assert.equal(delivered.value('rosterd_webhook_delivery_duration_seconds_count'), 1);
  receiver.behave = () => 400;
  await world.upsert({ id: 'bob' });
  await scrapeUntil(
    world,
    (scrape) =>
      (scrape.value('rosterd_webhook_deliveries_total', { hook: 'main', result: 'failed' }) ?? 0) > 0 &&
      (scrape.value('rosterd_webhook_lag_seconds', { hook: 'main' }) ?? 0) > 0,
  );
  await world.upsert(...Array.from({ length: 100 }, (_, n) => ({ id: `user-${n}` })));
  const backup = await fetch(`${world.daemon.url}/backup?api_key=${API_KEY}`, {
    headers: { Authorization: serverToken(), 'Stream-Auth-Type': 'jwt' },
  });
  await backup.arrayBuffer();
  const saved = await scrapeUntil(
    world,
    (scrape) =>
      scrape.value('rosterd_snapshot_last_success_timestamp_seconds') !== 0 &&
      scrape.value('rosterd_backup_last_success_timestamp_seconds') !== 0,
  );
  for (const what of ['snapshot', 'backup']) {
    const at = saved.value(`rosterd_${what}_last_success_timestamp_seconds`) ?? 0;
    assert.ok(Math.abs(at - Date.now() / 1_000) < 600, `${what}: ${at}`);
  }
});

test('MX5 MX6 no user, team, address, text of a client or secret is in a scrape or in the log', async (t) => {
  const token = 'scrape-token-0123456789-0123456789';
  const lines: string[] = [];
  const world = await start(t, { flags: { 'metrics-token': token }, onLog: (line) => lines.push(line) });
  const mark = 'MARK-7f3a';
  await world.upsert({ id: `${mark}-id`, name: `${mark}-name`, teams: [`${mark}-team`], custom: { [`${mark}-key`]: `${mark}-value` } });
  await world.http('POST', `/api/v2/chat/users/${mark}-id/event`, { event: { type: `${mark}-event` } });
  await world.chat(`${mark}-id`);
  await world.subscriber({ subs: [{ sub: `${mark}-sub`, teams: [`${mark}-team`] }] });
  for (const path of [`/${mark}`, `/api/v2/${mark}`, `/users/${mark}`]) await world.http('GET', path);
  await world.http('GET', '/api/v2/users', undefined, mark);
  const { status } = await fetch(world.daemon.metricsUrl ?? '');
  assert.equal(status, 401);
  const response = await fetch(world.daemon.metricsUrl ?? '', { headers: { Authorization: `Bearer ${token}` } });
  const text = await response.text();
  assert.equal(response.status, 200);
  assert.equal(new Scrape(text).value('rosterd_events_total', { type: 'custom' }), 1);
  for (const secret of [mark, mark.toLowerCase(), '127.0.0.1', API_SECRET, token])
    assert.ok(!text.includes(secret), `${secret} is in the scrape`);
  assert.ok(!lines.join('\n').includes(token), 'the token is in the log');
});

test('MX2 a stop can be watched to its end', async (t) => {
  const world = await start(t, { flags: { 'drain-ms': '1500' } });
  for (let n = 0; n < 3; n++) await world.subscriber();
  const stopped = world.daemon.stop();
  const during = await scrapeUntil(world, (scrape) => (scrape.value('rosterd_connections') ?? 3) < 3);
  assert.equal(during.value('rosterd_writable'), 0);
  assert.ok((during.value('rosterd_connections_closed_total', { code: '1012' }) ?? 0) > 0);
  await stopped;
  await assert.rejects(fetch(world.daemon.metricsUrl ?? ''));
});

test('MX2 a named address that is taken keeps the daemon from starting, and nothing of the start is left', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  const data = await temporaryDirectory();
  await assert.rejects(
    World.start(t, { data, flags: { 'metrics-listen': `127.0.0.1:${port}` } }),
    new RegExp(`^Error: cannot listen on 127\\.0\\.0\\.1:${port}: EADDRINUSE; .*--metrics-listen 127\\.0\\.0\\.1:`),
  );
  const world = await start(t, { data });
  assert.ok(world.daemon.metricsUrl);
  await assert.rejects(World.start(t, { data, flags: { 'metrics-listen': '127.0.0.1:0' } }), /in use/i);
});

test('MX4 writable is 0 while writes are refused, and 1 again after it', async (t) => {
  let refusal: string | undefined;
  const world = await start(t, {
    openStore: async ({ data }, onEvent) => {
      const store = await openDataDirectory(data, { onEvent });
      return { ...store, writeRefusal: async () => refusal };
    },
  });
  const writable = async () => (await scrapeOf(world)).value('rosterd_writable');
  assert.equal(await writable(), 1);
  refusal = 'no space is left on the disk';
  assert.equal(await writable(), 0);
  refusal = undefined;
  assert.equal(await writable(), 1);
});
