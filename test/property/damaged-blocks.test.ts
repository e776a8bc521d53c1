/** SN6: a block of a snapshot with any byte changed is refused, or all that it holds can be read, found, saved and changed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../daemon/core/directory/directory.ts';
import type { PackedRecords } from '../../daemon/core/directory/records/definitions.ts';
import { UserView } from '../../daemon/core/directory/records/user-view.ts';
import { runQuery } from '../../daemon/core/users/query.ts';
import { parseQuery } from '../../protocol/users/finding/query.ts';
import { seeded, testOption } from '../support/random.ts';
import { HostileUsers } from '../support/worlds/hostile-users.ts';

const POSITION = { epoch: 'e', seq: 1_000 };
const QUERIES = [
  { filter_conditions: { 'a.b': { $in: [7, 'a'] } }, sort: [{ field: 'custom.a', direction: 1 }] },
  { filter_conditions: { name: { $q: 'ann' } }, sort: [{ field: 'name' }] },
  { filter_conditions: { $or: [{ banned: true }, { teams: { $in: ['red'] } }, { b: { $gt: 'a' } }] }, sort: [{ field: 'last_active' }] },
].map((query) => parseQuery({ ...query, limit: 100, include_deactivated_users: true, include_deleted_users: true }));

type Wire = { -readonly [Key in keyof PackedRecords]: PackedRecords[Key] };

/** A block of a few records. */
function block(users: HostileUsers, count: number): Wire {
  const directory = new Directory({ epoch: 'e', seq: 0 }, 3);
  for (let seq = 1; seq <= count; seq++) {
    const record = users.record(users.pick([`u${seq}`, `é${seq}`, `"${seq}`]), seq);
    directory.load([('gone_at' in record ? { gone: record } : { user: record }) as never]);
  }
  for (const line of directory.freeze().packed().lines()) if ('packed' in line && line.packed.records !== '') return { ...line.packed };
  return assert.fail('no block');
}

function damaged({ records }: Wire, users: HostileUsers): string {
  const bytes = Buffer.from(records, 'base64');
  const at = users.below(bytes.length);
  switch (users.below(8)) {
    case 0:
      return bytes.subarray(0, at).toString('base64');
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + users.below(90))]).toString('base64');
    case 2:
      return Buffer.concat([bytes, bytes]).toString('base64');
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
  return bytes.toString('base64');
}

/** Everything that may be done with what a snapshot holds. Throws where a block is refused, and fails where that comes too late. */
function use(packed: Wire): 'refused' | 'used' {
  const directory = new Directory(POSITION, 5);
  try {
    directory.load([{ packed }]);
  } catch (error) {
    assert.match((error as Error).message, /^the snapshot (has|defines) /);
    return 'refused';
  }
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
  const copy = new Directory(POSITION, 6);
  copy.load(JSON.parse(JSON.stringify([...directory.freeze().packed().lines()])) as never);
  assert.deepEqual(
    [...copy.freeze().lines()].map((line) => JSON.stringify(line)),
    before,
  );
  for (const [at, id] of ids.entries()) {
    const user = { id, rev: POSITION.seq + at + 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 };
    directory.apply({ id: `e${at}`, first: POSITION.seq + at + 1, time: 1, facts: [{ t: 'user', user, by: 'server' } as never] });
    assert.deepEqual(directory.user(id), user);
  }
  return 'used';
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
    const records = damaged(whole, users);
    try {
      counts[use({ ...whole, records })]++;
    } catch (error) {
      t.diagnostic(`seed ${seed}, run ${run}: ${JSON.stringify({ ...whole, records })}`.slice(0, 3_000));
      throw error;
    }
  }
  t.diagnostic(`seed ${seed}: ${JSON.stringify(counts)}`);
  assert.ok(counts.refused > counts.used && counts.used > 0);
});
