/** Partial updates under random paths: PT13–PT17. A failure prints its seed and its smallest example. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../protocol/base/json.ts';
import { applyPatch, parsePatch } from '../../protocol/users/patch.ts';
import type { StoredUser } from '../../protocol/users/user.ts';
import { sized } from '../support/long.ts';

const HOSTILE_PATHS = sized(20_000, 100_000);

const key = fc.constantFrom('a', 'b', 'c', 'toString', 'length');
const path = fc.array(key, { minLength: 1, maxLength: 4 });
const scalar = fc.constantFrom(null, true, 0, 1, 'x');
const tree = fc.letrec<{ custom: JsonObject; value: unknown }>((tie) => ({
  custom: fc.dictionary(key, tie('value'), { maxKeys: 3 }).map((entries): JsonObject => JSON.parse(JSON.stringify(entries))),
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, fc.array(scalar, { maxLength: 2 }), tie('custom')),
})).custom;

const overlap = (a: readonly string[], b: readonly string[]): boolean => {
  const shared = Math.min(a.length, b.length);
  return a.slice(0, shared).join('.') === b.slice(0, shared).join('.');
};
/** Paths none of which begins with another. */
const disjoint = fc.array(path, { minLength: 1, maxLength: 5 }).map((paths) => {
  const kept: string[][] = [];
  for (const one of paths) if (!kept.some((other) => overlap(one, other))) kept.push(one);
  return kept;
});

function userWith(custom: JsonObject): StoredUser {
  return { id: 'ann', rev: 1, role: 'user', teams: [], custom, created_at: 1, updated_at: 1 };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const item of Object.values(Object.freeze(value))) deepFreeze(item);
  return value;
}

/** The custom data afterwards; undefined when a path leads through a value that is not an object. */
function run(custom: JsonObject, set: Record<string, unknown>, unset: readonly string[] = []): JsonObject | undefined {
  const patch = parsePatch(set, unset, 'users[ann]');
  assert.ok(!Array.isArray(patch), JSON.stringify(patch));
  const after = applyPatch(deepFreeze(userWith(custom)), patch, 'users[ann]');
  return Array.isArray(after) ? undefined : after.custom;
}

function read(custom: unknown, at: readonly string[]): unknown {
  let value = custom;
  for (const segment of at) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, segment)) return undefined;
    value = Object.entries(value).find(([name]) => name === segment)?.[1];
  }
  return value;
}

test('PT13 what is set can be read, and after unset it is gone', () => {
  fc.assert(
    fc.property(tree, path, scalar, (custom, at, value) => {
      const dotted = at.join('.');
      const after = run(custom, { [dotted]: value });
      if (after === undefined) return;
      assert.deepEqual(read(after, at), value);
      const gone = run(after, {}, [dotted]);
      assert.ok(gone);
      assert.equal(read(gone, at), undefined);
    }),
    { numRuns: 2_000 },
  );
});

test('PT14 a patch applied twice is the patch applied once', () => {
  fc.assert(
    fc.property(tree, disjoint, fc.array(scalar, { minLength: 5, maxLength: 5 }), fc.nat(5), (custom, paths, values, cut) => {
      const dotted = paths.map((one) => one.join('.'));
      const set = Object.fromEntries(dotted.slice(0, cut).map((one, i) => [one, values[i] ?? null]));
      const once = run(custom, set, dotted.slice(cut));
      if (once !== undefined) assert.deepEqual(run(once, set, dotted.slice(cut)), once);
    }),
    { numRuns: 2_000 },
  );
});

test('PT15 the order of disjoint paths does not matter', () => {
  fc.assert(
    fc.property(tree, disjoint, fc.array(scalar, { minLength: 5, maxLength: 5 }), (custom, paths, values) => {
      const entries = paths.map((one, i): [string, unknown] => [one.join('.'), values[i] ?? null]);
      assert.deepEqual(run(custom, Object.fromEntries(entries)), run(custom, Object.fromEntries([...entries].reverse())));
    }),
    { numRuns: 2_000 },
  );
});

test('PT16 overlapping paths are refused, disjoint ones never; a part of what is set may be unset', () => {
  fc.assert(
    fc.property(path, path, (a, b) => {
      if (a.join('.') === b.join('.')) return;
      const both = parsePatch({ [a.join('.')]: 1, [b.join('.')]: 1 }, undefined, 'at');
      assert.equal(Array.isArray(both), overlap(a, b));
      assert.equal(Array.isArray(parsePatch({ [a.join('.')]: 1 }, [b.join('.')], 'at')), overlap(a, b) && b.length < a.length);
    }),
    { numRuns: 2_000 },
  );
});

test(`PT17 ${HOSTILE_PATHS} hostile paths leave every built-in object as it was`, () => {
  const builtIns = [Object, Function, Array, String, Number, Boolean].flatMap((one) => [one, one.prototype]);
  const picture = () => builtIns.map((one) => Reflect.ownKeys(one).map((name) => [name, Object.getOwnPropertyDescriptor(one, name)]));
  const before = picture();
  const segment = fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'call',
    'valueOf',
    'custom',
    'name',
    'a',
    '',
    ' ',
    '0',
  );
  const paths = fc.sample(fc.tuple(fc.array(segment, { minLength: 1, maxLength: 5 }), fc.boolean()), { numRuns: HOSTILE_PATHS, seed: 42 });
  let accepted = 0;
  let user = userWith({ a: { toString: { call: 1 } } });
  for (const [segments, isSet] of paths) {
    const dotted = segments.join('.');
    const patch = parsePatch(isSet ? JSON.parse(`{${JSON.stringify(dotted)}:{"polluted":1}}`) : {}, isSet ? [] : [dotted], 'at');
    if (segments.some((one) => ['__proto__', 'constructor', 'prototype'].includes(one))) assert.ok(Array.isArray(patch), dotted);
    if (Array.isArray(patch)) continue;
    const after = applyPatch(user, patch, 'at');
    // No path makes such a key, so there is none that another path could mean. A read-only field is ignored with all behind it.
    if (isSet && segments.some((one) => one === '' || one === ' ')) assert.ok(Array.isArray(after), dotted);
    if (Array.isArray(after)) continue;
    accepted++;
    user = accepted % 100 === 0 ? userWith({}) : after;
  }
  assert.ok(accepted > 1_000, `only ${accepted} of the paths were applied`);
  assert.deepEqual(picture(), before);
  assert.equal(Reflect.get({}, 'polluted'), undefined);
});
