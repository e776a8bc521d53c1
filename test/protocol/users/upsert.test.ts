import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dialect } from '../../../protocol/base/reading.ts';
import { decodePatches } from '../../../protocol/users/patch-request.ts';
import { decodeUpsert, upsertDecoding } from '../../../protocol/users/upsert.ts';
import { refusedFields } from '../../support/http/refusal.ts';

const SERVER = { kind: 'server' } as const;

/** One user, as JSON text, so that `__proto__` is a key like any other. */
function upsert(dialect: Dialect, user: string, key = 'ann') {
  return decodeUpsert(dialect, JSON.parse(`{"users":{${JSON.stringify(key)}:${user}}}`), SERVER);
}

function decoded(dialect: Dialect, user: string) {
  const { users, problems } = upsert(dialect, user);
  assert.deepEqual(problems, []);
  return users[0];
}

function problemsOf(dialect: Dialect, user: string, key = 'ann'): Record<string, string> {
  const { users, problems } = upsert(dialect, user, key);
  assert.deepEqual(users, []);
  return Object.fromEntries(problems.map(({ path, message }) => [path, message]));
}

describe('upsert bodies', () => {
  it('RQ1 v1 takes custom data from the top level, from extra_data and from custom', () => {
    const user = decoded('v1', '{"id":"ann","name":"Ann","color":"blue","extra_data":{"age":3},"custom":{"pets":["x"],"color":"red"}}');
    assert.deepEqual(user, { id: 'ann', custom: { color: 'red', age: 3, pets: ['x'] }, name: 'Ann' });
  });

  it('RQ2 v2 takes custom data from custom and from unknown top-level keys; the nested one wins', () => {
    const user = decoded('v2', '{"id":"ann","color":"blue","size":1,"custom":{"color":"red"}}');
    assert.deepEqual(user, { id: 'ann', custom: { color: 'red', size: 1 } });
    assert.deepEqual(decoded('v2', '{"extra_data":{"a":1}}')?.custom, { extra_data: { a: 1 } });
  });

  it('RQ3 read-only keys that were sent back are ignored', () => {
    const sent = '{"id":"ann","created_at":"x","online":true,"mutes":[],"unread_count":7,"revoke_tokens_issued_before":null,"rev":3}';
    assert.deepEqual(decoded('v1', sent), { id: 'ann', custom: {} });
    assert.deepEqual(decoded('v2', sent), { id: 'ann', custom: {} });
    assert.deepEqual(decoded('v1', '{"custom":{"online":true,"name":"x","a":1}}')?.custom, { a: 1 });
  });

  it('RQ4 null and the empty text are absent; PHP writes an empty map as []', () => {
    const nothing = '{"name":"","image":null,"role":"","teams":null,"language":"","invisible":null,"privacy_settings":null,"custom":null}';
    assert.deepEqual(decoded('v2', nothing), { id: 'ann', custom: {} });
    assert.deepEqual(decoded('v1', '{"teams_role":[],"custom":[],"privacy_settings":[]}'), {
      id: 'ann',
      custom: {},
      teams_role: {},
      privacy_settings: {},
    });
  });

  it('RQ5 keys of the result are in one order and none is undefined', () => {
    const one = decoded('v2', '{"teams":["a"],"image":"i","custom":{"x":1},"name":"n","invisible":true,"role":"admin","language":"en"}');
    assert.deepEqual(Object.keys(one ?? {}), ['id', 'custom', 'name', 'image', 'role', 'teams', 'language', 'invisible']);
  });

  it('RQ6 key and id must agree; either alone is enough', () => {
    assert.equal(decoded('v1', '{}')?.id, 'ann');
    assert.deepEqual(problemsOf('v1', '{"id":"bob"}'), { 'users[ann].id': 'must agree with its key "ann", got "bob"' });
    assert.deepEqual(decodeUpsert('v1', { users: [{ id: 'bob' }] }, SERVER).users, [{ id: 'bob', custom: {} }]);
    assert.deepEqual(decodeUpsert('v1', { users: [{ id: 'a' }, { id: 'a' }, {}] }, SERVER).problems, [
      { path: 'users[1].id', message: '"a" is there twice' },
      { path: 'users[2].id', message: 'must not be empty' },
    ]);
  });

  it('RQ7 ids: __proto__, prototype, constructor, empty, 256 characters, spaces, other characters', () => {
    for (const id of ['__proto__', 'prototype', 'constructor']) {
      assert.match(problemsOf('v1', '{}', id)[`users[${id}].id`] ?? '', /is a reserved name/);
    }
    assert.deepEqual(problemsOf('v1', '{}', ''), { 'users[].id': 'must not be empty' });
    const long = 'a'.repeat(256);
    assert.deepEqual(problemsOf('v1', '{}', long), { [`users[${long.slice(0, 64)}…].id`]: 'must not be longer than 255 characters' });
    for (const id of ['a b', 'a.b', 'ä', 'a/b', 'a\n'])
      assert.match(Object.values(problemsOf('v1', '{}', id))[0] ?? '', /may contain only/);
    assert.equal(decodeUpsert('v1', { users: { ['a'.repeat(255)]: {} } }, SERVER).users.length, 1);
    assert.deepEqual(problemsOf('v1', '{"id":5}'), { 'users[ann].id': 'must be a string' });
  });

  it('RQ8 every wrong field is named, with what it must be and what it is', () => {
    const sent =
      '{"name":1,"image":[],"role":5,"teams":["a",2],"teams_role":{"a":1},"language":{},"invisible":"yes","privacy_settings":{"read_receipts":{"enabled":1}},"custom":"x"}';
    assert.deepEqual(problemsOf('v1', sent), {
      'users[ann].name': 'must be string, got number',
      'users[ann].image': 'must be string, got array',
      'users[ann].role': 'must be string, got number',
      'users[ann].teams[1]': 'must be string, got number',
      'users[ann].teams_role.a': 'must be string, got number',
      'users[ann].language': 'must be string, got object',
      'users[ann].invisible': 'must be boolean, got string',
      'users[ann].privacy_settings.read_receipts.enabled': 'must be boolean, got number',
      'users[ann].custom': 'must be object, got string',
    });
    for (const [value, name] of [
      ['null', 'null'],
      ['[1]', 'array'],
      ['"x"', 'string'],
    ]) {
      assert.deepEqual(problemsOf('v2', value ?? ''), { 'users[ann]': `must be object, got ${name}` });
    }
  });

  it('RQ9 reserved names are refused as custom keys at any depth, in both dialects and wherever they stand', () => {
    const places: [Dialect, string, string][] = [
      ['v1', '{"__proto__":{"x":1}}', 'users[ann].__proto__'],
      ['v1', '{"a":[{"b":{"constructor":1}}]}', 'users[ann].a[0].b.constructor'],
      ['v1', '{"extra_data":{"prototype":1}}', 'users[ann].extra_data.prototype'],
      ['v1', '{"custom":{"__proto__":1}}', 'users[ann].custom.__proto__'],
      ['v2', '{"custom":{"__proto__":{"polluted":true}}}', 'users[ann].custom.__proto__'],
      ['v2', '{"custom":{"a":{"__proto__":1}},"b":1}', 'users[ann].custom.a.__proto__'],
      ['v2', '{"teams_role":{"__proto__":"x"}}', 'users[ann].teams_role[__proto__]'],
    ];
    for (const [dialect, sent, path] of places) assert.match(problemsOf(dialect, sent)[path] ?? '', /is a reserved name/, sent);
    assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
  });

  it('RQ10 custom data nests at most 32 levels, and numbers must be finite', () => {
    const nested = (levels: number) => `{"custom":${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}}`;
    decoded('v2', nested(32));
    assert.match(Object.values(problemsOf('v2', nested(33)))[0] ?? '', /nested deeper than 32/);
    assert.match(Object.values(problemsOf('v1', `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`))[0] ?? '', /nested deeper/);
    // JSON could not write Infinity again: memory and disk would differ.
    assert.deepEqual(problemsOf('v1', '{"big":{"n":1e999}}'), { 'users[ann].big.n': 'is too big a number' });
  });

  it('RQ11 a user has at most 10,240 bytes from a server and 5,120 from a client', () => {
    const overhead = '{"name":"","custom":{}}'.length;
    const exact = (bytes: number) => ({
      users: { ann: { name: 'é'.repeat((bytes - overhead) >> 1) + 'x'.repeat((bytes - overhead) & 1) } },
    });
    assert.deepEqual(decodeUpsert('v1', exact(10_240), SERVER).problems, []);
    assert.match(decodeUpsert('v1', exact(10_241), SERVER).problems[0]?.message ?? '', /10241 bytes; at most 10240/);
    const ann = { kind: 'user', id: 'ann' } as const;
    assert.deepEqual(decodeUpsert('v1', exact(5_120), ann).problems, []);
    assert.match(decodeUpsert('v1', exact(5_121), ann).problems[0]?.message ?? '', /at most 5120/);
  });

  it('RQ12 what is not counted in the size has limits of its own', () => {
    assert.ok('users[ann].language' in problemsOf('v1', `{"language":"${'x'.repeat(36)}"}`));
    assert.ok('users[ann].role' in problemsOf('v1', `{"role":"${'x'.repeat(256)}"}`));
    const teams = Object.fromEntries(Array.from({ length: 251 }, (_, i) => [`t${i}`, 'admin']));
    assert.ok('users[ann].teams_role' in problemsOf('v1', JSON.stringify({ teams_role: teams })));
    assert.deepEqual(problemsOf('v1', '{"teams_role":{"a\\nb":5}}'), { 'users[ann].teams_role[a\nb]': 'must be string, got number' });
    assert.deepEqual(decoded('v1', '{"privacy_settings":{"read_receipts":{"enabled":false,"x":1},"y":{}}}')?.privacy_settings, {
      read_receipts: { enabled: false },
    });
  });

  it('RQ15 a hostile body is not answered with an error for each of its parts', () => {
    const keys = Array.from({ length: 5_000 }, (_, i) => `"k${i}":1e999`).join();
    assert.equal(decodeUpsert('v1', JSON.parse(`{"users":{"ann":{${keys}},"bob":{${keys}}}}`), SERVER).problems.length, 101);
    const teams = JSON.stringify(Array(5_000).fill(''));
    assert.deepEqual(problemsOf('v1', `{"teams":${teams}}`), { 'users[ann].teams': 'must not hold more than 250 teams' });
    assert.equal(decodePatches(JSON.parse(`{"users":[{"id":"ann","set":{"teams":${teams}}}]}`), SERVER).problems.length, 1);
  });

  it('RQ13 1 to 100 users; a body that is no object or has no users', () => {
    const many = (count: number) => ({ users: Object.fromEntries(Array.from({ length: count }, (_, i) => [`u${i}`, {}])) });
    assert.equal(decodeUpsert('v1', many(100), SERVER).users.length, 100);
    assert.deepEqual(
      refusedFields(() => decodeUpsert('v1', many(101), SERVER)),
      [{ path: 'users', message: 'must not hold more than 100, got 101' }],
    );
    for (const empty of [{ users: {} }, { users: [] }]) {
      assert.deepEqual(
        refusedFields(() => decodeUpsert('v1', empty, SERVER)),
        [{ path: 'users', message: 'must not be empty' }],
      );
    }
    for (const none of [{}, [], undefined])
      assert.deepEqual(
        refusedFields(() => decodeUpsert('v1', none, SERVER)),
        [{ path: 'users', message: 'is required' }],
      );
    assert.deepEqual(
      refusedFields(() => decodeUpsert('v1', { users: 5 }, SERVER)),
      [{ path: 'users', message: 'must be object or array, got number' }],
    );
    assert.deepEqual(
      refusedFields(() => decodeUpsert('v1', 'x', SERVER)),
      [{ path: 'body', message: 'must be object, got string' }],
    );
  });

  it('BU3 eight users at a step, in either form of a batch', () => {
    const many = Array.from({ length: 100 }, (_, i) => ({ id: `u${i}` }));
    for (const users of [many, Object.fromEntries(many.map((user) => [user.id, user]))]) {
      assert.equal([...upsertDecoding('v2', { users }, SERVER)].length, 100 >> 3);
    }
  });

  it('RQ14 users that are fine are decoded although others are not: the rules then speak about them too', () => {
    const { users, problems } = decodeUpsert('v1', { users: { ann: {}, bob: { role: 1 }, cem: 3 } }, SERVER);
    assert.deepEqual(
      users.map(({ id }) => id),
      ['ann'],
    );
    assert.deepEqual(
      problems.map(({ path }) => path),
      ['users[bob].role', 'users[cem]'],
    );
  });
});
