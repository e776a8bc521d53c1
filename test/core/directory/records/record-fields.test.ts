/** SN5: filters and sorts find in the bytes of records what they find in users as objects, and count the same work. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecordStore } from '../../../../daemon/core/directory/records/record-store.ts';
import { USER_FIELDS } from '../../../../protocol/users/finding/field-readers.ts';
import { parseFilter } from '../../../../protocol/users/finding/filter.ts';
import { WorkMeter } from '../../../../protocol/users/finding/filter-cost.ts';
import { compileFilterOf } from '../../../../protocol/users/finding/filter-match.ts';
import { compareUsersOf, parseSort } from '../../../../protocol/users/finding/query.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';

const WORDS = ['Ann', 'ann lee', 'Lee-Ann', 'Çağla', 'a"b', 'x\\', '\ud800', '\uffff', '\u{1f600}', '', 'x'.repeat(70), 'ANN9'];
const KEYS = ['a', 'b', 'a.b', 'custom.a', 'b.c', 'toString', '10', 'é"'];
const PATHS = ['a', 'b', 'a.b', 'a.b.c', 'custom.a', 'custom.a.b', 'b.c', 'toString', '10', 'é"', 'none'];

const word = fc.constantFrom(...WORDS);
const scalar = fc.oneof(word, fc.constantFrom(0, 7, -7, 1.5, 1e21, 12345678901234, true, false, null));
const leaf = fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }));
const inner = fc.dictionary(fc.constantFrom(...KEYS), leaf, { maxKeys: 3 });
const custom = fc.dictionary(fc.constantFrom(...KEYS), fc.oneof(leaf, inner, fc.dictionary(fc.constantFrom('b', 'c'), inner)), {
  maxKeys: 4,
});
const anyUser = fc.record(
  {
    ...{ name: word, role: fc.constantFrom('user', 'admin'), teams: fc.subarray(['red', 'blue']), custom, language: fc.constantFrom('en') },
    ...{ created_at: fc.nat(3), updated_at: fc.nat(3), last_active: fc.nat(3), deactivated_at: fc.nat(3), invisible: fc.boolean() },
    bans: fc.array(fc.record({ created_at: fc.nat(3), shadow: fc.boolean(), cid: word }, { requiredKeys: ['created_at'] }), {
      maxLength: 2,
    }),
  },
  { requiredKeys: ['role', 'teams', 'custom', 'created_at', 'updated_at'] },
);

const field = fc.constantFrom('name', 'image', 'language', ...PATHS);
const operators = fc.oneof(
  fc.record({ $eq: leaf }),
  fc.record({ $ne: scalar }),
  fc.record({ $in: fc.array(leaf, { minLength: 1, maxLength: 3 }) }),
  fc.oneof(word, fc.constantFrom(0, 7, 1.5)).chain((value) => fc.constantFrom('$gt', '$gte', '$lt', '$lte').map((op) => ({ [op]: value }))),
  fc.record({ $exists: fc.boolean() }),
  fc.record({ $contains: scalar }),
  fc
    .constantFrom('ann', 'lee', 'an', 'ann lee', '9', 'ç')
    .chain((text) => fc.constantFrom('$autocomplete', '$q').map((op) => ({ [op]: text }))),
);
const condition = fc.oneof(
  fc.tuple(field, operators).map(([name, test]) => ({ [name]: test })),
  fc.constantFrom<object>(
    ...[
      { role: 'admin' },
      { role: 'none' },
      { role: { $gt: 'b' } },
      { teams: { $in: ['red'] } },
      { teams: { $eq: null } },
      { teams: ['red'] },
    ],
    ...[{ banned: true }, { shadow_banned: true }, { invisible: true }, { online: true }, { last_active: { $exists: true } }],
    ...[{ id: { $gt: 'u2' } }, { created_at: { $lt: '1970-01-02T00:00:00Z' } }, { deactivated_at: { $exists: true } }],
  ),
);

test('SN5 each filter finds in bytes what it finds in objects, with the same work', () => {
  fc.assert(
    fc.property(
      fc.array(anyUser, { minLength: 1, maxLength: 8 }),
      fc.array(condition, { minLength: 1, maxLength: 6 }),
      (found, conditions) => {
        const users = found.map((user, at) => JSON.parse(JSON.stringify({ id: `u${at}`, rev: 1, ...user })) as StoredUser);
        const store = new RecordStore();
        for (const user of users) store.set(user);
        for (const json of conditions) {
          const filter = tried(json);
          if (filter === undefined) continue;
          const [inObjects, inBytes] = [new WorkMeter(), new WorkMeter()];
          const matches = compileFilterOf(USER_FIELDS, filter, inObjects);
          const isFound = compileFilterOf(store.fields, filter, inBytes);
          let at = 0;
          for (const view of store.views()) {
            const user = users[at++] as StoredUser;
            const wanted = matches(user, true);
            assert.equal(isFound(view, true), wanted, JSON.stringify([json, user]));
            assert.equal(inBytes.take().units, inObjects.take().units, JSON.stringify([json, user]));
            assert.equal(isFound(view.copy(), true), wanted, JSON.stringify([json, user]));
            inBytes.take();
          }
        }
      },
    ),
    { numRuns: 3_000 },
  );
});

test('SN5 each sort orders bytes as it orders objects', () => {
  const order = fc.record({
    field: fc.constantFrom('name', 'role', 'teams', 'id', 'created_at', 'last_active', 'banned', ...PATHS),
    direction: fc.constantFrom(1, -1),
  });
  fc.assert(
    fc.property(fc.array(anyUser, { minLength: 2, maxLength: 9 }), fc.array(order, { minLength: 1, maxLength: 2 }), (found, orders) => {
      const users = found.map((user, at) => JSON.parse(JSON.stringify({ id: `u${at}`, rev: 1, ...user })) as StoredUser);
      const store = new RecordStore();
      for (const user of users) store.set(user);
      const sort = parseSort(orders) ?? [];
      const views = Array.from(store.views(), (view) => view.copy()).sort(compareUsersOf(store.fields, sort, new WorkMeter()));
      const wanted = users.sort(compareUsersOf(USER_FIELDS, sort, new WorkMeter()));
      assert.deepEqual(
        views.map(({ id }) => id),
        wanted.map(({ id }) => id),
      );
    }),
    { numRuns: 2_000 },
  );
});

/** Not every field has every operator. */
function tried(json: object): ReturnType<typeof parseFilter> | undefined {
  try {
    return parseFilter(json);
  } catch {
    return undefined;
  }
}
