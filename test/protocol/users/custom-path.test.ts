import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../protocol/base/json.ts';
import { parseFilter } from '../../../protocol/users/finding/filter.ts';
import { compileFilter } from '../../../protocol/users/finding/filter-match.ts';
import { compareUsers, parseSort } from '../../../protocol/users/finding/query.ts';
import { applyPatch, parsePatch } from '../../../protocol/users/patch.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

function ann(custom: JsonObject, fields: Partial<StoredUser> = {}): StoredUser {
  return { id: 'ann', rev: 1, role: 'user', teams: [], custom, created_at: 1, updated_at: 2, ...fields };
}

/** The record afterwards, or the refusals without the place of the user. */
function patched(before: StoredUser, set?: JsonObject, unset?: readonly string[]): unknown {
  const patch = parsePatch(set, unset, 'at');
  const after = Array.isArray(patch) ? patch : applyPatch(before, patch, 'at');
  return Array.isArray(after) ? after.map(({ path, message }) => `${path}: ${message}`) : after;
}

const finds = (custom: JsonObject, filter: unknown): boolean => compileFilter(parseFilter(filter))(ann(custom), false);

/** A record as an upsert and a connect may bring it. */
const K1 = { 'first.name': 'Ann', 'home town': 'Delft', '': 'x' };

test('CP1 a key that is spelled like the path is changed and removed, not a nested one', () => {
  assert.deepEqual(patched(ann(K1), undefined, ['first.name', 'home town', '']), ann({}));
  assert.deepEqual(
    patched(ann(K1), { 'first.name': 'Bea', 'home town': 'Gouda', '': 'y' }),
    ann({ 'first.name': 'Bea', 'home town': 'Gouda', '': 'y' }),
  );
  for (const [name, value] of Object.entries(K1)) assert.ok(finds(K1, { [name]: value }), name);
});

test('CP1 at each level the longest key that is there counts', () => {
  const both = { 'a.b': { c: 1, 'd.e': 2 }, a: { b: { c: 3 }, x: 4 } };
  assert.deepEqual(patched(ann(both), { 'a.b.c': 9 }), ann({ ...both, 'a.b': { c: 9, 'd.e': 2 } }));
  assert.deepEqual(patched(ann(both), { 'a.b.d.e': 9 }), ann({ ...both, 'a.b': { c: 1, 'd.e': 9 } }));
  assert.deepEqual(patched(ann(both), { 'a.x': 9 }), ann({ ...both, a: { b: { c: 3 }, x: 9 } }));
  assert.deepEqual(patched(ann(both), undefined, ['a.b']), ann({ a: both.a }));
  assert.deepEqual(patched(ann({ a: both.a }), undefined, ['a.b']), ann({ a: { x: 4 } }));
  assert.ok(finds(both, { 'a.b.c': 1, 'a.b.d.e': 2, 'a.x': 4 }));
  assert.ok(!finds(both, { 'a.b.c': 3 }));
  assert.deepEqual(patched(ann({ 'a.b': 1 }), { 'a.b.c': 2 }), ['at.set.a.b.c: leads through a value that is not an object']);
});

test('CP2 each user is compared by its own key', () => {
  const users = [
    ann({ 'a.b': 2 }, { id: 'dotted' }),
    ann({ a: { b: 1 } }, { id: 'nested' }),
    ann({ 'a.b': 0, a: { b: 9 } }, { id: 'both' }),
    ann({}),
  ];
  const matches = compileFilter(parseFilter({ 'a.b': { $gte: 1 } }));
  assert.deepEqual(
    users.filter((one) => matches(one, false)).map(({ id }) => id),
    ['dotted', 'nested'],
  );
  const order = compareUsers(parseSort([{ field: 'a.b' }]) ?? []);
  assert.deepEqual(
    users.toSorted(order).map(({ id }) => id),
    ['both', 'nested', 'dotted', 'ann'],
  );
});

test('CP3 keys that are there may have any name, also on the way; no path makes one that is empty or has spaces', () => {
  const rooms = { 'living room': { '': { lamp: 1 } } };
  assert.deepEqual(
    patched(ann(rooms), { 'living room..lamp': 2, 'living room.sofa': 3 }),
    ann({ 'living room': { '': { lamp: 2 }, sofa: 3 } }),
  );
  assert.deepEqual(patched(ann(rooms), { 'living room.arm chair': 1, 'living room.a.': 1, kitchen: 1 }), [
    'at.set.living room.arm chair: a key must not contain spaces',
    'at.set.living room.a.: a path must not have empty segments',
  ]);
  assert.deepEqual(patched(ann({ text: 1 }), { 'text.a b': 1 }), ['at.set.text.a b: leads through a value that is not an object']);
});

test('CP4 `custom.` may be part of a key; a path that begins with the name of a field means a key only where it is there', () => {
  const custom = {
    'custom.city': 'Delft',
    city: 'Gouda',
    'name.first': 'Ann',
    'created_at.x': 1,
    'privacy_settings.read_receipts.enabled': 'no',
  };
  const changed = { 'custom.city': 'a', 'name.first': 'b', 'created_at.x': 2, 'privacy_settings.read_receipts.enabled': 'c' };
  const name = 'Ann';
  assert.deepEqual(patched(ann(custom, { name }), { ...changed, name: 'Bea' }), ann({ ...custom, ...changed }, { name: 'Bea' }));
  assert.deepEqual(patched(ann(custom), undefined, Object.keys(changed)), ann({ city: 'Gouda' }));
  assert.deepEqual(patched(ann({ city: 'Gouda' }), undefined, ['custom.city']), ann({}));
  assert.ok(finds(custom, { 'custom.city': 'Delft', 'custom.name.first': 'Ann', 'custom.created_at.x': 1 }));
  assert.ok(finds({ city: 'Gouda' }, { 'custom.city': 'Gouda' }));
  assert.deepEqual(patched(ann({}), { 'name.first': 1, 'created_at.x': 1 }, ['role.x']), [
    'at.set.name.first: name has no fields',
    'at.unset.role.x: role cannot be removed',
  ]);
  assert.deepEqual(patched(ann({ 'custom.a': 1 }), { 'custom.a': 1 }, ['a']), ['at.unset.a: overlaps with at.set.custom.a']);
});

test('CP1 only own properties are keys', () => {
  for (const path of ['toString', 'toString.name', 'a.toString', 'hasOwnProperty.length']) {
    assert.ok(!finds({ a: {} }, { [path]: { $exists: true } }), path);
    assert.deepEqual(patched(ann({ a: {} }), undefined, [path]), ann({ a: {} }), path);
  }
  assert.ok(finds({ 'a.toString': 1, b: { toString: 2 } }, { 'a.toString': 1, 'b.toString': 2 }));
});
