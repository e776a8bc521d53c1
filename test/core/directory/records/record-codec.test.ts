/** SN5: a record written as bytes and read again is what JSON makes of it. A failure prints its seed and its smallest example. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { listAt } from '../../../../daemon/core/directory/records/record-bytes.ts';
import { idKey, RecordCodec } from '../../../../daemon/core/directory/records/record-codec.ts';
import { Slab } from '../../../../daemon/core/directory/records/slabs.ts';
import { UserView } from '../../../../daemon/core/directory/records/user-view.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';

const json = fc.jsonValue({ maxDepth: 3 });
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));
const anyUser = fc
  .record(
    {
      ...{ id: text, rev: fc.nat(), name: text, role: text, teams: fc.array(text, { maxLength: 3 }), created_at: fc.integer() },
      ...{ updated_at: fc.maxSafeInteger(), last_active: fc.nat(), custom: fc.dictionary(text, json), bans: json, sent: text },
    },
    { requiredKeys: ['id', 'rev', 'role', 'teams', 'created_at', 'updated_at', 'custom'] },
  )
  // Fields in any order.
  .chain((user) => fc.shuffledSubarray(Object.entries(user), { minLength: Object.keys(user).length }))
  .map((entries) => JSON.parse(JSON.stringify(Object.fromEntries(entries))) as StoredUser);

test('SN5 any record, and each field of it, is what JSON makes of it', () => {
  const codec = new RecordCodec();
  const slab = new Slab(0, 1 << 20);
  const holds = (user: StoredUser, at: number): void => {
    const key = idKey(user.id);
    const packed = codec.pack(user, key);
    slab.bytes.fill(0xff, at, at + packed.size);
    codec.write(packed, slab, at, 5);
    assert.deepEqual([codec.sizeOf(slab, at), codec.row(slab, at), codec.hasKey(slab, at, key)], [packed.size, 5, true]);
    assert.equal(codec.hasKey(slab, at, `${key}x`), false);
    const end = listAt(slab.view, at) + packed.listBytes;
    assert.ok(
      slab.bytes.subarray(end, at + packed.size).every((byte) => byte === 0),
      'what the memory held before is in no record',
    );
    const read = codec.read(slab, at);
    assert.deepEqual(read, user);
    assert.equal(JSON.stringify(read), JSON.stringify(user), 'the order of keys, too');
    const view = new UserView(codec, slab).movedTo(slab, at);
    for (const field of [...Object.keys(user), 'language'] as (keyof StoredUser)[]) assert.deepEqual(view[field], user[field], field);
  };
  fc.assert(
    fc.property(anyUser, fc.nat({ max: 500 }), (user, place) => holds(user, place * 8)),
    { numRuns: 3_000 },
  );
});

test('SN5 ids that differ have keys that differ', () => {
  fc.assert(
    fc.property(text, text, (one, other) => {
      assert.equal(idKey(one) === idKey(other), one === other);
    }),
  );
});
