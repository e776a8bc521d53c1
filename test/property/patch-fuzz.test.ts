/**
 * PT17 under hostile paths (a million with `npm run test:long`), PT18 and PT19. `npm run test:unit -- --paths 10000000 --seed 7`
 * runs more of them, or the same again. Plain loops over a seeded generator: a library that shrinks would take minutes for a million.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../protocol/base/json.ts';
import { applyPatch, parsePatch } from '../../protocol/users/patch.ts';
import type { StoredUser } from '../../protocol/users/user.ts';
import { sized } from '../support/long.ts';
import { seeded, testOption } from '../support/random.ts';

const PATHS = testOption('paths', sized(30_000, 1_000_000));
const SEED = testOption('seed', Date.now() % 1_000_000);

const HOSTILE = ['__proto__', 'constructor', 'prototype'];
/** No path makes a key of them. */
const BLANK = ['', ' ', 'a b', '\t'];
const TRICKY = [
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__defineGetter__',
  '__lookupSetter__',
  'call',
  'apply',
  'length',
  'then',
  'toJSON',
];
const KNOWN = ['custom', 'name', 'image', 'teams', 'teams_role', 'privacy_settings', 'language', 'id', 'created_at', 'banned', 'role'];
const PLAIN = ['a', 'b', 'c', '0', '-1', 'é', '%5f%5fproto__', '__proto', 'proto__', 'Constructor'];
const SEGMENTS = [...HOSTILE, ...BLANK, ...TRICKY, ...KNOWN, ...PLAIN, ...PLAIN, ...PLAIN];

function userWith(custom: JsonObject): StoredUser {
  return { id: 'ann', rev: 1, role: 'user', teams: [], custom, created_at: 1, updated_at: 1 };
}

const BUILT_INS = [Object, Function, Array, String, Number, Boolean, Map, Set, Promise, RegExp, Date, Error, JSON, Math, Reflect].flatMap(
  (one) => ('prototype' in one ? [one, one.prototype] : [one]),
);

/** Every own property of every built-in, with what it is. */
function picture(): unknown[] {
  return BUILT_INS.map((one) => Reflect.ownKeys(one).map((name) => [name, Object.getOwnPropertyDescriptor(one, name)]));
}

test(`PT17 ${PATHS} fuzzed paths leave Object.prototype and the built-ins as they were`, (t) => {
  t.diagnostic(`--seed ${SEED} --paths ${PATHS}`);
  const random = seeded(SEED);
  const index = (length: number): number => Math.floor(random() * length);
  const values: readonly unknown[] = [1, 'x', null, { polluted: 1 }, [], JSON.parse('{"__proto__":{"polluted":1}}'), { constructor: 1 }];
  const before = picture();
  let user = userWith({});
  let [applied, refused] = [0, 0];
  for (let count = 0; count < PATHS; count++) {
    const segments = Array.from({ length: 1 + index(4) }, () => SEGMENTS[index(SEGMENTS.length)] ?? '');
    const path = segments.join('.');
    const isSet = random() < 0.7;
    // Not a literal with a computed key: `__proto__` must be an own key, as it is in what JSON.parse gives.
    const patch = parsePatch(
      isSet ? Object.fromEntries([[path, values[index(values.length)]]]) : undefined,
      isSet ? undefined : [path],
      'at',
    );
    if (Array.isArray(patch)) {
      refused++;
      continue;
    }
    if (segments.some((segment) => HOSTILE.includes(segment))) assert.fail(`${JSON.stringify(path)} was accepted, seed ${SEED}`);
    const after = applyPatch(user, patch, 'at');
    if (Array.isArray(after)) {
      refused++;
      continue;
    }
    if (after !== user && isSet && segments.some((segment) => BLANK.includes(segment))) {
      assert.fail(`${JSON.stringify(path)} made a key, seed ${SEED}`);
    }
    applied++;
    user = applied % 10 === 0 ? userWith({}) : after;
    if (Reflect.get({}, 'polluted') !== undefined) assert.fail(`${JSON.stringify(path)} reached Object.prototype, seed ${SEED}`);
  }
  t.diagnostic(`${applied} applied, ${refused} refused`);
  assert.ok(applied > PATHS / 20 && refused > PATHS / 20, 'the fuzz was one-sided');
  assert.deepEqual(picture(), before);
});

/** Custom data with text keys, never an array, so that any path of plain names can be walked. */
function randomCustom(random: () => number, depth = 0): JsonObject {
  const keys = ['a', 'b', 'c', 'd'].filter(() => random() < 0.5);
  return Object.fromEntries(
    keys.map((key) => [key, depth < 2 && random() < 0.5 ? randomCustom(random, depth + 1) : Math.floor(random() * 10)]),
  );
}

function patched(user: StoredUser, set: Record<string, unknown> | undefined, unset: readonly string[] | undefined): StoredUser | undefined {
  const patch = parsePatch(set, unset, 'at');
  assert.ok(!Array.isArray(patch), JSON.stringify(patch));
  const after = applyPatch(user, patch, 'at');
  return Array.isArray(after) ? undefined : after;
}

const CASES = 5_000;

test('PT18 set and then unset of a path that was not there gives back what was', (t) => {
  t.diagnostic(`--seed ${SEED}`);
  const random = seeded(SEED);
  let proved = 0;
  for (let count = 0; count < CASES; count++) {
    const user = userWith(randomCustom(random));
    const [first = 'x', ...rest] = Array.from({ length: 1 + Math.floor(random() * 3) }, () => 'abcd'.charAt(Math.floor(random() * 4)));
    const path = [`new-${first}`, ...rest].join('.');
    const set = patched(user, { [path]: 1 }, undefined);
    assert.ok(set !== undefined && !Object.hasOwn(user.custom, `new-${first}`));
    assert.deepEqual(patched(set, undefined, [`new-${first}`])?.custom, user.custom, `${path}, seed ${SEED}`);
    proved++;
  }
  assert.equal(proved, CASES);
});

test('PT19 known fields obey the same laws: twice is once, and the order of a split patch does not matter', (t) => {
  t.diagnostic(`--seed ${SEED}`);
  const random = seeded(SEED);
  const changes: readonly (readonly [string, unknown])[] = [
    ['name', 'Ann'],
    ['name', null],
    ['image', ''],
    ['image', 'i'],
    ['teams', ['red']],
    ['teams_role', { red: 'admin' }],
    ['teams_role', null],
    ['language', 'en'],
    ['invisible', true],
    ['privacy_settings', { read_receipts: { enabled: false } }],
    ['privacy_settings.typing_indicators.enabled', true],
    ['revoke_tokens_issued_before', '2020-01-01T00:00:00Z'],
    ['a.b', 1],
    ['custom.c', { d: 1 }],
  ];
  for (let count = 0; count < CASES; count++) {
    const user = userWith(randomCustom(random));
    const chosen = changes.filter(() => random() < 0.3);
    // One change for each field: two for the same place are refused, which is another rule.
    const set = new Map(chosen.map(([path, value]) => [path.split('.')[0] ?? '', [path, value] as const]));
    const entries = [...set.values()];
    const once = patched(user, Object.fromEntries(entries), undefined);
    if (once === undefined) continue;
    assert.deepEqual(patched(once, Object.fromEntries(entries), undefined), once, `seed ${SEED}`);
    assert.deepEqual(patched(user, Object.fromEntries([...entries].reverse()), undefined), once, `seed ${SEED}`);
    const cut = Math.floor(random() * (entries.length + 1));
    const first = patched(user, Object.fromEntries(entries.slice(cut)), undefined);
    assert.ok(first !== undefined);
    assert.deepEqual(patched(first, Object.fromEntries(entries.slice(0, cut)), undefined), once, `seed ${SEED}`);
  }
});
