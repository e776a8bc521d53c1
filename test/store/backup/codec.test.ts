/** BK3, BK4: each field of the header and of the trailer of a backup is held against its content. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { BackupDamaged, BackupReader, type BackupSummary, encodeBackup } from '../../../store/backup/codec.ts';
import { StoreVersionMismatch } from '../../../store/journal/record.ts';
import { backupOf, CREATED_AT, someLines, sourceOf } from '../../support/store/backup-kit.ts';

type Change = (right: Record<string, unknown>) => unknown;

/** A backup with another header, other lines or another trailer; the sums are those of its bytes, unless the trailer says otherwise. */
async function changed({ header = (right) => right, trailer = (right) => right }: { header?: Change; trailer?: Change }): Promise<Buffer> {
  const [first = '', ...lines] = (await backupOf(someLines())).toString().trimEnd().split('\n');
  const right = JSON.parse(lines.pop() ?? '');
  const body = Buffer.from(`${[JSON.stringify(header(JSON.parse(first))), ...lines].join('\n')}\n`);
  const sums = { bytes: body.length, crc32: crc32(body), sha256: createHash('sha256').update(body).digest('hex') };
  return Buffer.concat([body, Buffer.from(`${JSON.stringify(trailer({ ...right, ...sums }))}\n`)]);
}

function read(bytes: Buffer, size = bytes.length): BackupSummary | BackupDamaged | StoreVersionMismatch {
  const reader = new BackupReader('f');
  try {
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    return reader.end();
  } catch (error) {
    assert.ok(error instanceof BackupDamaged || error instanceof StoreVersionMismatch, String(error));
    return error;
  }
}

/** The reason and the place of the damage. */
function damage(bytes: Buffer): readonly [string, number | undefined] {
  const error = read(bytes);
  assert.ok(error instanceof BackupDamaged, error instanceof Error ? error.message : 'it is whole');
  const place = error.offset === undefined ? '' : ` (at byte ${error.offset})`;
  assert.equal(error.message, `f is not a whole backup: ${error.reason}${place}`);
  assert.equal(error.file, 'f');
  return [error.reason, error.offset];
}

const bodyBytes = (bytes: Buffer): number => bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;

test('BK3 the sums of the trailer must be there, of their kind, and right', async () => {
  const noTrailer = 'it does not end with a trailer, so its end is missing or damaged';
  for (const [key, other] of [
    ['lines', '8'],
    ['bytes', '7'],
    ['crc32', '7'],
    ['sha256', 7],
  ] as const) {
    for (const value of [undefined, null, other]) {
      const bytes = await changed({ trailer: (right) => ({ ...right, [key]: value }) });
      assert.deepEqual(damage(bytes), [noTrailer, bodyBytes(bytes)], `${key} ${value}`);
    }
  }
  for (const other of [null, [], 7, 'x']) {
    const bytes = await changed({ trailer: () => other });
    assert.deepEqual(damage(bytes), [noTrailer, bodyBytes(bytes)]);
  }
  const more = await changed({ trailer: (right) => ({ ...right, bytes: Number(right.bytes) + 1 }) });
  assert.deepEqual(damage(more), [`its trailer is about ${bodyBytes(more) + 1} bytes, there are ${bodyBytes(more)} before it`, undefined]);
  for (const sums of [{ crc32: 7 }, { sha256: '0'.repeat(64) }])
    assert.deepEqual(damage(await changed({ trailer: (right) => ({ ...right, ...sums }) })), [
      'it does not match its checksums',
      undefined,
    ]);
});

test('BK3 everything else that the trailer says follows from the lines, in the very same bytes', async () => {
  const differing: Change[] = [
    ...(['lines', 'users', 'deleted', 'documents'] as const).map(
      (key): Change =>
        (right) => ({ ...right, [key]: Number(right[key]) + 1 }),
    ),
    ...(['content', 'revisions'] as const).map(
      (key): Change =>
        (right) => ({ ...right, [key]: `1-${'0'.repeat(16)}` }),
    ),
    ({ users, ...right }) => ({ ...right, users }),
    ({ users: _, ...right }) => right,
    (right) => ({ ...right, more: 1 }),
  ];
  for (const trailer of differing) {
    const bytes = await changed({ trailer });
    assert.deepEqual(damage(bytes), ['its trailer does not say what it holds', bodyBytes(bytes)]);
  }
  const summary = read(await changed({}));
  assert.ok(!(summary instanceof Error));
  assert.deepEqual([summary.users, summary.deleted, summary.documents, summary.lines, summary.createdAt], [3, 2, 1, 8, CREATED_AT]);
});

test('BK3 a header names the format, the versions, a position and a time', async () => {
  const noHeader = 'it does not begin with the header of a backup';
  for (const change of [{ format: 'other' }, { format: undefined }, { version: '1' }, { version: undefined }])
    assert.deepEqual(damage(await changed({ header: (right) => ({ ...right, ...change }) })), [noHeader, 0], JSON.stringify(change));
  for (const other of [null, [], 7]) assert.deepEqual(damage(await changed({ header: () => other })), [noHeader, 0]);
  for (const change of [
    { epoch: 7 },
    { epoch: undefined },
    { seq: '7' },
    { seq: 1.5 },
    { seq: 2 ** 53 },
    { seq: undefined },
    { created_at: 7 },
    { created_at: undefined },
  ]) {
    const bytes = await changed({ header: (right) => ({ ...right, ...change }) });
    assert.deepEqual(damage(bytes), ['its header names no position', 0], JSON.stringify(change));
  }
  const far = read(await changed({ header: (right) => ({ ...right, seq: 2 ** 53 - 1 }) }));
  assert.ok(!(far instanceof Error) && far.position.seq === 2 ** 53 - 1);
  assert.deepEqual(damage(Buffer.alloc(0)), [noHeader, 0]);
});

test('BK4 another version of the header, of the lines, or none of the lines, is told as such', async () => {
  for (const [change, found, known] of [
    [{ version: 2 }, '2', 1],
    [{ version: 2, epoch: 7 }, '2', 1],
    [{ snapshot_version: 3 }, '3', 2],
    [{ snapshot_version: undefined }, 'NaN', 2],
    [{ snapshot_version: 3, epoch: 7 }, '3', 2],
  ] as const) {
    const error = read(await changed({ header: (right) => ({ ...right, ...change }) }), 50);
    assert.ok(error instanceof StoreVersionMismatch, String(error));
    assert.equal(error.message, `f has format version ${found}, this rosterd knows ${known}: start the version that wrote it`);
  }
  // What the lines of another version are is not known, only whether they are all there.
  const foreign = await changed({ header: (right) => ({ ...right, version: 2 }), trailer: (right) => ({ ...right, users: 'many' }) });
  assert.ok(read(foreign) instanceof StoreVersionMismatch);
  foreign[bodyBytes(foreign) - 3] = 0x20;
  assert.deepEqual(damage(foreign), ['it does not match its checksums', undefined]);
});

test('BK3 the first line that is none of a directory is named by its place, in whatever pieces it comes', async () => {
  const [header = '', ...lines] = (await backupOf(someLines(30))).toString().split('\n');
  for (const at of [0, 1, 17, 32]) {
    for (const wrong of ['{"other":{}}', '{"user":', '[]', '{"user":{}}']) {
      const bytes = Buffer.from([header, ...lines.slice(0, at), wrong, '{"wrong":2}', ...lines.slice(at)].join('\n'));
      const offset = Buffer.byteLength([header, ...lines.slice(0, at)].join('\n')) + 1;
      for (const size of [100, 1_000, bytes.length]) {
        const error = read(bytes, size);
        assert.ok(error instanceof BackupDamaged);
        assert.deepEqual(
          [error.reason, error.offset],
          ['a line is not one of a directory', offset],
          `line ${at}, ${wrong}, pieces of ${size}`,
        );
      }
    }
  }
});

test('BK3 a directory with a line that no backup can hold has no backup', async () => {
  const chunks = encodeBackup(sourceOf([...someLines(), { other: 1 }]), CREATED_AT);
  await assert.rejects(
    async () => {
      for await (const _ of chunks);
    },
    { message: 'the directory has a line that no backup can hold' },
  );
});
