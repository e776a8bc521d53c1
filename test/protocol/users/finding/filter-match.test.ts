/** FL3, FL6, FL17: what a compiled filter says of single users. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFilter } from '../../../../protocol/users/finding/filter.ts';
import { compileFilter, dependsOnPresence } from '../../../../protocol/users/finding/filter-match.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';

const user = (more: Partial<StoredUser> = {}): StoredUser => ({
  ...{ id: 'ann', rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 },
  ...more,
});
const matches = (filter: unknown, more: Partial<StoredUser> = {}, online = false): boolean =>
  compileFilter(parseFilter(filter))(user(more), online);

test('FL17 banned is a ban of the application that all see, shadow_banned one that servers see; those of channels are neither', () => {
  const ban = { created_at: 1 };
  for (const [bans, banned, shadow] of [
    [undefined, false, false],
    [[ban], true, false],
    [[{ ...ban, shadow: true as const }], false, true],
    [[{ ...ban, cid: 'm:a' }], false, false],
    [[{ ...ban, cid: 'm:a', shadow: true as const }], false, false],
    [[{ ...ban, future: true as const, by: 'mod' }], false, false],
    [[{ ...ban, cid: 'm:a', shadow: true as const }, ban], true, false],
  ] as const) {
    const more: Partial<StoredUser> = bans === undefined ? {} : { bans: [...bans] };
    const found = ['banned', 'shadow_banned'].map((field) => [matches({ [field]: true }, more), matches({ [field]: false }, more)]);
    assert.deepEqual(
      found,
      [
        [banned, !banned],
        [shadow, !shadow],
      ],
      JSON.stringify(bans),
    );
  }
});

test('FL17 online is what the caller says, and invisible is false where it was never set', () => {
  assert.deepEqual([matches({ online: true }, {}, true), matches({ online: true }), matches({ online: false })], [true, false, true]);
  assert.deepEqual(
    [matches({ invisible: false }), matches({ invisible: true }), matches({ invisible: true }, { invisible: true })],
    [true, false, true],
  );
});

test('FL6 teams: each form of a value, for users of no, one and several teams', () => {
  const lists = [[], ['red'], ['red', 'blue']];
  const asked = (test: unknown) => lists.map((teams) => matches({ teams: test }, { teams }));
  assert.deepEqual(asked(null), [true, false, false]);
  assert.deepEqual(asked('blue'), [false, false, true]);
  assert.deepEqual(asked({ $eq: ['red'] }), [false, true, false]);
  assert.deepEqual(asked({ $eq: ['blue', 'red'] }), [false, false, true]);
  assert.deepEqual(asked({ $in: ['blue', null] }), [true, false, true]);
  assert.deepEqual(asked({ $in: [['red'], 'green'] }), [false, true, false]);
  assert.deepEqual(asked({ $in: [['red'], null] }), [true, true, false]);
  assert.deepEqual(asked({ $in: [] }), [false, false, false]);
  assert.deepEqual(asked({ $contains: 'red' }), [false, true, true]);
  assert.deepEqual(
    [asked({ $exists: true }), asked({ $exists: false })],
    [
      [false, true, true],
      [true, false, false],
    ],
  );
  assert.deepEqual(asked({ $nin: ['red'] }), [true, false, false]);
});

test('FL3 custom data: plain values and objects in a list of values, absent ones and null', () => {
  const values = [undefined, null, 1, '1', { a: 1 }, [1, { a: 1 }]] as const;
  const asked = (test: unknown) => values.map((k) => matches({ k: test }, { custom: k === undefined ? {} : { k: k as never } }));
  assert.deepEqual(asked(null), [true, true, false, false, false, false]);
  assert.deepEqual(asked(1), [false, false, true, false, false, false]);
  assert.deepEqual(asked({ a: 1 }), [false, false, false, false, true, false]);
  assert.deepEqual(asked({ $in: [null, { a: 1 }, '1'] }), [true, true, false, true, true, false]);
  assert.deepEqual(asked({ $in: [{ a: 2 }] }), [false, false, false, false, false, false]);
  assert.deepEqual(asked({ $contains: { a: 1 } }), [false, false, false, false, false, true]);
  assert.deepEqual(asked({ $exists: true }), [false, true, true, true, true, true]);
  for (const [op, of1, of2] of [
    ['$gt', false, false],
    ['$gte', true, false],
    ['$lt', false, true],
    ['$lte', true, true],
  ] as const) {
    assert.deepEqual(asked({ [op]: 1 }), [false, false, of1, false, false, false], op);
    assert.deepEqual(asked({ [op]: 2 }), [false, false, of2, false, false, false], op);
    assert.deepEqual(asked({ [op]: '1' }), [false, false, false, of1, false, false], op);
  }
});

test('PR7 a filter depends on presence wherever it names online, and nowhere else', () => {
  const online = { online: true };
  for (const filter of [online, { online: { $in: [false] } }, { $and: [{ id: 'a' }, online] }, { $or: [{ id: 'a' }, { $nor: [online] }] }])
    assert.equal(dependsOnPresence(parseFilter(filter)), true, JSON.stringify(filter));
  for (const filter of [
    {},
    { banned: true },
    { name: 'online' },
    { 'custom.online': true },
    { $and: [{ id: 'online' }, { invisible: false }] },
  ])
    assert.equal(dependsOnPresence(parseFilter(filter)), false, JSON.stringify(filter));
});
