/** DR2: the data directory and its disk. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dataFindings, judgeDisk } from '../../../daemon/cli/doctor/data.ts';
import { MOVED } from '../../../store/backup/moved.ts';
import { RESTORING } from '../../../store/backup/restore.ts';
import { acquireLock } from '../../../store/lock.ts';
import { folder } from '../../support/cli-run.ts';

const look = async (data: string, log?: string) => (await dataFindings({ data, log, retentionBytes: 1 }))[0];

test('DR2 a directory that is not there yet is no problem where it can be made, and is not made', async (t) => {
  const above = folder(t);
  const found = await look(join(above, 'a/b'));
  assert.deepEqual([found?.health, found?.found], ['ok', `${join(above, 'a/b')} is not there yet: the first start makes it`]);
  assert.deepEqual(readdirSync(above), []);
});

test('DR2 a file in its place, and a part of the path that is one, fail', async (t) => {
  const file = join(folder(t), 'file');
  writeFileSync(file, '');
  assert.match((await look(file))?.found ?? '', /is not a directory/);
  assert.equal((await look(join(file, 'data')))?.health, 'fail');
});

test('DR2 the process that has it open is named, and goes on', async (t) => {
  const data = folder(t);
  assert.match((await look(data))?.found ?? '', /no daemon runs on it/);
  const lock = await acquireLock(data);
  const locks = readdirSync(join(data, 'lock'));
  assert.match((await look(data))?.found ?? '', new RegExp(`process ${process.pid} runs on it`));
  assert.deepEqual(readdirSync(join(data, 'lock')), locks);
  await lock.release();
  assert.match((await look(data))?.found ?? '', /no daemon runs on it/);
});

test('DR2 a directory that others may look into is a warning with the command that closes it', async (t) => {
  const data = folder(t);
  chmodSync(data, 0o755);
  const found = await look(data);
  assert.deepEqual([found?.health, found?.advice], ['warn', `chmod 700 ${data}`]);
});

test('DR2 a restore that was begun, and a history that has moved, fail with what to run', async (t) => {
  const data = join(folder(t), 'data');
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(join(data, MOVED), '');
  assert.equal((await look(data))?.advice, 'serve with --log');
  assert.equal((await look(data, 'postgres://db/roster'))?.health, 'ok');
  writeFileSync(join(data, RESTORING), '');
  assert.equal((await look(data, 'postgres://db/roster'))?.advice, 'run rosterd restore again');
});

test('DR2 the free disk is held against the history that may be kept', async () => {
  const gib = 1024 ** 3;
  assert.equal(judgeDisk(2 * gib, gib).health, 'ok');
  assert.deepEqual(judgeDisk(gib / 2, gib), {
    ...{ check: 'disk', health: 'warn', found: '0.5 GiB free' },
    advice: 'the history may come to 1.0 GiB (retention_bytes): make room, or lower it',
  });
  assert.equal(judgeDisk(1_000, 0).health, 'fail');
});
