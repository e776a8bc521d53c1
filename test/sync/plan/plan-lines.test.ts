/** PF4, PN2: which lines a plan may have, and what each counts as. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  COUNT_NAMES,
  changesOf,
  countOf,
  isPlanHeader,
  isPlanLine,
  isPlanTrailer,
  NO_COUNTS,
  type PlanCounts,
  REMOVALS,
  removalsOf,
  WRITES,
} from '../../../daemon/sync/plan/plan-lines.ts';

type Fields = Readonly<Record<string, unknown>>;

const NOT_OBJECTS: readonly unknown[] = [undefined, null, 7, 'text', []];
/** No text that may be left out. */
const NOT_TEXTS: readonly unknown[] = [null, 7, {}];
const NOT_COUNTS: readonly unknown[] = [undefined, -1, 1.5, '1', 2 ** 53];

/** Each field of `good` in turn with each of these values. */
function each(
  isValid: (value: unknown) => boolean,
  good: Fields,
  values: Readonly<Record<string, readonly unknown[]>>,
  expected: boolean,
): void {
  assert.equal(isValid(good), true);
  for (const [field, tried] of Object.entries(values)) {
    for (const value of tried) {
      const what = { ...good, [field]: value };
      assert.equal(isValid(what), expected, JSON.stringify(what));
    }
  }
}

const HEADER = {
  ...{ rosterd_plan: 1, created_at: 'now', url: 'http://x', source: 'users.csv', base: { epoch: 'e', seq: 0 } },
  options: { missing: 'ignore', scope: null },
};

test('PF4 a header has the version, its texts, a position or none, and options that exist', () => {
  const { options } = HEADER;
  each(
    isPlanHeader,
    HEADER,
    {
      base: [null, { epoch: 'e', seq: 7 }],
      options: [
        ...[...REMOVALS, 'ignore'].map((missing) => ({ ...options, missing })),
        { ...options, scope: 'team=red' },
        ...['reactivate', 'restore'].map((returning) => ({ ...options, returning })),
      ],
    },
    true,
  );
  each(
    isPlanHeader,
    HEADER,
    {
      rosterd_plan: [undefined, 0, 2, '1'],
      ...Object.fromEntries(['created_at', 'url', 'source'].map((name) => [name, [undefined, ...NOT_TEXTS]])),
      base: [undefined, 'e:7', [], { seq: 7 }, { epoch: 7, seq: 7 }, ...NOT_COUNTS.map((seq) => ({ epoch: 'e', seq }))],
      options: [
        ...NOT_OBJECTS,
        ...[undefined, 7].map((scope) => ({ ...options, scope })),
        ...[undefined, null, 'delete'].map((missing) => ({ ...options, missing })),
        ...[null, 'leave', 'x'].map((returning) => ({ ...options, returning })),
      ],
    },
    false,
  );
  for (const other of NOT_OBJECTS) assert.equal(isPlanHeader(other), false);
});

test('PF4 an error names its line, its code and its reason, and maybe a user', () => {
  const isError = (error: unknown): boolean => isPlanLine({ error });
  const good = { line: 0, code: 'invalid_user', reason: 'r' };
  each(isError, good, { line: [7], code: [4], id: [undefined, 'a b'] }, true);
  each(isError, good, { line: NOT_COUNTS, code: [undefined, null, {}], reason: [undefined, ...NOT_TEXTS], id: NOT_TEXTS }, false);
  for (const other of NOT_OBJECTS) assert.equal(isError(other), false);
});

test('PF4 a write has a user of its own id, a place in the source, a revision or none; a removal has no user', () => {
  const write = { do: 'create', line: 0, id: 'ann', rev: 0, user: { id: 'ann' } };
  const removal = { do: 'deactivate', id: 'ann', rev: 7 };
  each(isPlanLine, write, { do: WRITES, line: [7], rev: [null, 7], changes: [undefined, {}] }, true);
  each(isPlanLine, removal, { do: REMOVALS, rev: [null, 0] }, true);
  const both = { id: [undefined, 7, '', 'a b'], rev: NOT_COUNTS };
  each(
    isPlanLine,
    write,
    {
      ...both,
      do: [undefined, 'upsert', ...REMOVALS],
      line: NOT_COUNTS,
      user: [...NOT_OBJECTS, {}, { id: 'bob' }],
      changes: [null, [], 'x'],
    },
    false,
  );
  each(isPlanLine, removal, { ...both, do: [undefined, ...WRITES], user: [null, {}, { id: 'ann' }] }, false);
  for (const other of [...NOT_OBJECTS, {}]) assert.equal(isPlanLine(other), false);
});

test('PF4 the end of a plan counts everything and has a checksum; one of an earlier version may count less', () => {
  const sha256 = '0123456789abcdef'.repeat(4);
  const end = { end: true, counts: NO_COUNTS, sha256 };
  const { restore: _, ...fewer } = NO_COUNTS;
  each(isPlanTrailer, end, { counts: [fewer, {}], taken_out: [undefined, { count: 0, first: [] }] }, true);
  each(
    isPlanTrailer,
    end,
    {
      end: [undefined, false, 1],
      counts: [...NOT_OBJECTS, ...COUNT_NAMES.map((name) => ({ ...NO_COUNTS, [name]: -1 }))],
      taken_out: [null, [], { count: 1 }, { count: -1, first: [] }, { first: [] }, { count: 1, first: {} }],
      sha256: [undefined, 7, '', sha256.slice(1), `${sha256}0`, sha256.toUpperCase(), ` ${sha256.slice(1)}`, `${sha256}\n`],
    },
    false,
  );
  for (const other of NOT_OBJECTS) assert.equal(isPlanTrailer(other), false);
});

test('PN2 every line is in the count of what it does', () => {
  assert.deepEqual(Object.keys(NO_COUNTS), [...COUNT_NAMES]);
  const does = [...WRITES, ...REMOVALS].map((what) => countOf({ do: what }));
  assert.deepEqual(does, ['create', 'update', 'reactivate', 'restore', 'deactivate', 'soft_delete', 'hard_delete']);
  assert.equal(countOf({ error: { line: 1, code: 4, reason: '' } }), 'errors');
});

test('PN1 a plan changes the users that it writes and those that it removes', () => {
  const counts = Object.fromEntries(COUNT_NAMES.map((name, index) => [name, 2 ** index]));
  const sum = (...names: readonly (keyof PlanCounts)[]): number => names.reduce((total, name) => total + (counts[name] ?? 0), 0);
  const all: PlanCounts = { ...NO_COUNTS, ...counts };
  assert.equal(removalsOf(all), sum('deactivate', 'soft_delete', 'hard_delete'));
  assert.equal(changesOf(all), sum('create', 'update', 'reactivate', 'restore', 'deactivate', 'soft_delete', 'hard_delete'));
});
