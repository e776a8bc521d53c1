/** CL83: clients that know several nodes, over the death of the one that they use. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { eventually } from '../../support/eventually.ts';
import { serverClient } from '../../support/live/client-kit.ts';
import { PgProcesses } from '../../support/nodes/pg-processes.ts';
import { writeAll } from '../../support/nodes/writing.ts';
import { RosterdProcess } from '../../support/process.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();
const USERS = 400;
const KILL_AT = 100;

const ids = Array.from({ length: USERS }, (_, n) => `user-${n}`);

test('CL83 a subscriber and a writer go on at the other node when theirs dies: every event once and in order', pgOptions, async (t) => {
  const nodes = await PgProcesses.open(t, kit.url());
  const [one, two] = await Promise.all([nodes.start('one'), nodes.start('two')]);
  // Both begin with the first.
  const options = { url: [one.url, two.url], apiKey: nodes.apiKey };
  const [subscriber, writer] = [serverClient(t, one.url, options), serverClient(t, one.url, options)];
  const heard: string[] = [];
  subscriber.client.on('event', ({ user }) => heard.push(user.id));
  subscriber.client.on('resync', () => heard.push('resync'));
  await subscriber.client.connect();
  await subscriber.client.subscribe({ sub: 'all', all: true });
  const writing = writeAll(writer.client, ids);
  await eventually(
    () => heard.length >= KILL_AT,
    () => `${heard.length} events`,
  );
  await one.process.kill('SIGKILL');
  await writing;
  await eventually(
    () => heard.length >= USERS,
    () => `${heard.length} events`,
  );
  assert.deepEqual(heard, ids);
  assert.deepEqual([...subscriber.client.users.keys()].sort(), [...ids].sort());
  assert.equal(new URL(subscriber.sockets.at(-1)?.url ?? '').port, new URL(two.url).port);
});

test('CL83 watch and sync with several URLs go on over the death of a node', pgOptions, async (t) => {
  const nodes = await PgProcesses.open(t, kit.url());
  const one = await nodes.start('one');
  // It does not run yet, so that the watcher begins with the first.
  const listen = `127.0.0.1:${await freePort()}`;
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'users.ndjson'), ids.map((id) => `${JSON.stringify({ id })}\n`).join(''));
  const { ROSTERD_LOG: _, ...env } = nodes.env;
  const run = (...args: string[]): RosterdProcess => {
    const process = RosterdProcess.run([...args, '--url', `${one.url},http://${listen}`, '--json'], { cwd: folder, env });
    t.after(() => process.kill('SIGKILL'));
    return process;
  };
  const seen = (): string[] => watcher.stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).user.id]));
  const watcher = run('watch');
  await eventually(
    () => watcher.stderr.includes('connected'),
    () => watcher.stderr,
  );
  await nodes.start('two', { listen });
  await one.process.kill('SIGKILL');
  const { code, stdout, stderr } = await run('sync', 'users.ndjson', '--concurrency', '1').finished;
  assert.deepEqual([code, JSON.parse(stdout).created], [0, USERS], stderr);
  await eventually(
    () => seen().length >= USERS,
    () => `${seen().length}: ${watcher.stderr}`,
  );
  assert.deepEqual(seen(), ids);
});
