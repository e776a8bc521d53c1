/** SN6: a block of a snapshot with any byte changed is refused, or all that it holds can be read, found, saved and changed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { Directory } from '../../daemon/core/directory/directory.ts';
import { BlockDamaged, type PackedRecords } from '../../daemon/core/directory/records/definitions.ts';
import { UserView } from '../../daemon/core/directory/records/user-view.ts';
import { runQuery } from '../../daemon/core/users/query.ts';
import { directoryWith } from '../../daemon/pipeline/write/loaded-directory.ts';
import { parseQuery } from '../../protocol/users/finding/query.ts';
import type { StoreEvent } from '../../store/events.ts';
import { SnapshotFiles, snapshotName } from '../../store/snapshot/file.ts';
import { SnapshotDamaged } from '../../store/snapshot.ts';
import { seeded, testOption } from '../support/random.ts';
import { Random } from '../support/store/random.ts';
import { SimDisk } from '../support/store/sim-disk.ts';
import { keptLines } from '../support/store/snapshot-contract.ts';
import { HostileUsers } from '../support/worlds/hostile-users.ts';

const POSITION = { epoch: 'e', seq: 1_000 };
const QUERIES = [
  { filter_conditions: { 'a.b': { $in: [7, 'a'] } }, sort: [{ field: 'custom.a', direction: 1 }] },
  { filter_conditions: { name: { $q: 'ann' } }, sort: [{ field: 'name' }] },
  { filter_conditions: { $or: [{ banned: true }, { teams: { $in: ['red'] } }, { b: { $gt: 'a' } }] }, sort: [{ field: 'last_active' }] },
].map((query) => parseQuery({ ...query, limit: 100, include_deactivated_users: true, include_deleted_users: true }));

/** A block of a few records. */
function block(users: HostileUsers, count: number): PackedRecords {
  return keptLines(filled(users, count).freeze().packed().lines()).find(isBlock) ?? assert.fail('no block');
}

function isBlock(line: object): line is PackedRecords {
  return 'bytes' in line && line.bytes instanceof Uint8Array && line.bytes.length > 0;
}

function filled(users: HostileUsers, count: number): Directory {
  const directory = new Directory({ epoch: 'e', seq: 0 }, [3, 3]);
  for (let seq = 1; seq <= count; seq++) {
    const record = users.record(users.pick([`u${seq}`, `é${seq}`, `"${seq}`]), seq);
    directory.load([('gone_at' in record ? { gone: record } : { user: record }) as never]);
  }
  return directory;
}

function damaged(whole: Uint8Array, users: HostileUsers): Buffer {
  const bytes = Buffer.from(whole);
  const at = users.below(bytes.length);
  switch (users.below(8)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + users.below(90))]);
    case 2:
      return Buffer.concat([bytes, bytes]);
    case 3:
      bytes[at] = users.below(256);
      break;
    case 4:
      // A header.
      bytes[at % 60] = users.below(users.pick([3, 256]));
      break;
    default:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << users.below(8));
  }
  return bytes;
}

/** Everything that may be done with what a snapshot holds. Throws where a block is refused, and fails where that comes too late. */
function use(block: PackedRecords): 'refused' | 'used' {
  const directory = new Directory(POSITION, [5, 5]);
  try {
    directory.load([block]);
  } catch (error) {
    assert.ok(error instanceof BlockDamaged, String(error));
    return 'refused';
  }
  useAll(directory);
  return 'used';
}

function useAll(directory: Directory): void {
  while (directory.indexStep());
  const ids: string[] = [];
  for (const record of directory.records()) {
    assert.deepEqual(directory.record(record.id), record);
    ids.push(record.id);
  }
  assert.equal(new Set(ids).size, ids.length);
  for (const view of directory.bytes.views()) {
    for (const field of Object.keys(Object.getOwnPropertyDescriptors(UserView.prototype))) {
      if ((view.state & 1) === 0 && !['copy', 'movedTo', 'constructor', 'valueIn'].includes(field)) void view[field as keyof UserView];
    }
    const record = directory.record(view.id);
    assert.equal((view.state & 1) === 0, record !== undefined && !('gone_at' in record));
    if ((view.state & 1) === 0) assert.equal(view.deleted_at === undefined, directory.user(view.id) !== undefined);
  }
  for (const query of QUERIES) for (const _ of runQuery(directory, query, () => false));
  const before = [...directory.freeze().lines()].map((line) => JSON.stringify(line));
  const copy = new Directory(POSITION, [6, 6]);
  copy.load(keptLines(directory.freeze().packed().lines()));
  assert.deepEqual(
    [...copy.freeze().lines()].map((line) => JSON.stringify(line)),
    before,
  );
  for (const [at, id] of ids.entries()) {
    const user = { id, rev: POSITION.seq + at + 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 };
    directory.apply({ id: `e${at}`, first: POSITION.seq + at + 1, time: 1, facts: [{ t: 'user', user, by: 'server' } as never] });
    assert.deepEqual(directory.user(id), user);
  }
}

test('SN6 a block with damage under a right checksum is refused, or is a block', (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  const runs = testOption('runs', 150);
  const random = seeded(seed);
  const users = new HostileUsers(random);
  const counts = { refused: 0, used: 0 };
  for (let run = 0; run < runs; run++) {
    const whole = block(users, 1 + users.below(6));
    if (run % 10 === 0) assert.equal(use(whole), 'used');
    const bytes = damaged(whole.bytes, users);
    try {
      counts[use({ ...whole, bytes })]++;
    } catch (error) {
      t.diagnostic(`seed ${seed}, run ${run}: ${JSON.stringify(whole.packed)} ${bytes.toString('base64')}`.slice(0, 3_000));
      throw error;
    }
  }
  t.diagnostic(`seed ${seed}: ${JSON.stringify(counts)}`);
  assert.ok(counts.refused > counts.used && counts.used > 0);
});

/** The file with damage from its first block on, under a trailer that is right again. */
function damagedFile(file: Buffer, users: HostileUsers): Buffer {
  const end = file.lastIndexOf(10, file.length - 2) + 1;
  const from = file.indexOf('\n[') + 1;
  const before = Buffer.concat([file.subarray(0, from), damaged(file.subarray(from, end - 1), users), Buffer.from('\n')]);
  const { lines } = JSON.parse(file.toString('utf8', end)) as { lines: number };
  return Buffer.concat([before, Buffer.from(`${JSON.stringify({ lines, bytes: before.length, crc32: crc32(before) })}\n`)]);
}

const [OLDER, NEWER] = [snapshotName(1, 900), snapshotName(2, POSITION.seq)].map((name) => `/s/${name}`) as [string, string];

test('LG11 SN6 a file with damage under a right checksum is loaded whole, or not at all: then the older one is, and without one the start fails', async (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  const runs = testOption('runs', 150);
  const users = new HostileUsers(seeded(seed));
  const counts = { refused: 0, used: 0 };
  const older = filled(new HostileUsers(seeded(1)), 3);
  for (let run = 0; run < runs; run++) {
    const disk = new SimDisk(new Random(1));
    const events: StoreEvent[] = [];
    const store = await SnapshotFiles.open({ directory: '/s', fileSystem: disk, onEvent: (event) => void events.push(event) });
    const newer = filled(users, 1 + users.below(6));
    await store.save({
      position: { epoch: 'e', seq: 900 },
      lines: () => [],
      packed: () => ({ ...older.freeze().packed(), position: { epoch: 'e', seq: 900 } }),
    });
    await store.save({ position: POSITION, lines: () => [], packed: () => ({ ...newer.freeze().packed(), position: POSITION }) });
    const content = damagedFile(disk.files().get(NEWER) ?? assert.fail(), users);
    const files = new Map([...disk.files()].map(([name, bytes]) => [name, name === NEWER ? content : bytes] as const));
    try {
      const opened = async (some: ReadonlyMap<string, Buffer>) =>
        await SnapshotFiles.open({
          directory: '/s',
          fileSystem: SimDisk.holding(new Map(some), new Random(1)),
          onEvent: (event) => void events.push(event),
        });
      const directory = await directoryWith('e', await (await opened(files)).load());
      if (directory.seq === POSITION.seq) {
        assert.deepEqual(events, []);
        useAll(directory);
        counts.used++;
        continue;
      }
      counts.refused++;
      assert.deepEqual(
        events.map((event) => event.type === 'snapshot-damaged' && event.file),
        [NEWER],
      );
      assert.deepEqual([directory.seq, [...directory.records()]], [900, [...older.records()]]);
      files.delete(OLDER);
      await assert.rejects(
        async () => directoryWith('e', await (await opened(files)).load()),
        (error) => error instanceof SnapshotDamaged && error.file === NEWER && error.reason.endsWith('; no other snapshot in /s is whole'),
      );
    } catch (error) {
      t.diagnostic(`seed ${seed}, run ${run}: ${content.toString('base64')}`.slice(0, 3_000));
      throw error;
    }
  }
  t.diagnostic(`seed ${seed}: ${JSON.stringify(counts)}`);
  assert.ok(counts.refused > counts.used && counts.used > 0);
});
