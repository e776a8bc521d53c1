/** Queries: order, defaults and what is wrong with one (FL11–FL13). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareUsers, parseQuery, parseSort } from '../../../../protocol/users/finding/query.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { refusal, user } from '../../../support/filter-kit.ts';

function sorted(users: readonly StoredUser[], sort: unknown): string {
  return [...users]
    .sort(compareUsers(parseSort(sort) ?? []))
    .map(({ id }) => id)
    .join(' ');
}

test('FL11 order: numbers as numbers, missing last in both directions, the id decides', () => {
  const ages = [9, 10, undefined, null, 'x', true].map((age, i) => user(`u${i}`, { custom: age === undefined ? {} : { age } }));
  assert.equal(sorted(ages, [{ field: 'age' }]), 'u5 u0 u1 u4 u2 u3');
  assert.equal(sorted(ages, [{ field: 'custom.age', direction: -1 }]), 'u4 u1 u0 u5 u2 u3');
  assert.equal(sorted([...ages].reverse(), [{ field: 'role' }]), 'u0 u1 u2 u3 u4 u5');
  const wrong = [{ field: '__proto__' }, { field: 'a', direction: 2 }, {}, 'a'];
  assert.equal(refusal(() => parseSort(wrong)).fields.length, 4);
  refusal(() => parseSort(Array.from({ length: 6 }, () => ({ field: 'id' }))));
});

test('FL11 order: no stored value keeps a query from being answered', () => {
  const users = ['a', 'b'].map((id) => user(id, { custom: { x: { toString: 1 } } }));
  assert.equal(sorted(users, [{ field: 'x' }]), 'a b');
});

test('FL12 a query has defaults, and 0 or null is how some clients write "not given"', () => {
  for (const json of [{}, { limit: 0, offset: null, id_gt: '', user_id: '', sort: [], filter_conditions: [], unknown: 1 }]) {
    const { limit, offset, range, sort, includeDeactivated, userId } = parseQuery(json);
    assert.deepEqual(
      { limit, offset, range, includeDeactivated, userId },
      { limit: 30, offset: 0, range: {}, includeDeactivated: false, userId: undefined },
    );
    assert.deepEqual(
      sort.map(({ direction }) => direction),
      [-1, -1],
    );
  }
  assert.deepEqual(parseQuery({ id_gt: 'a', id_lte: 'b' }).range, { gt: 'a', lte: 'b' });
  assert.deepEqual(parseQuery({ id_gt: 'a' }).sort, [{ field: { kind: 'string', name: 'id' }, direction: -1 }]);
});

test('FL13 everything that is wrong with a query is listed', () => {
  const json = {
    filter_conditions: { id: 1 },
    sort: [{ direction: 1 }],
    limit: 101,
    offset: 1001,
    id_gt: 1,
    presence: 'x',
    include_deactivated_users: 1,
    include_deleted_users: 1,
    user_id: 1,
  };
  const paths = refusal(() => parseQuery(json)).fields.map(({ path }) => path);
  const wanted = [
    'filter_conditions.id',
    'sort[0].field',
    'limit',
    'offset',
    'id_gt',
    'presence',
    'include_deactivated_users',
    'include_deleted_users',
    'user_id',
  ];
  assert.deepEqual(paths.sort(), wanted.sort());
  for (const limit of [-1, 1.5, '10']) refusal(() => parseQuery({ limit }));
});
