/** Feeds: the data of a user (FD1–FD5). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { decodeFeedsUser, decodeFeedsUsers, renderFeedsUser } from '../../../protocol/feeds/users.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { refusal, refusedFields } from '../../support/http/refusal.ts';

function stored(data: JsonObject): StoredUser {
  const { id, name, image, custom } = decodeFeedsUser({ id: 'ann', data });
  const times = { created_at: 1_715_000_000_000_001, updated_at: 1_715_000_000_000_002 };
  const texts = { ...(name === undefined ? undefined : { name }), ...(image === undefined ? undefined : { image }) };
  return { id, rev: 1, role: 'user', teams: [], custom, ...times, ...texts };
}

describe('data of a user', () => {
  it('FD1 name and image are those of the record when they are texts, everything else is custom data', () => {
    const { name, image, custom } = decodeFeedsUser({ id: 'ann', data: { color: 'red', name: 'Ann', image: 'http://a/b.png' } });
    assert.deepEqual({ name, image, custom }, { name: 'Ann', image: 'http://a/b.png', custom: { color: 'red' } });
    for (const odd of [5, '', null, true, ['x'], { first: 'Ann' }]) {
      const user = decodeFeedsUser({ id: 'ann', data: { name: odd, image: odd } });
      assert.deepEqual(user, { id: 'ann', custom: { name: odd, image: odd } });
    }
  });

  it('FD1 reserved names are words like any other', () => {
    const data = { role: 'admin', teams: ['red'], banned: true, id: 'bob', created_at: 1, custom: { role: 'admin' } };
    assert.deepEqual(decodeFeedsUser({ id: 'ann', data }), { id: 'ann', custom: data });
  });

  it('FD2 what was sent is shown, name and image first, in one order everywhere', () => {
    const rendered = renderFeedsUser(stored({ color: 'red', image: 'i', age: 7, name: 'Ann' }));
    assert.equal(
      JSON.stringify(rendered),
      '{"id":"ann","data":{"name":"Ann","image":"i","color":"red","age":7},"created_at":"2024-05-06T12:53:20.000001Z","updated_at":"2024-05-06T12:53:20.000002Z"}',
    );
  });

  it('FD2 a name of the record stands before one that another dialect put into custom data', () => {
    assert.deepEqual(renderFeedsUser({ ...stored({}), name: 'Ann', custom: { name: 'other', a: 1 } }).data, { name: 'Ann', a: 1 });
    assert.deepEqual(renderFeedsUser({ ...stored({}), custom: { name: 'other' } }).data, { name: 'other' });
  });

  it('FD2 whatever data is sent can be read back', () => {
    const key = fc.oneof(fc.constantFrom('name', 'image', 'role', 'id', 'toString'), fc.string());
    const fine = key.filter((name) => !['__proto__', 'prototype', 'constructor'].includes(name));
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.string()),
      fc.dictionary(fine, fc.string()),
    );
    fc.assert(
      fc.property(fc.dictionary(fine, value), (data) => {
        const sent: JsonObject = JSON.parse(JSON.stringify(data));
        assert.deepEqual(renderFeedsUser(stored(sent)).data, sent);
      }),
    );
  });

  it('FD3 data is an object, and an empty list, null and nothing are an empty one', () => {
    for (const data of [undefined, null, [], {}]) assert.deepEqual(decodeFeedsUser({ id: 'ann', data }), { id: 'ann', custom: {} });
    for (const data of ['text', 7, true, [1]]) assert.deepEqual(refusedFields(() => decodeFeedsUser({ id: 'ann', data }))[0]?.path, 'data');
  });

  it('FD3 names that reach a prototype, and nesting without end, are refused with their place', () => {
    const body = (data: string): unknown => JSON.parse(`{"id":"ann","data":${data}}`);
    assert.equal(refusedFields(() => decodeFeedsUser(body('{"__proto__":{}}')))[0]?.path, 'data.__proto__');
    assert.equal(refusedFields(() => decodeFeedsUser(body('{"a":[{"constructor":1}]}')))[0]?.path, 'data.a[0].constructor');
    const deep = `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`;
    assert.match(refusedFields(() => decodeFeedsUser(body(deep)))[0]?.message ?? '', /nested deeper than 32/);
  });

  it('FD4 10,240 bytes of compact UTF-8 are allowed and one more is too big', () => {
    const frame = '{"t":""}'.length;
    for (const [char, bytes] of [
      ['x', 1],
      ['é', 2],
      ['😀', 4],
    ] as const) {
      const full = char.repeat((LIMITS.feedsDataBytes - frame) / bytes);
      assert.equal(decodeFeedsUser({ id: 'ann', data: { t: full } }).custom.t, full);
      const error = refusal(() => decodeFeedsUser({ id: 'ann', data: { t: `${full}x` } }));
      assert.equal(error.kind, 'too_big');
      assert.equal(error.message, 'data: is 10241 bytes; at most 10240 are allowed');
    }
  });

  it('FD5 ids have letters, digits, _ and -, and no @', () => {
    for (const id of ['a', 'John-Doe_7', 'x'.repeat(255)]) assert.equal(decodeFeedsUser({ id }).id, id);
    for (const id of ['', 'a@b', 'a b', 'a.b', 'ä', 'x'.repeat(256), '__proto__', 'a\n']) {
      assert.equal(refusedFields(() => decodeFeedsUser({ id }))[0]?.path, 'id', JSON.stringify(id));
    }
  });

  it('FD5 every wrong id of many is named, and so is one that is there twice', () => {
    const users = [{ id: 'a b' }, { id: 'ann' }, { id: 'ann' }, { id: '' }];
    assert.deepEqual(
      refusedFields(() => decodeFeedsUsers({ users })).map(({ path }) => path),
      ['users[0].id', 'users[2].id', 'users[3].id'],
    );
  });
});
