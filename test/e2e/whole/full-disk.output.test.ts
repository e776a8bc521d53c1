/** CM11: results that do not arrive are an error. /dev/full is a disk without space. */
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { writeWhole } from '../../../daemon/cli/io.ts';
import { RosterdProcess } from '../../support/process.ts';
import { API_KEY, API_SECRET, World } from '../../support/world.ts';

test('CM11 every command says on stderr that its result could not be written, and exits with 1', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' });
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-output-'));
  const full = openSync('/dev/full', 'w');
  t.after(() => rm(folder, { recursive: true, force: true }));
  t.after(() => closeSync(full));
  await writeFile(join(folder, 'users.ndjson'), '{"id":"ann"}\n');
  const run = (args: string, stdout: number | 'pipe' = full) => {
    const env = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET };
    const process = RosterdProcess.run(args.split(' '), { cwd: folder, env, stdout });
    t.after(() => process.child.kill('SIGKILL'));
    return process.finished;
  };
  const { url } = world.daemon;
  assert.equal((await run(`backup there.ndjson --url ${url}`, 'pipe')).code, 0);
  const commands = [
    '--version',
    'token ann',
    'config print',
    'config print --json',
    `sync users.ndjson --url ${url}`,
    `sync users.ndjson --url ${url} --json`,
    `sync plan users.ndjson --url ${url}`,
    'verify there.ndjson',
    `backup again.ndjson --url ${url}`,
    `backup - --url ${url}`,
    `watch --json --url ${url}`,
  ];
  let isOver = false;
  const change = async (): Promise<void> => {
    for (let n = 0; !isOver; n++) {
      await world.upsert({ id: 'ann', n });
      await delay(200);
    }
  };
  const all = Promise.all(commands.map(async (command) => ({ command, ...(await run(command)) })));
  const [finished] = await Promise.all([all.finally(() => (isOver = true)), change()]);
  for (const { command, code, stderr } of finished) {
    assert.equal(code, 1, `${command}: ${stderr}`);
    assert.match(stderr, /rosterd: stdout cannot be written: ENOSPC: no space left on device.* is not whole\n/, command);
  }
});

test('CM11 a write that stops half way goes on, and one that finds no space is an error', () => {
  const bytes = Buffer.from('a result');
  let disk = '';
  let room = 0;
  const write = (rest: Uint8Array): number => {
    if (room === 0) throw new Error('ENOSPC');
    const taken = Math.min(3, room, rest.length);
    disk += Buffer.from(rest.subarray(0, taken)).toString();
    room -= taken;
    return taken;
  };
  room = 100;
  writeWhole(bytes, write);
  assert.equal(disk, 'a result');
  room = 4;
  assert.throws(() => writeWhole(bytes, write), /ENOSPC/);
});
