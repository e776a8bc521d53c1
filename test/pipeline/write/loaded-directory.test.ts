/** SN1, LG8, UN8: the directory as a snapshot holds it, and what is known of its names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NameCollisions } from '../../../daemon/core/users/name-collisions.ts';
import { loadedDirectory } from '../../../daemon/pipeline/write/loaded-directory.ts';
import { NameKeys } from '../../../daemon/pipeline/write/name-keys.ts';
import { NAME_KEY_VERSION } from '../../../protocol/users/names.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { type LoadedSnapshot, SnapshotDamaged } from '../../../store/snapshot.ts';
import { appendOne, draft } from '../../support/store/entries.ts';

const user = (id: string, name: string): object => ({
  user: { id, name, rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 },
});

/** A snapshot at 70 of these lines, one in each chunk. */
const snapshotOf = (...lines: readonly object[]): LoadedSnapshot => ({
  position: { epoch: 'before', seq: 70 },
  async *chunks() {
    for (const line of lines) yield [line];
  },
});

const stateOf = (enforce: 'no' | 'app', names?: number): object => ({
  state: { time: 1, app: { enforce_unique_usernames: enforce }, app_seq: 0, entries: [], ...(names !== undefined && { names }) },
});

test('SN1 LG8 everything in the snapshot is loaded, at its seq and under the epoch of the log', async () => {
  const log = new MemoryLog({ epoch: 'now', start: 70 });
  const directory = await loadedDirectory({ log, loaded: snapshotOf(stateOf('no'), user('ann', 'Ann'), user('bob', 'Bob')) });
  assert.deepEqual([directory.position, directory.size, directory.user('bob')?.name], [{ epoch: 'now', seq: 70 }, 2, 'Bob']);
});

test('SN1 UN8 without a snapshot the directory begins at 0, and nothing says how the names in a log were compared', async () => {
  const log = new MemoryLog({ epoch: 'now' });
  const fresh = await loadedDirectory({ log, loaded: undefined });
  assert.deepEqual([fresh.position, fresh.size, fresh.nameKeyVersion], [{ epoch: 'now', seq: 0 }, 0, NAME_KEY_VERSION]);
  await appendOne(log, draft('a'));
  assert.equal((await loadedDirectory({ log, loaded: undefined })).nameKeyVersion, 0);
  assert.equal((await loadedDirectory({ log, loaded: snapshotOf(stateOf('no', NAME_KEY_VERSION)) })).nameKeyVersion, NAME_KEY_VERSION);
});

test('UN8 names that an upgrade made equal are logged with their number and kept; without an upgrade, or any, nothing is said', async () => {
  const started = async (...lines: readonly object[]): Promise<[NameCollisions | undefined, unknown[]]> => {
    const directory = await loadedDirectory({ log: new MemoryLog({ start: 70 }), loaded: snapshotOf(...lines) });
    const logged: unknown[] = [];
    const names = new NameKeys();
    const logger = { info: () => assert.fail(), error: (details: object, text: string) => void logged.push([details, text]) };
    await names.start(directory, logger);
    assert.equal(directory.indexStep(), false, 'all names are indexed');
    return [names.collisions, logged];
  };
  const both = [user('ann', 'Ann'), user('ann2', 'ANN')];
  const [collisions, logged] = await started(stateOf('app', 1), ...both);
  assert.equal(collisions?.total, 1);
  const text = 'names are compared in another way since the upgrade, and some are held by several users; GET /app lists them';
  assert.deepEqual(logged, [[{ names: 1 }, text]]);
  for (const lines of [
    [stateOf('app', NAME_KEY_VERSION), ...both],
    [stateOf('no', 1), ...both],
    [stateOf('app', 1), user('ann', 'Ann'), user('bob', 'Bob')],
  ]) {
    assert.deepEqual(await started(...lines), [undefined, []]);
  }
});

test('SN6 LG11 a snapshot whose records are none, or that changed since it was checked, is taken for damaged, and the one before it is loaded', async () => {
  const packed = { shapes: [], custom_shapes: [], roles: [], teams: [] };
  const reasons: string[] = [];
  const odd = (seq: number, chunks: LoadedSnapshot['chunks'], older?: LoadedSnapshot): LoadedSnapshot => ({
    position: { epoch: 'before', seq },
    chunks,
    instead: async (reason) => {
      reasons.push(reason);
      return older ?? assert.fail(reason);
    },
  });
  const saved: number[] = [];
  const log = new MemoryLog({ epoch: 'now', start: 90 });
  log.snapshotSaved = async (seq) => void saved.push(seq);
  const changed = odd(
    80,
    async function* () {
      yield [user('eve', 'Eve')];
      throw new SnapshotDamaged('f', 'it does not match its checksum');
    },
    snapshotOf(user('ann', 'Ann')),
  );
  const none = odd(
    90,
    async function* () {
      yield [user('bob', 'Bob'), { packed, bytes: Buffer.from('no record') }];
    },
    changed,
  );
  const directory = await loadedDirectory({ log, loaded: none });
  assert.deepEqual([directory.position, Array.from(directory.users(), ({ id }) => id)], [{ epoch: 'now', seq: 70 }, ['ann']]);
  assert.deepEqual(reasons, ['it has a block of records that is not one, at byte 0 of it', 'it does not match its checksum']);
  assert.deepEqual(saved, [70], 'the log keeps what comes after it');
  const only = snapshotOf({ packed, bytes: 7 });
  await assert.rejects(loadedDirectory({ log, loaded: only }), /^BlockDamaged: it has a block without records$/);
  const broken = odd(80, () => {
    throw new Error('EIO');
  });
  await assert.rejects(loadedDirectory({ log, loaded: broken }), /^Error: EIO$/);
  assert.equal(reasons.length, 2);
});
