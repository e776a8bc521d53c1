/** The file of a backup: BK3 and BK4. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { crc32, gzipSync } from 'node:zlib';
import { digest } from '../../../protocol/base/digest.ts';
import { BackupDamaged, type BackupSummary } from '../../../store/backup/codec.ts';
import { checkBackup } from '../../../store/backup/file.ts';
import { StoreVersionMismatch } from '../../../store/journal/record.ts';
import { backupOf, CREATED_AT, pieces, someLines, storedUser } from '../../support/store/backup-kit.ts';

const check = (bytes: Uint8Array, size?: number): Promise<BackupSummary> => checkBackup(pieces(bytes, size), 'b');

const isDamage = (error: unknown): boolean => error instanceof BackupDamaged && error.message.startsWith('b is not a whole backup: ');

/** The bytes with another header, and a trailer that fits again, as another version of rosterd would write them. */
function withHeader(bytes: Buffer, change: (header: Record<string, unknown>) => void): Buffer {
  const [header = '', ...lines] = bytes.toString().trimEnd().split('\n');
  const changed = JSON.parse(header);
  change(changed);
  const trailer = JSON.parse(lines.pop() ?? '');
  const body = Buffer.from(`${[JSON.stringify(changed), ...lines].join('\n')}\n`);
  const sums = { bytes: body.length, crc32: crc32(body), sha256: createHash('sha256').update(body).digest('hex') };
  return Buffer.concat([body, Buffer.from(`${JSON.stringify({ ...trailer, ...sums })}\n`)]);
}

test('BK3 a backup says what it holds, in whatever pieces it comes', async () => {
  const bytes = await backupOf(someLines());
  for (const size of [1, 7, 64, 1_000, bytes.length]) {
    const summary = await check(bytes, size);
    assert.deepEqual(
      { ...summary, sha256: '', content: '' },
      {
        users: 3,
        deleted: 2,
        documents: 1,
        content: '',
        revisions: digest([1, 2, 3].map((rev) => ({ id: `user-${rev - 1}`, rev }))),
        position: { epoch: 'epoch-a', seq: 100 },
        createdAt: CREATED_AT,
        lines: 8,
        bytes: bytes.length,
        sha256: '',
      },
    );
    const before = bytes.subarray(0, bytes.lastIndexOf(0x0a, bytes.length - 2) + 1);
    assert.equal(summary.sha256, createHash('sha256').update(before).digest('hex'));
  }
  assert.deepEqual(await check(gzipSync(bytes), 50), await check(bytes));
});

test('BK3 the lines between header and trailer come out as they went in', async () => {
  const lines = someLines(40);
  const seen: Buffer[] = [];
  const bytes = await backupOf(lines);
  await checkBackup(pieces(bytes, 100), 'b', async (part) => void seen.push(Buffer.from(part)));
  assert.equal(Buffer.concat(seen).toString(), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
});

test('BK3 the first line may be long: a daemon that has worked remembers many entries', async () => {
  const [, ...others] = someLines();
  const entries = Array.from({ length: 4_096 }, (_, index) => `entry-${index}-0123456789abcdef0123456789abcdef`);
  const bytes = await backupOf([{ state: { time: 1, app: {}, app_seq: 0, entries } }, ...others]);
  for (const size of [4_097, 16 * 1024, 64 * 1024, bytes.length]) assert.equal((await check(bytes, size)).users, 3, `in pieces of ${size}`);
});

test('BK3 a directory without users has a backup too', async () => {
  const { users, content, revisions } = await check(await backupOf(someLines(0).slice(0, 1)));
  assert.deepEqual([users, content, revisions], [0, `0-${'0'.repeat(64)}`, `0-${'0'.repeat(16)}`]);
});

test('BK3 every flipped byte is found', async () => {
  const bytes = await backupOf(someLines());
  assert.ok(bytes.length > 1_000);
  for (let at = 0; at < bytes.length; at++) {
    const mask = 1 << (at % 8);
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ mask;
    await assert.rejects(check(flipped), isDamage, `byte ${at} of ${bytes.length}, flipped by ${mask}`);
  }
});

test('BK3 every cut is found, and so is what was added', async () => {
  const bytes = await backupOf(someLines());
  for (let length = 0; length < bytes.length; length++) await assert.rejects(check(bytes.subarray(0, length)), isDamage, `${length} bytes`);
  for (const more of ['\n', '{}\n', 'x', bytes.toString()]) {
    await assert.rejects(check(Buffer.concat([bytes, Buffer.from(more)])), isDamage, JSON.stringify(more.slice(0, 9)));
  }
  const lines = bytes.toString().trimEnd().split('\n');
  for (const gone of lines.keys()) {
    await assert.rejects(check(Buffer.from(`${lines.filter((_, at) => at !== gone).join('\n')}\n`)), isDamage, `without line ${gone}`);
  }
});

test('BK3 the same compressed: what changes the content, or cuts it, is found', async () => {
  const bytes = gzipSync(await backupOf(someLines()));
  const whole = await check(bytes);
  let harmless = 0;
  for (let length = 0; length < bytes.length; length += 3)
    await assert.rejects(check(bytes.subarray(0, length)), isDamage, `${length} bytes`);
  // Time and system in the header of gzip, bytes 4 to 9, say nothing about the content.
  for (let at = 10; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ 0x10;
    // A bit that fills up the last byte of the compressed data says nothing either.
    const found = await check(flipped).catch((error: unknown) => assert.ok(isDamage(error), `byte ${at} of ${bytes.length}`));
    if (found === undefined) continue;
    assert.deepEqual(found, whole);
    harmless++;
  }
  assert.ok(harmless <= 1, `${harmless} flipped bytes were not noticed`);
  await assert.rejects(check(Buffer.concat([bytes, Buffer.from('rest')])), isDamage);
});

test('BK3 a line that is none of a directory is named by its place', async () => {
  const good = someLines();
  const bad: readonly [string, object][] = [
    ['a user without id', { user: { rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 } }],
    ['a user without revision', { user: storedUser('x', 1, { rev: 'one' }) }],
    ['a tombstone without time', { gone: { id: 'x' } }],
    ['a document of no kind', { doc: { kind: 'unheard', id: 'x', doc: {} } }],
    ['a document that is gone', { doc: { kind: 'role', id: 'x', doc: null } }],
    ['something else', { other: {} }],
  ];
  for (const [what, line] of bad) {
    const text = (await backupOf(good)).toString().split('\n');
    text.splice(5, 0, JSON.stringify(line));
    const offset = Buffer.byteLength(text.slice(0, 5).join('\n')) + 1;
    await assert.rejects(
      check(Buffer.from(text.join('\n'))),
      (error) => error instanceof BackupDamaged && error.offset === offset && error.reason === 'a line is not one of a directory',
      what,
    );
  }
});

test('BK3 what is no backup is told at once', async () => {
  for (const text of [
    '',
    '\n',
    'hello\n',
    '{"format":"rosterd-snapshot","version":2,"epoch":"e","seq":1}\n{}\n',
    '{}\n{}\n',
    'x'.repeat(100_000),
  ]) {
    await assert.rejects(
      check(Buffer.from(text)),
      (error) => isDamage(error) && /does not begin with the header/.test(String(error)),
      text.slice(0, 20),
    );
  }
});

test('BK4 a whole backup of another version is told as such; a version made by a flipped bit is damage', async () => {
  const bytes = await backupOf(someLines());
  for (const key of ['version', 'snapshot_version']) {
    for (const version of [0, 1, 3, 99]) {
      if (key === 'version' && version === 1) continue;
      const other = withHeader(bytes, (header) => {
        header[key] = version;
      });
      await assert.rejects(
        check(other),
        (error) =>
          error instanceof StoreVersionMismatch &&
          error.message.includes(`b has format version ${version}`) &&
          /start the version/.test(error.message),
        `${key} ${version}`,
      );
      const flipped = Buffer.from(other);
      const place = other.indexOf('"n":');
      flipped[place + 4] = (flipped[place + 4] ?? 0) ^ 1;
      await assert.rejects(check(flipped), isDamage, `${key} ${version}, damaged`);
    }
  }
  assert.equal((await check(withHeader(bytes, () => {}))).users, 3);
});
