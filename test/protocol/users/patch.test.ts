/** The language of partial updates: PT1–PT12. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FieldError } from '../../../protocol/base/errors.ts';
import type { JsonObject } from '../../../protocol/base/json.ts';
import { applyPatch, parsePatch } from '../../../protocol/users/patch.ts';
import { renderV1, renderV2, renderV2Full } from '../../../protocol/users/render.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

const AT = 'users[ann]';

function ann(fields: Partial<StoredUser> = {}): StoredUser {
  return { id: 'ann', rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 2, ...fields };
}

function patched(user: StoredUser, set?: unknown, unset?: unknown): StoredUser {
  const patch = parsePatch(set, unset, AT);
  assert.ok(!Array.isArray(patch), JSON.stringify(patch));
  const after = applyPatch(user, patch, AT);
  assert.ok(!Array.isArray(after), JSON.stringify(after));
  return after;
}

function customOf(custom: JsonObject, set?: unknown, unset?: unknown): JsonObject {
  return patched(ann({ custom }), set, unset).custom;
}

function refusals(set?: unknown, unset?: unknown): readonly FieldError[] {
  const patch = parsePatch(set, unset, AT);
  const refused = Array.isArray(patch) ? patch : applyPatch(ann(), patch, AT);
  assert.ok(Array.isArray(refused), `${JSON.stringify(set)} ${JSON.stringify(unset)} was accepted`);
  return refused;
}

const pathsOf = (errors: readonly FieldError[]): string[] => errors.map(({ path }) => path);

test('PT1 known names set fields, all others set custom data', () => {
  const after = patched(ann(), { name: 'Ann', role: 'admin', teams: ['red'], invisible: true, color: 'blue', 'new-field': 1 });
  assert.deepEqual(after, ann({ name: 'Ann', role: 'admin', teams: ['red'], invisible: true, custom: { color: 'blue', 'new-field': 1 } }));
});

test('PT2 `custom.a` and `a` are one place, and `custom` alone is all of it', () => {
  assert.deepEqual(customOf({ b: 1 }, { 'custom.a.x': 1 }), { b: 1, a: { x: 1 } });
  assert.deepEqual(customOf({ b: 1 }, { 'a.x': 1 }), { b: 1, a: { x: 1 } });
  assert.deepEqual(customOf({ b: 1 }, { custom: { c: 2 } }), { c: 2 });
  assert.deepEqual(customOf({ b: 1 }, undefined, ['custom']), {});
  assert.deepEqual(patched(ann(), { 'custom.name': 1 }), ann({ custom: { name: 1 } }));
});

test('PT3 an empty list is how PHP writes an empty object', () => {
  assert.deepEqual(patched(ann({ name: 'Ann' }), [], []), ann({ name: 'Ann' }));
  assert.deepEqual(patched(ann({ name: 'Ann' }), undefined, {}), ann({ name: 'Ann' }));
  assert.deepEqual(customOf({ a: 1 }, { custom: [] }), {});
});

test('PT4 unset removes what is there and nothing else', () => {
  assert.deepEqual(customOf({ test: { passed: true } }, undefined, ['test.passed']), { test: {} });
  assert.deepEqual(customOf({ a: 1 }, undefined, ['b', 'b2.c.d', 'a.x']), { a: 1 });
  const full = ann({ name: 'Ann', image: 'i', language: 'en', teams: ['red'], teams_role: { red: 'admin' }, invisible: true });
  assert.deepEqual(patched(full, undefined, ['name', 'image', 'language', 'teams', 'teams_role', 'invisible']), ann());
  assert.deepEqual(pathsOf(refusals(undefined, ['id', 'role', 'created_at'])), [
    `${AT}.unset.id`,
    `${AT}.unset.role`,
    `${AT}.unset.created_at`,
  ]);
});

test('PT5 null and an empty text remove a field; null is a value in custom data', () => {
  const full = ann({ name: 'Ann', image: 'i', language: 'en', teams: ['red'], revoke_tokens_issued_before: 5 });
  assert.deepEqual(patched(full, { name: null, image: '', language: null, teams: null, revoke_tokens_issued_before: null }), ann());
  assert.deepEqual(customOf({ a: 1 }, { a: null }), { a: null });
});

test('PT6 read-only fields that are sent back are ignored', () => {
  const sent = { id: 'other', created_at: 'x', updated_at: 1, online: true, banned: true, devices: [], rev: 9, deleted_at: null };
  assert.deepEqual(patched(ann(), sent), ann());
});

test('PT7 privacy settings merge, other objects are stored whole', () => {
  const before = ann({ privacy_settings: { typing_indicators: { enabled: false } }, custom: { field: { a: 1 } } });
  const after = patched(before, { 'privacy_settings.read_receipts.enabled': false, field: { b: 2 } });
  assert.deepEqual(after.privacy_settings, { typing_indicators: { enabled: false }, read_receipts: { enabled: false } });
  assert.deepEqual(after.custom, { field: { b: 2 } });
  assert.deepEqual(patched(before, { privacy_settings: { read_receipts: { enabled: true } } }).privacy_settings, {
    typing_indicators: { enabled: false },
    read_receipts: { enabled: true },
  });
  assert.equal(patched(before, undefined, ['privacy_settings']).privacy_settings, undefined);
});

test('PT7 only privacy settings that exist are stored', () => {
  const patch = parsePatch({ privacy_settings: { junk: 'x'.repeat(50_000) } }, undefined, AT);
  const after = Array.isArray(patch) ? ann() : applyPatch(ann(), patch, AT);
  assert.ok(JSON.stringify(after).length < 1_000);
});

test('PT8 a path makes the objects it lacks and never replaces a value that is not an object', () => {
  assert.deepEqual(customOf({}, { 'a.b.c': 1 }), { a: { b: { c: 1 } } });
  for (const value of ['text', 1, true, [1]]) {
    const user = ann({ custom: { a: { b: value } } });
    const patch = parsePatch({ 'a.b.0': 1 }, undefined, AT);
    assert.ok(!Array.isArray(patch));
    const after = applyPatch(user, patch, AT);
    assert.ok(Array.isArray(after), JSON.stringify(value));
    assert.deepEqual(pathsOf(after), [`${AT}.set.a.b.0`]);
  }
});

test('PT9 overlapping paths are refused, naming both', () => {
  const cases: readonly [unknown, unknown, string][] = [
    [{ 'a.b': 1, a: 1 }, undefined, 'a.b'],
    [{ 'a.b': 1 }, ['a'], 'a.b'],
    [{ a: 1, 'b.c': 1 }, ['a.b', 'a.b.c'], 'a.b'],
    [{ privacy_settings: {} }, ['privacy_settings.typing_indicators'], 'privacy_settings'],
    [undefined, ['a.b.c', 'a.b'], 'a.b.c'],
    [{ 'custom.a': 1 }, ['a'], 'custom.a'],
    [{ custom: {} }, ['a'], 'custom'],
    [{ name: 'Ann' }, ['name'], 'name'],
  ];
  for (const [set, unset, other] of cases) {
    const [error] = refusals(set, unset);
    assert.ok(error?.message.includes(`.${other}`), `${JSON.stringify([set, unset])}: ${error?.path} ${error?.message}`);
  }
  assert.deepEqual(customOf({}, { 'a.b': 1, 'a.bc': 2, ab: 3 }, ['a.c']), { a: { b: 1, bc: 2 }, ab: 3 });
});

test('PT20 a part of what is set may be unset with it, and is not stored; what was sent stays as it was', () => {
  const sent = { a: { b: 1, c: { d: 2, e: 3 } }, 'f.g': { h: 4 } };
  const before = structuredClone(sent);
  assert.deepEqual(customOf({ a: { b: 9, z: 9 }, f: { z: 9 } }, sent, ['a.b', 'a.c.d', 'a.nothing', 'f.g.h']), {
    a: { c: { e: 3 } },
    f: { z: 9, g: {} },
  });
  assert.deepEqual(sent, before);
  assert.deepEqual(customOf({}, { a: 1 }, ['a.b']), { a: 1 });
});

test('PT21 custom data that is set together with unset of custom replaces all of it; everything else may still not overlap', () => {
  const stored = { a: 1, b: { c: 2 }, role: 'x' };
  assert.deepEqual(customOf(stored, { colour: 'red', 'b.d': 3 }, ['custom']), { colour: 'red', b: { d: 3 } });
  assert.deepEqual(customOf(stored, { 'custom.colour': 'red', 'custom.name': 'n' }, ['custom']), { colour: 'red', name: 'n' });
  assert.deepEqual(customOf(stored, { custom: { colour: 'red' } }, ['custom']), { colour: 'red' });
  assert.deepEqual(customOf(stored, { name: 'Ann' }, ['custom']), {});
  for (const [set, unset, path] of [
    [{ a: 1 }, ['custom', 'custom'], 'unset.custom'],
    [{ a: 1 }, ['custom', 'b'], 'unset.b'],
    [{ a: 1 }, ['b', 'custom'], 'unset.custom'],
    [{ a: { b: 1 } }, ['custom', 'a.b'], 'unset.a.b'],
    [{ a: 1, custom: {} }, ['custom'], 'set.custom'],
    [{ custom: {} }, ['a'], 'unset.a'],
  ] as const) {
    assert.deepEqual(
      refusals(set, unset).map((error) => error.path),
      [`${AT}.${path}`],
      JSON.stringify([set, unset]),
    );
  }
});

test('PT10 reserved names are refused, no path makes a key that is empty or has spaces, and only own properties are walked', () => {
  for (const path of ['__proto__.x', 'constructor.prototype.x', 'a.__proto__', 'custom.prototype']) {
    assert.equal(refusals({ [path]: 1 }).length, 1, path);
    assert.equal(refusals(undefined, [path]).length, 1, path);
  }
  for (const path of ['a..b', '.a', 'a.', '', 'a b', 'a. b', 'custom.', 'custom.a b']) {
    assert.equal(refusals({ [path]: 1 }).length, 1, path);
    assert.deepEqual(customOf({ a: { c: 1 } }, undefined, [path]), { a: { c: 1 } }, path);
  }
  assert.equal(refusals(JSON.parse('{"a":{"b":[{"__proto__":1}]}}')).length, 1);
  assert.deepEqual(customOf({}, { 'toString.call': 1 }), { toString: { call: 1 } });
  assert.deepEqual(customOf({ a: 1 }, undefined, ['toString.call', 'hasOwnProperty']), { a: 1 });
});

test('PT11 every wrong type is listed with its path', () => {
  const set = {
    name: 1,
    role: null,
    teams: 'red',
    teams_role: { red: 1 },
    invisible: 'no',
    custom: 1,
    revoke_tokens_issued_before: 'soon',
  };
  assert.deepEqual(
    pathsOf(refusals({ ...set, privacy_settings: { read_receipts: true }, 'a.prototype': 1 }, ['role'])),
    [...Object.keys(set), 'privacy_settings'].map((key) => `${AT}.set.${key}`).concat(`${AT}.set.a.prototype`, `${AT}.unset.role`),
  );
  assert.deepEqual(pathsOf(refusals('x', 'y')), [`${AT}.set`, `${AT}.unset`]);
});

test('PT11 a time that no dialect can write is refused', () => {
  refusals({ revoke_tokens_issued_before: 1e300 });
  refusals({ revoke_tokens_issued_before: '1960-01-01T00:00:00Z' });
});

test('PT12 a patch changes nothing in place and shares what it did not touch', () => {
  const before = ann({ custom: { kept: { deep: [1] }, changed: { x: 1 } } });
  const copy = structuredClone(before);
  const after = patched(before, { 'changed.x': 2 }, ['gone']);
  assert.deepEqual(before, copy);
  assert.equal(after.custom.kept, before.custom.kept);
  assert.deepEqual(after.custom.changed, { x: 2 });
});

test('PT3 an empty list is an empty object in every field that holds one', () => {
  const before = ann({ teams_role: { red: 'admin' }, privacy_settings: { read_receipts: { enabled: false } } });
  assert.deepEqual(patched(before, { teams_role: [] }), patched(before, { teams_role: {} }));
  assert.deepEqual(patched(before, { privacy_settings: [] }), before);
  assert.deepEqual(patched(before, { privacy_settings: {} }), before);
  assert.deepEqual(customOf({}, { list: [] }), { list: [] }, 'a custom list stays a list');
});

test('PT5 what null means for each field', () => {
  const full = ann({ teams_role: { red: 'x' }, privacy_settings: { read_receipts: { enabled: false } }, custom: { a: { b: 1 } } });
  assert.deepEqual(patched(full, { teams_role: null, privacy_settings: null, a: null }), ann({ custom: { a: null } }));
  assert.deepEqual(pathsOf(refusals({ role: null, invisible: null, custom: null })), [
    `${AT}.set.role`,
    `${AT}.set.invisible`,
    `${AT}.set.custom`,
  ]);
  assert.deepEqual(patched(ann(), undefined, null), ann());
  assert.deepEqual(patched(ann(), null, undefined), ann());
});

test('PT6 a user sent back as any dialect shows it changes nothing', () => {
  const full = ann({
    name: 'Ann',
    image: 'i',
    role: 'admin',
    teams: ['red'],
    teams_role: { red: 'x' },
    language: 'en',
    invisible: true,
    privacy_settings: { read_receipts: { enabled: false } },
    custom: { color: 'blue', nested: { a: [1] } },
    last_active: 3,
    deactivated_at: 4,
    revoke_tokens_issued_before: 5,
  });
  const aside = { online: true, reader: 'self' } as const;
  for (const shown of [renderV1(full, aside), renderV2(full, aside), renderV2Full(full, aside)]) {
    assert.deepEqual(patched(full, JSON.parse(JSON.stringify(shown))), full);
  }
});

test('PT7 a privacy setting that does not exist is refused where a path names it, and dropped from a whole object', () => {
  const text = 'must be {typing_indicators, read_receipts, delivery_receipts: {enabled: boolean}}';
  for (const [path, value] of [
    ['privacy_settings.junk', { enabled: true }],
    ['privacy_settings.junk.enabled', true],
    ['privacy_settings.read_receipts', null],
    ['privacy_settings.read_receipts.enabled', 'yes'],
    ['privacy_settings.read_receipts.enabled.x', true],
    ['privacy_settings', 'x'],
  ] as const) {
    assert.deepEqual(refusals({ [path]: value }), [{ path: `${AT}.set.${path}`, message: text }]);
  }
  const set = { privacy_settings: { junk: 1, delivery_receipts: { enabled: true, junk: 1 } } };
  assert.deepEqual(patched(ann(), set).privacy_settings, { delivery_receipts: { enabled: true } });
  assert.deepEqual(patched(ann(), JSON.parse('{"privacy_settings":{"__proto__":{"x":1}}}')).privacy_settings, {});
  assert.deepEqual(refusals(undefined, ['privacy_settings.read_receipts']), [
    { path: `${AT}.unset.privacy_settings.read_receipts`, message: 'is removed as a whole' },
  ]);
});

test('PT11 every refusal names its place and its reason', () => {
  const cases: readonly [unknown, unknown, string, string][] = [
    ['x', undefined, 'set', 'must be an object'],
    [[1], undefined, 'set', 'must be an object'],
    [undefined, 'a', 'unset', 'must be a list of strings'],
    [undefined, [1], 'unset', 'must be a list of strings'],
    [undefined, { a: 1 }, 'unset', 'must be a list of strings'],
    [{ '': 1 }, undefined, 'set.', 'a path must not have empty segments'],
    [{ 'a b': 1 }, undefined, 'set.a b', 'a key must not contain spaces'],
    [{ 'a.prototype': 1 }, undefined, 'set.a.prototype', '"prototype" is a reserved name'],
    [undefined, ['custom.__proto__'], 'unset.custom.__proto__', '"__proto__" is a reserved name'],
    [{ a: { constructor: 1 } }, undefined, 'set.a', 'must be a JSON value without reserved names'],
    [{ custom: [1] }, undefined, 'set.custom', 'must be an object'],
    [{ name: 1 }, undefined, 'set.name', 'must be a string'],
    [{ 'name.first': 'A' }, undefined, 'set.name.first', 'name has no fields'],
    [{ role: '' }, undefined, 'set.role', 'must be a string that is not empty'],
    [{ teams: ['a', 1] }, undefined, 'set.teams', 'must be a list of strings'],
    [{ 'teams_role.red': 'x' }, undefined, 'set.teams_role.red', 'is set as a whole'],
    [{ teams_role: { red: 1 } }, undefined, 'set.teams_role', 'must be an object of strings'],
    [{ invisible: 1 }, undefined, 'set.invisible', 'must be a boolean'],
    [
      { revoke_tokens_issued_before: -1 },
      undefined,
      'set.revoke_tokens_issued_before',
      'must be an RFC 3339 time from 1970 to 2255, or null',
    ],
    [undefined, ['role'], 'unset.role', 'role cannot be removed'],
    [undefined, ['id.x'], 'unset.id.x', 'id cannot be removed'],
    [undefined, ['updated_at'], 'unset.updated_at', 'updated_at cannot be removed'],
    [undefined, ['teams_role.red'], 'unset.teams_role.red', 'teams_role has no fields'],
    [{ 'custom.a': 1 }, ['a'], 'unset.a', `overlaps with ${AT}.set.custom.a`],
    [undefined, ['a', 'a'], 'unset.a', `overlaps with ${AT}.unset.a`],
    [{ a: 1, custom: {} }, undefined, 'set.custom', `overlaps with ${AT}.set.a`],
    [{ privacy_settings: {} }, ['privacy_settings'], 'unset.privacy_settings', `overlaps with ${AT}.set.privacy_settings`],
  ];
  for (const [set, unset, path, message] of cases) {
    assert.deepEqual(refusals(set, unset), [{ path: `${AT}.${path}`, message }], JSON.stringify([set, unset]));
  }
});

test('PT11 a patch that does not fit the record says so with the path that was sent', () => {
  const patch = parsePatch({ 'custom.a.b': 1, 'custom.name.first': 2, c: 3 }, undefined, AT);
  assert.ok(!Array.isArray(patch));
  const message = 'leads through a value that is not an object';
  assert.deepEqual(applyPatch(ann({ custom: { a: 'text', name: null } }), patch, AT), [
    { path: `${AT}.set.custom.a.b`, message },
    { path: `${AT}.set.custom.name.first`, message },
  ]);
});

test('PT11 revocation times are kept to the microsecond, up to the last that a double holds', () => {
  const stampOf = (value: unknown) => patched(ann(), { revoke_tokens_issued_before: value }).revoke_tokens_issued_before;
  assert.equal(stampOf('1970-01-01T00:00:00Z'), 0);
  assert.equal(stampOf('2026-05-17T14:35:23.313097Z'), 1_779_028_523_313_097);
  assert.equal(stampOf('2026-05-17T16:35:23.313097+02:00'), 1_779_028_523_313_097);
  assert.equal(stampOf(1_779_028_523_313_097_000), 1_779_028_523_313_097);
  assert.equal(stampOf('2255-01-01T00:00:00Z'), 8_993_721_600_000_000);
  assert.equal(stampOf('2255-06-05T23:47:34.740991Z'), Number.MAX_SAFE_INTEGER);
  for (const late of ['2255-06-05T23:47:34.740992Z', '2256-01-01T00:00:00Z']) refusals({ revoke_tokens_issued_before: late });
});

test('PT7 each privacy setting is set by its path, alone, and the whole is removed at once', () => {
  for (const name of ['typing_indicators', 'read_receipts', 'delivery_receipts']) {
    for (const set of [
      { [`privacy_settings.${name}.enabled`]: false },
      { [`privacy_settings.${name}`]: { enabled: false } },
      { privacy_settings: { [name]: { enabled: false, more: 1 } } },
    ]) {
      assert.deepEqual(patched(ann(), set).privacy_settings, { [name]: { enabled: false } });
    }
  }
});

test('PT10 reserved names are refused in the roles of teams, too', () => {
  const [refused] = refusals({ teams_role: JSON.parse('{"red":"user","__proto__":"admin"}') });
  assert.equal(refused?.message, 'must be an object of strings');
});
