/** The bodies of partial updates: RQ20–RQ23. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodePatches } from '../../../protocol/users/patch-request.ts';
import { refusedFields } from '../../support/http/refusal.ts';

const SERVER = { kind: 'server' } as const;

describe('partial updates', () => {
  const paths = (body: unknown) => decodePatches(body, SERVER).problems.map(({ path }) => path);

  it('RQ20 set and unset, alone or together, with PHP’s empty lists', () => {
    const body = {
      users: [
        { id: 'ann', set: { 'a.b': 1 } },
        { id: 'bob', unset: ['c'] },
        { id: 'cem', set: [], unset: [] },
      ],
    };
    const { patches, problems } = decodePatches(body, SERVER);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      patches.map(({ id }) => id),
      ['ann', 'bob', 'cem'],
    );
  });

  it('RQ21 paths through prototypes and overlapping paths are refused, naming the path', () => {
    for (const path of ['__proto__.x', 'constructor.prototype.x', 'a.__proto__']) {
      assert.deepEqual(paths(JSON.parse(`{"users":[{"id":"ann","set":{"${path}":1}}]}`)), [`users[ann].set.${path}`]);
      assert.deepEqual(paths({ users: [{ id: 'ann', unset: [path] }] }), [`users[ann].unset.${path}`]);
    }
    assert.deepEqual(paths({ users: [{ id: 'ann', set: { 'a.b': 1 }, unset: ['a'] }] }), ['users[ann].unset.a']);
    // An inherited name is a name like any other: it is set on the user's own data.
    assert.deepEqual(paths({ users: [{ id: 'ann', set: { 'toString.call': 1 } }] }), []);
  });

  it('RQ22 items: 1 to 100, each with an id, none twice, of the right types', () => {
    assert.deepEqual(
      refusedFields(() => decodePatches({ users: [] }, SERVER)),
      [{ path: 'users', message: 'must not be empty' }],
    );
    const many = Array.from({ length: 101 }, (_, i) => ({ id: `u${i}` }));
    assert.deepEqual(
      refusedFields(() => decodePatches({ users: many }, SERVER)),
      [{ path: 'users', message: 'must not hold more than 100, got 101' }],
    );
    assert.deepEqual(
      refusedFields(() => decodePatches({ users: { ann: {} } }, SERVER)),
      [{ path: 'users', message: 'must be array, got object' }],
    );
    const body = {
      users: [{}, { id: 4 }, { id: 'a b' }, { id: 'ann' }, { id: 'ann' }, 'x', { id: 'bob', set: 'x' }, { id: 'cem', unset: [1] }],
    };
    assert.deepEqual(paths(body), [
      'users[0].id',
      'users[1].id',
      'users[a b].id',
      'users[4].id',
      'users[5]',
      'users[bob].set',
      'users[cem].unset',
    ]);
  });

  it('RQ23 bounds that keep a patch from costing more than it weighs', () => {
    const unset = Array.from({ length: 201 }, (_, i) => `k${i}`);
    assert.deepEqual(paths({ users: [{ id: 'ann', unset }] }), ['users[ann]']);
    assert.deepEqual(paths({ users: [{ id: 'ann', set: { [Array(33).fill('a').join('.')]: 1 } }] }).length, 1);
    assert.deepEqual(paths(JSON.parse(`{"users":[{"id":"ann","set":{"a":${'['.repeat(9_000)}${']'.repeat(9_000)}}}]}`)).length, 1);
    assert.deepEqual(paths(JSON.parse('{"users":[{"id":"ann","set":{"n":1e999}}]}')), ['users[ann].set.n']);
    assert.deepEqual(paths({ users: [{ id: 'ann', set: { language: 'x'.repeat(36) } }] }), ['users[ann].set.language']);
  });
});

describe('the bounds of a patch', () => {
  const wrong = (patch: object): string[] =>
    decodePatches({ users: [{ id: 'ann', ...patch }] }, SERVER).problems.map(({ path, message }) => `${path} ${message}`);
  const deep = (levels: number): string => Array.from({ length: levels }, () => 'a').join('.');

  it('RQ23 the paths of `set` and of `unset` are bounded in length and depth, to the last one', () => {
    assert.deepEqual(wrong({ set: { [deep(32)]: 1 } }), []);
    assert.deepEqual(wrong({ unset: [deep(32)] }), []);
    for (const patch of [{ set: { [deep(33)]: 1 } }, { unset: [deep(33)] }]) {
      const [problem = '', ...others] = wrong(patch);
      assert.deepEqual(others, []);
      assert.match(problem, /^users\[ann\]\.(set|unset)\.a\.a.* must not be nested deeper than 32 levels$/);
    }
    const long = 'x'.repeat(100_000);
    for (const patch of [{ set: { [long]: 1 } }, { unset: [long] }]) {
      const [problem = '', ...others] = wrong(patch);
      assert.deepEqual(others, []);
      assert.match(problem, /^users\[ann\]\.(set|unset)\.x+…? ?.* must not be longer than \d+ characters$/);
      assert.ok(problem.length < 1_000, 'and the answer does not repeat it');
    }
  });

  it('RQ23 200 paths of at most 1,024 characters are read, in `set` and `unset` together, and no more', () => {
    const paths = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => `k${from + n}`);
    const set = (to: number) => Object.fromEntries(paths(0, to).map((path) => [path, 1]));
    for (const [inSet, inUnset] of [
      [200, 0],
      [0, 200],
      [120, 80],
    ] as const) {
      assert.deepEqual(wrong({ set: set(inSet), unset: paths(inSet, inSet + inUnset) }), []);
      assert.deepEqual(wrong({ set: set(inSet), unset: paths(inSet, inSet + inUnset + 1) }), [
        'users[ann] must not name more than 200 paths',
      ]);
    }
    assert.deepEqual(wrong({ set: { ['x'.repeat(1_024)]: 1 }, unset: ['y'.repeat(1_024)] }), []);
    const problems = wrong({ set: { ['x'.repeat(1_025)]: 1 }, unset: ['y'.repeat(1_025)] });
    assert.deepEqual(
      problems.map((text) => text.slice(-41)),
      Array(2)
        .fill(' must not be longer than 1024 characters')
        .map((text) => `…${text}`),
    );
  });

  it('RQ10 a value counts from the level of its path: 32 levels in all', () => {
    const nested = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
    for (const path of ['a', 'a.b', 'a.b.c.d']) {
      const fits = Array.from({ length: 40 }, (_, n) => n).filter(
        (levels) => wrong({ set: { [path]: nested(levels + 1) } }).length === 0,
      ).length;
      assert.equal(fits, 32 - path.split('.').length, path);
    }
  });
});

describe('what a client sends for somebody else', () => {
  it('PV2 is not read; what it sends for itself is, and a wrong id is no id', () => {
    const body = {
      users: [
        { id: 'bob', set: 'wrong', unset: 7 },
        { id: 'ann', set: { a: 1 } },
        { id: 'bob', set: { role: 7 } },
        { id: 'a b', set: { a: 1 } },
        { id: 7 },
        'x',
      ],
    };
    const { patches, problems } = decodePatches(body, { kind: 'user', id: 'ann' });
    assert.deepEqual(
      patches.map(({ id, patch }) => [id, patch.steps.length]),
      [
        ['bob', 0],
        ['ann', 1],
        ['bob', 0],
      ],
    );
    assert.deepEqual(
      problems.map(({ path }) => path),
      ['users[a b].id', 'users[4].id', 'users[5]'],
    );
    assert.deepEqual(decodePatches({ users: [{ id: 'bob', set: { a: 1 } }] }, SERVER).patches[0]?.patch.steps.length, 1);
    const ifRev = decodePatches({ users: [{ id: 'bob', set: 'wrong' }], if_rev: { bob: 3 } }, { kind: 'user', id: 'ann' });
    assert.deepEqual([ifRev.ifRev?.get('bob'), ifRev.problems, ifRev.kind], [3, [], 'patch']);
  });
});
