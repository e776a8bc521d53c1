/** DK4: whether a disk takes anything is found out by writing to it. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import type { FileSystem } from '../../store/file-system.ts';
import { nodeFileSystem } from '../../store/node-file-system.ts';
import { SpaceProbe } from '../../store/space-probe.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

/** The real disk, which can take so many bytes only, and on which each look is counted. */
function boundedDisk() {
  const world = { room: Number.POSITIVE_INFINITY, code: 'ENOSPC', looks: 0, nowMs: 0 };
  const disk: FileSystem = {
    ...nodeFileSystem,
    create: async (point, path) => {
      world.looks++;
      const file = await nodeFileSystem.create(point, path);
      return Object.assign(Object.create(file), {
        close: () => file.close(),
        write: async (...[at, buffer, offset, length, position]: Parameters<typeof file.write>) => {
          if (position + length > world.room)
            throw Object.assign(new Error(`${world.code}: the disk, write '${path}'`), { code: world.code });
          return await file.write(at, buffer, offset, length, position);
        },
      });
    },
  };
  return { world, disk };
}

test('DK4 a disk that takes 64 KiB refuses nothing; the reason of one that does not names no file, and nothing is left on either', async () => {
  const folder = await temporaryDirectory();
  const { world, disk } = boundedDisk();
  const probe = new SpaceProbe(disk, folder, () => world.nowMs);
  const look = async (): Promise<string | undefined> => {
    world.nowMs += 1_000;
    const said = await probe.refusal();
    assert.deepEqual(await readdir(folder), []);
    return said;
  };
  assert.equal(await look(), undefined);
  world.room = 64 * 1024 - 1;
  assert.equal(await look(), 'no space is left on the disk');
  world.code = 'EROFS';
  assert.equal(await look(), 'EROFS: the disk, write');
  world.room = 64 * 1024;
  assert.equal(await look(), undefined);
  assert.match((await new SpaceProbe(disk, `${folder}/gone`).refusal()) ?? '', /^ENOENT: .*open$/);
});

test('DK4 it looks once a second, however many ask', async () => {
  const { world, disk } = boundedDisk();
  const probe = new SpaceProbe(disk, await temporaryDirectory(), () => world.nowMs);
  const ask = async (): Promise<unknown> => new Set(await Promise.all([probe.refusal(), probe.refusal(), probe.refusal()]));
  assert.deepEqual([await ask(), world.looks], [new Set([undefined]), 1]);
  world.room = 0;
  world.nowMs += 999;
  assert.deepEqual([await ask(), world.looks], [new Set([undefined]), 1]);
  world.nowMs += 1;
  assert.deepEqual([await ask(), world.looks], [new Set(['no space is left on the disk']), 2]);
});
