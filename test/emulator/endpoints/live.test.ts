/** EM18–EM24: faults on request, and live connections that are closed or cut. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { CLOSE } from '../../../protocol/live/close-codes.ts';
import { EmulatorBench } from '../../support/emulator/emulator-kit.ts';
import { eventually } from '../../support/eventually.ts';
import { send } from '../../support/http/request.ts';

const ids = (bench: EmulatorBench): readonly string[] => [...bench.app.roster.directory.freeze().users()].map(({ id }) => id);

/** An open connection of a server, and its close code. */
async function connected(t: TestContext, bench: EmulatorBench): Promise<{ readonly id: string; readonly closed: Promise<number> }> {
  const known = new Set([...bench.app.sessions.all].map(({ connectionId }) => connectionId));
  const socket = new WebSocket(`${bench.app.url.replace('http', 'ws')}/live`);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  const { apiKey } = bench.app.credentials;
  socket.send(JSON.stringify({ op: 'connect', id: 1, api_key: apiKey, token: await bench.token({ server: true }) }));
  const isNew = ({ connectionId }: { connectionId: string }) => !known.has(connectionId);
  await eventually(() => [...bench.app.sessions.all].some(isNew));
  const id = [...bench.app.sessions.all].find(isNew)?.connectionId ?? '';
  return { id, closed: once(socket, 'close').then(([code]) => Number(code)) };
}

test('EM18 a connection is closed with the code that is asked for, and it alone', async (t) => {
  const bench = await EmulatorBench.start(t);
  const staying = await connected(t, bench);
  for (const { code, reason } of Object.values(CLOSE)) {
    const { id, closed } = await connected(t, bench);
    const { status, body } = await bench.ask('POST', `/connections/${id}/close`, { code });
    assert.deepEqual([status, body], [200, { closed: id, code, reason }]);
    assert.equal(await closed, code);
  }
  await eventually(() => [...bench.app.sessions.all].length === 1);
  assert.deepEqual((await bench.ask('GET', '/connections')).body, { connections: [{ id: staying.id, user_id: null }] });
  const unknown = await bench.ask('POST', `/connections/${staying.id}/close`, { code: 4999 });
  assert.match(unknown.body.message, /code: must be one of 1000 \(closed by the client\), .*4013 \(too slow/);
  const gone = await bench.ask('POST', '/connections/gone/close', { code: 4013 });
  assert.deepEqual([gone.status, /there is no live connection "gone"/.test(gone.body.message)], [404, true]);
});

test('EM19 all live connections are cut without a goodbye, and clients come back and resume', async (t) => {
  const bench = await EmulatorBench.start(t);
  const { closed } = await connected(t, bench);
  const client = bench.client();
  const heard: string[] = [];
  client.on('event', ({ user }) => heard.push(user.id));
  client.on('resync', () => heard.push('resync'));
  await client.connect();
  await client.subscribe({ sub: 'all', all: true });
  assert.deepEqual((await bench.ask('POST', '/connections/cut')).body, { cut: 2 });
  assert.equal(await closed, 1006);
  await client.upsertUsers([{ id: 'ann' }]);
  await eventually(() => heard.length === 1);
  assert.deepEqual(heard, ['ann']);
});

test('EM20 a refusal has the status, the advice and the form of the daemon, and stores nothing', async (t) => {
  const bench = await EmulatorBench.start(t);
  const upsert = () => bench.raw('POST', '/users', { users: { ann: { id: 'ann' } } });
  await bench.ask('POST', '/faults', { fault: 'rate_limit', operation: 'UpdateUsers', retry_after_s: 7 });
  const limited = await upsert();
  assert.deepEqual([limited.status, limited.body.code, limited.headers.get('retry-after')], [429, 9, '7']);
  assert.equal(limited.headers.get('x-ratelimit-remaining'), '0');
  assert.equal(limited.body.message, 'UpdateUsers failed with error: "too many requests, try again in 7 s"');
  await bench.ask('POST', '/faults', { fault: 'unavailable', operation: 'UpdateUsers' });
  const away = await upsert();
  assert.deepEqual([away.status, away.body.code, away.body.outcome, away.headers.get('retry-after')], [503, -1, 'not_stored', '1']);
  assert.deepEqual(ids(bench), []);
  await bench.ask('POST', '/faults', { fault: 'rate_limit' });
  const feeds = await send(`${bench.app.url}/api/v1.0/user/`, { method: 'POST', headers: {} });
  assert.deepEqual([feeds.status, JSON.parse(feeds.text).status_code], [429, 429], 'in the feeds dialect');
  await bench.ask('POST', '/faults', { fault: 'rate_limit', operation: 'UpdateUsers' });
  await bench.client().upsertUsers([{ id: 'ann' }]);
  assert.deepEqual(ids(bench), ['ann'], 'the client of this package tries again');
});

test('EM22 a request that is cut before has no effect, and one that is cut after has it', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  await bench.ask('POST', '/faults', { fault: 'cut_before', operation: 'UpdateUsers' });
  await assert.rejects(client.upsertUsers([{ id: 'ann' }]), { status: 0, outcome: 'unknown' });
  assert.deepEqual(ids(bench), []);
  await bench.ask('POST', '/faults', { fault: 'cut_after', operation: 'UpdateUsers' });
  await assert.rejects(client.upsertUsers([{ id: 'ann' }]), { status: 0, outcome: 'unknown' });
  await eventually(() => ids(bench).length === 1);
  await client.upsertUsers([{ id: 'bob' }]);
});

test('EM21 a request is served later, and an answer comes in pieces, whole', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  const took = async (work: () => Promise<unknown>): Promise<number> => {
    const startedMs = performance.now();
    await work();
    return performance.now() - startedMs;
  };
  await bench.ask('POST', '/faults', { fault: 'delay', ms: 200 });
  assert.ok((await took(() => client.upsertUsers([{ id: 'ann', about: 'ü'.repeat(2_000) }]))) >= 190);
  await bench.ask('POST', '/faults', { fault: 'slow', ms: 200, operation: 'QueryUsers' });
  let about = '';
  const ms = await took(async () => {
    about = String((await client.queryUsers({ id: 'ann' })).users[0]?.about);
  });
  assert.ok(ms >= 190, String(ms));
  assert.equal(about, 'ü'.repeat(2_000));
  await bench.ask('POST', '/faults', { fault: 'slow', ms: 60_000, operation: 'QueryUsers' });
  await assert.rejects(bench.client({ timeoutMs: 100 }).queryUsers({}), { status: 0 });
});

test('EM23 after a lost history the users are still there, and a client begins again', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  await client.upsertUsers([{ id: 'ann' }]);
  const resynced: string[] = [];
  client.on('resync', (sub, users) => resynced.push(`${sub} ${users.map(({ id }) => id)}`));
  await client.connect();
  await client.subscribe({ sub: 'all', all: true });
  const before = client.position;
  const { status, body } = await bench.ask('POST', '/faults', { fault: 'lost_history' });
  assert.deepEqual([status, body.fault], [200, 'lost_history']);
  assert.notEqual(body.position.split(':')[0], before?.epoch);
  await eventually(() => resynced.length === 1);
  assert.deepEqual(resynced, ['all ann']);
});

test('EM24 a fault is for so many requests of its operation, in the order in which faults were asked for', async (t) => {
  const bench = await EmulatorBench.start(t);
  await bench.ask('POST', '/faults', { fault: 'unavailable', operation: 'QueryUsers', count: 2 });
  await bench.ask('POST', '/faults', { fault: 'rate_limit' });
  const answers: number[] = [];
  for (let n = 0; n < 4; n++) answers.push((await bench.raw('GET', '/users')).status);
  assert.deepEqual(answers, [503, 503, 429, 200]);
  const { body } = await bench.ask('POST', '/faults', { fault: 'delay', ms: 5, count: 3 });
  assert.deepEqual(body, { id: 3, fault: 'delay', operation: null, left: 3, ms: 5 });
  assert.deepEqual((await bench.ask('GET', '/faults')).body.faults, [body]);
  assert.deepEqual((await bench.ask('DELETE', '/faults')).body, { removed: 1 });
});

test('EM24 the opening of a live connection can be refused, delayed and cut, and a client tries again', async (t) => {
  const bench = await EmulatorBench.start(t);
  for (const fault of [{ fault: 'rate_limit' }, { fault: 'unavailable' }, { fault: 'cut_before' }, { fault: 'delay', ms: 20 }])
    assert.equal((await bench.ask('POST', '/faults', { ...fault, operation: 'Connect' })).status, 201);
  const client = bench.client();
  const connecting = async (): Promise<boolean> =>
    client.connect().then(
      () => true,
      () => false,
    );
  await eventually(connecting);
  assert.deepEqual((await bench.ask('GET', '/faults')).body.faults, []);
});

test('EM24 unknown faults, operations and fields are refused with those that there are, and faults are bounded', async (t) => {
  const bench = await EmulatorBench.start(t);
  for (const [body, text] of [
    [{}, /fault: is required/],
    [
      { fault: 'explode' },
      /explode: is no fault here; there are rate_limit, unavailable, delay, cut_before, cut_after, slow, lost_history/,
    ],
    [
      { fault: 'slow', ms: 5, operation: 'UpdateUser' },
      /UpdateUser: is no operation here \(did you mean UpdateUsers\?\); there are Connect, Webhook/,
    ],
    [{ fault: 'delay' }, /ms: is required by delay: milliseconds, from 1 to 600000/],
    [{ fault: 'cut_after', ms: 5 }, /ms: is no field of cut_after here; there are fault, operation, count/],
    [{ fault: 'cut_after', operation: 'Connect' }, /fault: of Connect must be one of rate_limit, unavailable, delay, cut_before/],
    [{ fault: 'lost_history', count: 2 }, /count: is no field of lost_history here; there are fault/],
    [{ fault: 'delay', ms: 600_001 }, /ms: must be <= 600000/],
    [{ fault: 'unavailable', count: 0 }, /count: must be >= 1/],
  ] as const) {
    const { status, body: answer } = await bench.ask('POST', '/faults', body);
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(answer.message, text);
  }
  for (let n = 0; n < 100; n++) assert.equal((await bench.ask('POST', '/faults', { fault: 'cut_before' })).status, 201);
  const full = await bench.ask('POST', '/faults', { fault: 'cut_before' });
  assert.deepEqual([full.status, /100 faults are waiting/.test(full.body.message)], [409, true]);
});
