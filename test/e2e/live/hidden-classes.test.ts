/**
 * BU17: V8 notes each hidden class that it makes (`--log-maps`). A place in the program that makes some for every request, connection or user
 * is found by how often it does.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { send } from '../../support/http/request.ts';
import { LiveClient } from '../../support/live/live-client.ts';
import { RosterdProcess } from '../../support/process.ts';
import { API_KEY, API_SECRET, serverToken, userToken } from '../../support/world.ts';

const ROUNDS = 60;
/** Fewer are those of functions that are new to V8. */
const TOLERATED = ROUNDS / 2;
/** Node copies the options of each socket so. */
const OF_NODE: ReadonlySet<string> = new Set(['emitClose', 'autoDestroy', 'decodeStrings']);

/** How often each place made a hidden class by adding a key after `fromUs`, by its line and column and the name of the key. */
function madeAt(log: string, fromUs: number): Map<string, number> {
  const made = new Map<string, number>();
  for (const line of log.split('\n')) {
    const [kind, how, us, , , , row, column, , key] = line.split(',');
    if (kind !== 'map' || how !== 'Transition' || Number(us) < fromUs || OF_NODE.has(key ?? '')) continue;
    const place = `${row}:${column} ${key}`;
    made.set(place, (made.get(place) ?? 0) + 1);
  }
  return made;
}

async function request(url: string, method: string, path: string, body?: object): Promise<void> {
  const target = new URL(path, url);
  target.searchParams.set('api_key', API_KEY);
  const headers = { Authorization: serverToken(), 'Stream-Auth-Type': 'jwt', 'Content-Type': 'application/json' };
  const { status, text } = await send(target, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(status < 300, `${method} ${path}: ${status} ${text}`);
}

async function everything(url: string, round: number): Promise<void> {
  const id = `user-${round}`;
  await request(url, 'POST', '/api/v2/users', { users: { [id]: { id, name: `Name ${round}`, custom: { colour: 'red' } } } });
  await request(url, 'PATCH', '/api/v2/users', { users: [{ id, set: { 'custom.colour': 'blue', language: 'fr', invisible: false } }] });
  const client = await LiveClient.open(`${url.replace('http', 'ws')}/live`, { perMessageDeflate: false });
  client.send({ op: 'connect', id: 'c', api_key: API_KEY, token: userToken(id), user: { id, mood: `good ${round}` } });
  await client.until(({ re }) => re === 'c');
  client.send({ op: 'sub', id: 's', sub: 'me', ids: [id] });
  await client.until(({ re }) => re === 's');
  client.send({ op: 'update', id: 'u', set: { mood: `better ${round}` } });
  await client.until(({ re }) => re === 'u');
  client.ws.terminate();
  await request(url, 'POST', '/api/v2/moderation/ban', { target_user_id: id, banned_by_id: 'mod', reason: 'spam' });
  await request(url, 'POST', `/api/v2/moderation/unban?target_user_id=${id}`, {});
  await request(url, 'POST', `/api/v2/users/${id}/deactivate`, {});
  await request(url, 'POST', `/api/v2/users/${id}/reactivate`, { name: `Again ${round}` });
  await request(url, 'GET', `/api/v2/users?payload=${encodeURIComponent(JSON.stringify({ filter_conditions: { id } }))}`);
}

test('BU17 no request, user or connection has hidden classes of its own', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-classes-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const startedMs = performance.now();
  const daemon = RosterdProcess.run(['serve', '--listen', '127.0.0.1:0', '--data', join(folder, 'data'), '--rate-limits', 'off'], {
    env: { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET },
    cwd: folder,
    nodeFlags: ['--log-maps', '--no-log-maps-details', '--logfile=classes.log'],
  });
  t.after(() => daemon.child.kill('SIGKILL'));
  const url = await daemon.listening();
  const fromUs = (performance.now() - startedMs) * 1_000;
  await request(url, 'POST', '/api/v2/users', { users: { mod: { id: 'mod' } } });
  for (let round = 1; round <= ROUNDS; round++) await everything(url, round);
  await daemon.kill('SIGTERM');
  const logs = (await readdir(folder)).filter((name) => name.endsWith('classes.log'));
  const texts = await Promise.all(logs.map((name) => readFile(join(folder, name), 'utf8')));
  const made = texts.map((text) => madeAt(text, fromUs));
  assert.ok(texts.join('').includes('\nmap,'), 'V8 notes them');
  const often = made.flatMap((one) =>
    [...one].filter(([, times]) => times >= TOLERATED).map(([place, times]) => `${place}: ${times} times`),
  );
  assert.deepEqual(often, [], 'at these places of the program, as it is compiled: see withFields in protocol/base/json.ts');
});
