/** DK1, DK4: on a full disk writes are refused as 503 and leave nothing behind, everything else goes on, and writes work again when there is space. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDataDirectory } from '../../../store/data-dir.ts';
import type { FileSystem, OpenFile } from '../../../store/file-system.ts';
import { nodeFileSystem } from '../../../store/node-file-system.ts';
import { eventually } from '../../support/eventually.ts';
import { World } from '../../support/world.ts';

/** The real disk, which takes nothing more while `isFull`. */
function fillableDisk(): FileSystem & { isFull: boolean } {
  const disk = { ...nodeFileSystem, isFull: false };
  const wrap = (file: OpenFile): OpenFile => ({
    read: (...args) => file.read(...args),
    write: (...args) =>
      disk.isFull ? Promise.reject(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })) : file.write(...args),
    truncate: (...args) => file.truncate(...args),
    datasync: (point) => file.datasync(point),
    size: () => file.size(),
    close: () => file.close(),
  });
  disk.openWrite = async (path) => wrap(await nodeFileSystem.openWrite(path));
  disk.create = async (point, path) => wrap(await nodeFileSystem.create(point, path));
  return disk;
}

test('DK1 DK4 a full disk refuses writes, says so to whoever asks where to send them, loses nothing and lets everything else go on', async (t) => {
  const disk = fillableDisk();
  const logs: string[] = [];
  const world = await World.start(t, {
    openStore: (config, onEvent) => openDataDirectory(config.data, { fileSystem: disk, onEvent }),
    onLog: (line) => logs.push(line),
  });
  const ready = async (query = ''): Promise<unknown[]> => {
    const { status, body } = await world.http('GET', `/readyz${query}`);
    return [status, body.status, body.reason];
  };
  assert.deepEqual(await ready('?need=write'), [200, 'ok', undefined]);
  await world.upsert({ id: 'ann', name: 'Ann' });
  const subscriber = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  disk.isFull = true;
  for (let n = 0; n < 3; n++) {
    const refused = await world.upsert({ id: 'bob' }, { id: 'ann', name: 'Changed' });
    assert.equal(refused.status, 503);
    assert.equal(refused.body.code, -1);
    assert.match(refused.body.message, /cannot store changes .* nothing was stored/);
  }
  await subscriber.request({ op: 'ping' });
  const found = await world.http('GET', `/users?payload=${encodeURIComponent('{"filter_conditions":{"name":"Ann"}}')}`);
  assert.deepEqual(
    found.body.users.map(({ id }: { id: string }) => id),
    ['ann'],
  );
  assert.deepEqual(await ready(), [200, 'ok', undefined], 'DK4 reads are served');
  await eventually(async () => (await ready('?need=write'))[0] === 503);
  assert.deepEqual(await ready('?need=write'), [503, 'not ready', 'writes are refused (no space is left on the disk)']);
  disk.isFull = false;
  assert.equal((await world.upsert({ id: 'bob' })).status, 201);
  await eventually(async () => (await ready('?need=write'))[0] === 200);
  await subscriber.until(({ user }) => user?.id === 'bob');
  assert.deepEqual(
    subscriber.events.map(({ user, seq }) => [user.id, seq]),
    [['bob', 2]],
  );
  assert.ok(logs.some((line) => line.includes('append-rolled-back')));
  await world.stop();
  const again = await World.start(t, { data: world.data });
  assert.deepEqual([...again.daemon.roster.directory.users()].map(({ id }) => id).sort(), ['ann', 'bob']);
});
