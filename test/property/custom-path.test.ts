/** CP5: patches, filters and sorts mean the same place in records whose keys have dots, spaces or no name. A failure prints its seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { isObject, type JsonObject } from '../../protocol/base/json.ts';
import { pathReader } from '../../protocol/users/custom-path.ts';
import { parseFilter } from '../../protocol/users/finding/filter.ts';
import { compileFilter } from '../../protocol/users/finding/filter-match.ts';
import { compareUsers, parseSort } from '../../protocol/users/finding/query.ts';
import { applyPatch, parsePatch } from '../../protocol/users/patch.ts';
import type { StoredUser } from '../../protocol/users/user.ts';
import { sized } from '../support/long.ts';

const segment = fc.constantFrom('a', 'b', 'c', '', 'home town', 'toString', 'custom', 'name');
const key = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('.'));
const tree = fc.letrec<{ custom: JsonObject; value: unknown }>((tie) => ({
  custom: fc.dictionary(key, tie('value'), { maxKeys: 5 }).map((entries): JsonObject => JSON.parse(JSON.stringify(entries))),
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.constantFrom(null, 1, 'x', [1]), tie('custom')),
})).custom;
const path = fc
  .tuple(fc.constantFrom('', 'custom.'), fc.array(segment, { minLength: 1, maxLength: 4 }))
  .map(([head, rest]) => head + rest.join('.'));

function userWith(custom: JsonObject): StoredUser {
  return { id: 'ann', rev: 1, role: 'user', teams: [], custom, created_at: 1, updated_at: 1 };
}

function run(custom: JsonObject, set?: JsonObject, unset?: readonly string[]): JsonObject | undefined {
  const patch = parsePatch(set, unset, 'at');
  const after = Array.isArray(patch) ? patch : applyPatch(userWith(custom), patch, 'at');
  return Array.isArray(after) ? undefined : after.custom;
}

/** The rule, word for word: at each level the longest key that is there. */
function meant(at: unknown, segments: readonly string[]): unknown {
  if (segments.length === 0) return at;
  if (!isObject(at)) return undefined;
  for (let size = segments.length; size > 0; size--) {
    const name = segments.slice(0, size).join('.');
    if (Object.hasOwn(at, name)) return meant(at[name], segments.slice(size));
  }
  return undefined;
}

/** Without empty objects. */
function pruned(value: unknown): unknown {
  if (!isObject(value)) return value;
  const kept = Object.entries(value)
    .map(([name, inner]) => [name, pruned(inner)] as const)
    .filter(([, inner]) => inner !== undefined);
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

const isOfCustom = (one: string): boolean => one !== 'custom' && !/^name(\.|$)/.test(one);

test('CP5 a path that is set is found by a filter and by a sort, and is gone after unset, with everything else as it was', () => {
  const seen = { there: 0, made: 0, refused: 0 };
  fc.assert(
    fc.property(tree, path.filter(isOfCustom), (custom, at) => {
      const after = run(custom, { [at]: 'new' });
      const gone = run(custom, undefined, [at]);
      assert.ok(gone);
      if (after === undefined) seen.refused++;
      else {
        assert.equal(compileFilter(parseFilter({ [at]: 'new' }))(userWith(after), false), true);
        const last = compareUsers(parseSort([{ field: at }]) ?? []);
        assert.ok(last(userWith(after), { ...userWith({}), id: 'aaa' }) < 0, 'a user without the value comes last');
        const without = run(after, undefined, [at]) ?? {};
        assert.equal(compileFilter(parseFilter({ [at]: 'new' }))(userWith(without), false), false);
        if (isDeepStrictEqual(gone, custom)) {
          // Objects that the path made stay.
          assert.deepEqual(pruned(without), pruned(custom));
          seen.made++;
        } else {
          assert.deepEqual(without, gone);
          seen.there++;
        }
        assert.deepEqual(run(after, { [at]: 'new' }), after);
      }
    }),
    { numRuns: sized(4_000, 40_000) },
  );
  for (const [kind, count] of Object.entries(seen)) assert.ok(count > 40, `${kind}: ${count}`);
});

test('CP1 a compiled path reads what the rule says', () => {
  let found = 0;
  fc.assert(
    fc.property(tree, fc.array(fc.constantFrom('a', 'b', '', 'toString'), { minLength: 1, maxLength: 3 }), (custom, segments) => {
      const value = meant(custom, segments);
      assert.deepEqual(pathReader(segments.join('.'))(custom), value);
      if (value !== undefined) found++;
    }),
    { numRuns: sized(4_000, 40_000) },
  );
  assert.ok(found > 50, `${found}`);
});
