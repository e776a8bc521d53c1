/** ND6–ND10: a daemon whose storage is away for a while, for long, or for good. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { StoreEvent } from '../../../store/events.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { eventually } from '../../support/eventually.ts';
import { LiveClient } from '../../support/live/live-client.ts';
import { NodeLog } from '../../support/store/node-log.ts';
import { openNode } from '../../support/store/node-store.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

async function node(t: TestContext, flags: Readonly<Record<string, string>> = {}): Promise<{ world: World; log: NodeLog }> {
  const log = new NodeLog(new MemoryLog({ epoch: 'e', retentionFacts: 10_000 }));
  const world = await World.start(t, { openStore: openNode(log), flags: { 'rate-limits': 'off', ...flags } });
  await world.upsert({ id: 'ann', name: 'Ann' });
  return { world, log };
}

const ready = async (world: World): Promise<number> => (await world.http('GET', '/readyz')).status;

test('ND6 ND7 SQ11 while the storage is away, sockets stay, reads and live frames are answered, and writes are refused in time', async (t) => {
  const { world, log } = await node(t);
  const subscriber = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  const ann = await world.chat('ann', { name: 'Ann' });
  log.goAway('no route to host');
  const write = await world.upsert({ id: 'bob' });
  assert.deepEqual([write.status, write.body.code, write.headers.get('retry-after')], [503, -1, '5']);
  assert.match(write.body.message, /no route to host\); nothing was stored/);
  assert.equal(write.body.outcome, 'not_stored');
  await assert.rejects(
    ann.request({ op: 'update', set: { name: 'Anna' } }),
    ({ body }) => body.StatusCode === 503 && body.outcome === 'not_stored',
  );
  const read = await world.http('GET', '/sync/position');
  assert.equal(read.status, 200);
  assert.ok(Number(read.headers.get('x-rosterd-stale')) >= 300, `${read.headers.get('x-rosterd-stale')}`);
  // Who is as the record says connects; who would change it does not.
  await (await world.chat('ann', { name: 'Ann' })).request({ op: 'ping' });
  const changed = await world.open();
  changed.send({ op: 'connect', api_key: API_KEY, token: userToken('cid'), user: { id: 'cid', name: 'Cid' } });
  assert.equal((await changed.until(({ type }) => type === 'connection.error')).error.StatusCode, 503);
  assert.equal((await changed.closed).code, 1013);
  const resumed = await world.open();
  await resumed.request({ op: 'connect', api_key: API_KEY, token: serverToken(), resume: { epoch: 'e', seq: 1 } });
  assert.equal(resumed.frames[0]?.resumed, true);
  for (const client of [subscriber, ann]) await client.request({ op: 'ping' });
  log.comeBack();
  await world.upsert({ id: 'bob' });
  await subscriber.until(({ type, user }) => type === 'user.updated' && user.id === 'bob');
  assert.equal((await world.http('GET', '/sync/position')).headers.get('x-rosterd-stale'), null);
});

test('ND8 /readyz is 503 with the reason once the storage has been away for 3 s', async (t) => {
  const { world, log } = await node(t);
  const awaySince = Date.now() - 2_000;
  log.goAway('no route to host', awaySince);
  assert.equal(await ready(world), 200);
  await eventually(async () => (await ready(world)) === 503, 'it is not ready');
  const { body } = await world.http('GET', '/readyz');
  assert.ok(body.reason.includes(`away for ${body.storage_away_ms} ms (no route to host)`), body.reason);
  assert.ok(body.storage_away_ms > 3_000 && body.storage_away_ms <= Date.now() - awaySince, `${body.storage_away_ms}`);
  log.comeBack();
  assert.equal(await ready(world), 200);
});

test('ND9 after the bound, live connections go elsewhere and reads are refused; all of it works again when the storage is back', async (t) => {
  const { world, log } = await node(t, { 'cluster-stale-max-ms': '1000' });
  const clients = [await world.subscriber(), await world.chat('ann', { name: 'Ann' })];
  const silent = await world.open();
  log.goAway();
  assert.equal((await world.http('GET', '/sync/position')).status, 200);
  for (const client of clients) {
    await client.until(({ type }) => type === 'server.drain');
    assert.equal((await client.closed).code, 1012);
  }
  assert.equal((await silent.closed).code, 1012);
  const read = await world.http('GET', '/sync/position');
  assert.deepEqual([read.status, read.headers.get('retry-after')], [503, '5']);
  await assert.rejects(LiveClient.open(`${world.liveUrl}/live`), /503/);
  await assert.rejects(LiveClient.open(`${world.liveUrl}/socket.io/?EIO=4&transport=websocket`), /Unexpected server response/);
  log.comeBack();
  assert.equal((await world.http('GET', '/sync/position')).status, 200);
  await eventually(
    () =>
      world.subscriber().then(
        () => true,
        () => false,
      ),
    'new connections are let in',
  );
  const client = await world.chat('ann', { name: 'Anna' });
  await client.request({ op: 'ping' });
  await world.stop();
});

test('ND9 a stop in the middle of it ends the daemon', async (t) => {
  const { world, log } = await node(t, { 'cluster-stale-max-ms': '1000', 'drain-ms': '2000' });
  const client = await world.subscriber();
  log.goAway('away', Date.now() - 10_000);
  await client.closed;
  await world.stop();
});

test('ND10 a daemon whose log can no longer be followed says so at once, and serves nothing more', async (t) => {
  let fatal = 0;
  const shared = new MemoryLog({ epoch: 'e' });
  const log = new NodeLog(shared);
  const world = await World.start(t, {
    openStore: openNode(log),
    onFatal: () => fatal++,
    flags: { 'rate-limits': 'off' },
  });
  await world.upsert({ id: 'ann' });
  log.fail(new Error('the history was replaced'));
  await eventually(() => fatal === 1, 'it is told');
  assert.equal((await world.http('GET', '/sync/position')).status, 503);
  assert.equal(await ready(world), 503);
});

test('ND10 a history that was replaced ends the daemon before anything is read of it', async (t) => {
  let fatal = 0;
  let tell = (_event: StoreEvent): void => assert.fail('the store is opened first');
  const log = new NodeLog(new MemoryLog({ epoch: 'e' }));
  await World.start(t, {
    openStore: (config, onEvent, ...more) => {
      tell = onEvent;
      return openNode(log)(config, onEvent, ...more);
    },
    onFatal: () => fatal++,
  });
  tell({ type: 'storage-away', reason: 'no route to host' });
  assert.equal(fatal, 0);
  tell({ type: 'history-replaced', error: new Error('the history was replaced') });
  assert.equal(fatal, 1);
});
