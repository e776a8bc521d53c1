/** PN15: lines, and users, that wait on the disk. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SpoolFile } from '../../../daemon/sync/plan/spool.ts';
import { UserSpool } from '../../../daemon/sync/plan/user-spool.ts';

function pathFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-spool-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'lines');
}

async function all<Item>(parts: AsyncGenerator<readonly Item[]>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const part of parts) found.push(...part);
  return found;
}

test('PN15 lines are read as they were added, once they are asked for; without any there is no file', async (t) => {
  const path = pathFor(t);
  const spool = new SpoolFile(path);
  assert.deepEqual([await all(spool.lines()), existsSync(path), spool.bytes], [[], false, 0]);
  const lines = ['one', '{"two":"Zoë 🎈"}', '3'];
  for (const line of lines) spool.add(line);
  assert.equal(existsSync(path), false);
  assert.deepEqual(await all(spool.lines()), lines);
  assert.deepEqual(await all(spool.lines()), lines, 'and again');
  spool.add('later');
  assert.deepEqual(await all(spool.lines()), [...lines, 'later']);
  assert.equal(readFileSync(path, 'utf8'), 'one\n{"two":"Zoë 🎈"}\n3\nlater\n');
  assert.equal(spool.bytes, statSync(path).size);
  assert.equal(statSync(path).mode & 0o077, 0, 'others can read it');
});

test('PN15 no more than a MiB of lines is in memory', (t) => {
  const path = pathFor(t);
  const spool = new SpoolFile(path);
  const line = 'x'.repeat(1_023);
  for (let round = 1; round <= 3; round++) {
    for (let count = 0; count < 1_023; count++) spool.add(line);
    assert.equal(spool.bytes, (round - 1) * 2 ** 20, `round ${round}`);
    spool.add(line);
    assert.equal(spool.bytes, round * 2 ** 20);
  }
});

test('PN15 a MiB is counted with the ends of its lines, from the first one on', (t) => {
  const spool = new SpoolFile(pathFor(t));
  for (let count = 0; count < 1_023; count++) spool.add('x'.repeat(1_023));
  spool.add('x'.repeat(1_022));
  assert.equal(spool.bytes, 0);
  spool.add('');
  assert.equal(spool.bytes, 2 ** 20);
});

test('PN15 a line that is longer than any user is an error that names the file', async (t) => {
  const path = pathFor(t);
  const spool = new SpoolFile(path);
  for (const line of ['a', 'x'.repeat(2 ** 20), 'y'.repeat(2 ** 20 + 10)]) spool.add(line);
  await assert.rejects(all(spool.lines()), { message: `${path}: line 3 is longer than 1048576 bytes` });
});

test('PN15 users come back in batches of so many users and bytes, as they were', async (t) => {
  const users = Array.from({ length: 7 }, (_, n) => {
    const json = JSON.stringify({ id: `u${n}`, name: `Zoë ${n}` });
    return { line: n + 2, id: `u${n}`, json, bytes: Buffer.byteLength(json) };
  });
  const spool = new UserSpool(pathFor(t));
  for (const user of users) spool.add(user);
  assert.deepEqual(await all(spool.batches({ users: 100, bytes: 1_000 })), users);
  assert.deepEqual(
    [spool.count, spool.bytes],
    [7, users.reduce((sum, { line, id, bytes }) => sum + `${line} ${id} `.length + bytes + 1, 0)],
  );
  const sizes = async (limits: { users: number; bytes: number }): Promise<number[]> => {
    const found: number[] = [];
    for await (const batch of spool.batches(limits)) found.push(batch.length);
    return found;
  };
  const bytes = users[0]?.bytes ?? 0;
  assert.deepEqual(await sizes({ users: 3, bytes: 1_000 }), [3, 3, 1]);
  assert.deepEqual(await sizes({ users: 7, bytes: 1_000 }), [7]);
  assert.deepEqual(await sizes({ users: 100, bytes: 2 * bytes }), [2, 2, 2, 1]);
  assert.deepEqual(await sizes({ users: 100, bytes: 2 * bytes + 1 }), [3, 3, 1]);
  assert.deepEqual(await sizes({ users: 100, bytes: 2 * bytes - 1 }), [2, 2, 2, 1]);
});
