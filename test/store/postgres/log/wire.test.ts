/** LG9, PL11: entries on their way to PostgreSQL and back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { ENTRY_VERSION } from '../../../../protocol/log/entry.ts';
import { encodePayload, StoreVersionMismatch } from '../../../../store/journal/record.ts';
import { LogDamaged } from '../../../../store/log.ts';
import { ENTRY_FORMATS } from '../../../../store/postgres/log/formats.ts';
import { byteaArray, entriesOfRows, entryOfRow } from '../../../../store/postgres/log/wire.ts';
import { draft } from '../../../support/store/entries.ts';

const one = draft('one', { facts: 3 });
const payload = encodePayload(one);
const row = { last: 7, first: 5, version: ENTRY_VERSION, crc: crc32(payload), payload };

test('LG1 texts are an array of bytea, in the binary form that PostgreSQL documents', () => {
  const bytes = byteaArray(['é', '', 'abc']);
  const int = (value: number): string => value.toString(16).padStart(8, '0');
  const head = [1, 0, 17, 3, 1].map(int).join('');
  assert.equal(bytes.toString('hex'), `${head}${int(2)}c3a9${int(0)}${int(3)}616263`);
  assert.equal(byteaArray([]).toString('hex'), [1, 0, 17, 0, 1].map(int).join(''));
});

test('LG9 the entry of a row is the one that was stored; each part that does not match is damage at its place', () => {
  assert.deepEqual(entryOfRow('app', row, ENTRY_FORMATS), { entry: { ...one, first: 5 }, bytes: payload.length });
  const other = '{"id":"one"}';
  const damaged = [
    [{ ...row, crc: row.crc + 1 }, /checksum/],
    [{ ...row, payload: other }, /checksum/],
    [{ ...row, payload: null }, /checksum/],
    [{ ...row, payload: other, crc: crc32(other) }, /does not match its row/],
    [{ ...row, first: 4 }, /does not match its row/],
    [{ ...row, first: 6 }, /does not match its row/],
  ] as const;
  for (const [changed, reason] of damaged)
    assert.throws(
      () => entryOfRow('app', changed, ENTRY_FORMATS),
      (error) =>
        error instanceof LogDamaged && error.offset === 7 && error.file === 'the table rosterd.entry of app' && reason.test(error.reason),
      JSON.stringify(changed),
    );
});

test('PL11 a row of a format that this version does not read is no damage, on either side of what it reads', () => {
  const formats = { oldest: 3, newest: 4 };
  const read = (version: number) => entryOfRow('app', { ...row, version }, formats).entry.first;
  for (const version of [3, 4]) assert.equal(read(version), 5);
  for (const version of [2, 5])
    assert.throws(
      () => read(version),
      (error) =>
        error instanceof StoreVersionMismatch &&
        error.message.startsWith(`entry 7 in the table rosterd.entry of app has format version ${version}, this rosterd knows 4`),
    );
});

test('LG4 an answer without entries has one row that is empty on their side', () => {
  const empty = { last: null, first: null, version: null, crc: null, payload: null };
  assert.deepEqual(entriesOfRows('app', [empty], ENTRY_FORMATS), []);
  assert.deepEqual(
    entriesOfRows('app', [row], ENTRY_FORMATS).map(({ entry }) => entry.first),
    [5],
  );
});
