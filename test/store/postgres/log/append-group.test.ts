/** PL2: which appends share a call, and what it is given. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { encodePayload, RECORD_HEADER_BYTES } from '../../../../store/journal/record.ts';
import { AppendGroup, type PendingAppend, pendingBytes, takeGroup } from '../../../../store/postgres/log/append-group.ts';
import { byteaArray } from '../../../../store/postgres/log/wire.ts';
import { draft } from '../../../support/store/entries.ts';

const deadline = setTimeout(() => {}, 0);

function pending(id: string, first: number, { facts = 2, bytes = 10 } = {}): PendingAppend {
  const one = draft(id, { facts, time: 1_000 + first });
  return { entry: { ...one, first }, payload: encodePayload(one), bytes, resolve: () => {}, reject: () => {}, deadline };
}

const taken = (queue: PendingAppend[], bytesMax: number): string | undefined => {
  const group = takeGroup(queue, bytesMax);
  return group === undefined ? undefined : `${group.after}: ${group.records.map(({ entry }) => entry.id).join()}`;
};

test('PL2 a group has the appends that follow one another, up to its bytes, and at least one', () => {
  const queue = [pending('a', 5), pending('b', 7), pending('c', 9), pending('d', 11), pending('gap', 14), pending('e', 16)];
  assert.equal(taken(queue, 20), '4: a,b', 'exactly its bytes');
  assert.equal(taken(queue, 19), '8: c');
  assert.equal(taken(queue, 1), '10: d', 'one that is longer than a group is a group');
  assert.equal(taken(queue, 1_000), '13: gap,e', 'what names another head than the one before leaves is a group of its own');
  assert.deepEqual([taken(queue, 1_000), queue], [undefined, []]);
  const hole = [pending('a', 1), pending('b', 4)];
  assert.equal(taken(hole, 1_000), '0: a');
  assert.equal(hole.length, 1);
});

test('PL2 the bytes of one are those of its payload and its record', () => {
  assert.equal(pendingBytes('é'), 2 + RECORD_HEADER_BYTES);
});

test('PL2 a call gets the entries column by column, the bytes as a sum up to each end', () => {
  const records = [pending('a', 5, { bytes: 10 }), pending('b', 7, { facts: 1, bytes: 7 })];
  const group = new AppendGroup(4, records);
  const payloads = records.map(({ payload }) => payload);
  assert.deepEqual(group.arguments(9), [
    [6, 7],
    [5, 7],
    ['a', 'b'],
    [1_005, 1_007],
    9,
    payloads.map((payload) => crc32(payload)),
    [10, 17],
    byteaArray(payloads),
  ]);
  assert.deepEqual([group.newest.id, group.state, group.isAbandoned], ['b', 'waiting', false]);
});
