/**
 * MJ1, the main job: a subscriber and a chat client are connected; `rosterd sync` reconciles 10,000 users (100,000 with
 * `npm run test:long`); the daemon
 * is killed in the middle and restarted; the subscriber resumes by its position; the job is run again. At the end source,
 * directory and the subscriber's copy are equal, every change was delivered once and in order, and nothing acknowledged is missing.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { test } from 'node:test';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { comparable, DirectoryCopy } from '../../support/live/copy.ts';
import { LiveClient } from '../../support/live/live-client.ts';
import { sized } from '../../support/long.ts';
import { RosterdProcess } from '../../support/process.ts';
import { API_KEY, API_SECRET, serverToken, userToken } from '../../support/world.ts';

const USERS = sized(10_000, 100_000);

function sourceUser(n: number) {
  return {
    id: `user-${n}`,
    name: `User number ${n}`,
    image: `https://example.com/avatars/${n}.png`,
    role: n % 1000 === 0 ? 'admin' : 'user',
    teams: n % 3 === 0 ? ['red'] : ['blue', `team-${n % 50}`],
    department: `department ${n % 17}`,
    address: { city: `city ${n % 101}`, zip: String(10_000 + (n % 9_000)) },
    scores: [n, n % 7, n % 11],
  };
}

async function writeSource(path: string): Promise<void> {
  const file = createWriteStream(path);
  for (let n = 0; n < USERS; n++) {
    if (!file.write(`${JSON.stringify(sourceUser(n))}\n`)) await once(file, 'drain');
  }
  file.end();
  await finished(file);
}

test(`MJ1 ${USERS} users are reconciled over a SIGKILL of the daemon, and everyone ends up with the same`, {
  timeout: 300_000,
}, async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'rosterd-main-job-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const source = join(dir, 'users.ndjson');
  await writeSource(source);

  const env = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET, ROSTERD_LOG_LEVEL: 'warn' };
  const data = join(dir, 'data');
  const listen = `127.0.0.1:${await freePort()}`;
  const startDaemon = () => RosterdProcess.run(['serve', '--listen', listen, '--data', data], { env });
  const startSync = (url: string) => RosterdProcess.run(['sync', source, '--url', url, '--json'], { env });

  let daemon = startDaemon();
  t.after(() => daemon.child.kill('SIGKILL'));
  const url = await daemon.listening();
  const liveUrl = url.replace(/^http/, 'ws');

  const copy = new DirectoryCopy(() => liveUrl, { api_key: API_KEY, token: serverToken() });
  await copy.connect();
  const chat = await LiveClient.open(`${liveUrl}/live`);
  await chat.request({ op: 'connect', api_key: API_KEY, token: userToken('user-7'), user: { id: 'user-7', mood: 'good' } });

  // The job runs until two fifths of the users have arrived; then the daemon dies, and the job is interrupted.
  const firstRun = startSync(url);
  t.after(() => firstRun.child.kill('SIGKILL'));
  await copy.until(() => copy.users.size > USERS * 0.4);
  await daemon.kill('SIGKILL');
  await copy.closed;
  const interrupted = await firstRun.kill('SIGINT');
  assert.equal(interrupted.code, 130, interrupted.stderr);
  const first = JSON.parse(interrupted.stdout);
  const seenBeforeKill = new Map([...copy.users].map(([id, { rev }]) => [id, rev]));

  daemon = startDaemon();
  await daemon.listening();
  await copy.connect();
  assert.equal(copy.resumes, 1, 'the subscriber goes on where it was');
  assert.equal(copy.resyncs, 0);

  const secondRun = await startSync(url).finished;
  assert.equal(secondRun.code, 0, secondRun.stderr);
  const second = JSON.parse(secondRun.stdout);
  await copy.until(() => copy.users.size === USERS);

  // Nothing acknowledged is missing: what the first run was told is stored was found unchanged by the second.
  assert.equal(second.created + second.updated + second.unchanged, USERS);
  assert.equal(second.failed, 0);
  assert.ok(
    second.unchanged >= first.created + first.updated,
    `${second.unchanged} unchanged, ${first.created} + ${first.updated} acknowledged before`,
  );
  for (const [id, rev] of seenBeforeKill) assert.ok((copy.users.get(id)?.rev ?? 0) >= rev, `${id} was announced and is gone`);

  // Every change came once and in order: one event for each user, and one more for the user that the chat client had made.
  assert.equal(copy.seqs.length, USERS + 1);

  const thirdRun = await startSync(url).finished;
  assert.equal(thirdRun.code, 0, thirdRun.stderr);
  assert.equal(JSON.parse(thirdRun.stdout).unchanged, USERS, 'running the job again changes nothing');
  assert.equal(copy.seqs.length, USERS + 1);

  const directory = new DirectoryCopy(() => liveUrl, { api_key: API_KEY, token: serverToken() });
  await directory.connect();
  assert.deepEqual(comparable(copy.users.values()), comparable(directory.users.values()));
  for (let n = 0; n < USERS; n++) {
    const { department, address, scores, ...known } = sourceUser(n);
    const { id, name, image, role, teams, custom } = directory.users.get(known.id);
    assert.deepEqual({ id, name, image, role, teams, custom }, { ...known, custom: { department, address, scores } });
  }
  copy.cut();
  directory.cut();
  assert.equal((await daemon.kill('SIGTERM')).code, 0);
});
