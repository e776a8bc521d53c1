/**
 * DL1–DL4: the three dialects are views of one record. Users are written in one of them, through the HTTP edge, and read in
 * all. A failure prints its seed and its smallest example.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KNOWN_FIELDS, RESERVED_FIELDS } from '../../protocol/users/user.ts';
import { type HttpWorld, httpWorld } from '../support/http/fake-backend.ts';
import { sized } from '../support/long.ts';

const DIALECTS = ['v1', 'v2', 'feeds'] as const;
type DialectName = (typeof DIALECTS)[number];

/** What a user is, however it is written down. */
interface Facts {
  readonly name?: string;
  readonly image?: string;
  readonly custom: Readonly<Record<string, unknown>>;
}

interface Seen extends Facts {
  readonly id: string;
  /** Microseconds since 1970. */
  readonly created: number;
  readonly updated: number;
}

const FORBIDDEN = new Set(['__proto__', 'prototype', 'constructor']);
/** In v1 an object of this name is unpacked, so it is no ordinary key there. */
const UNPACKED = 'extra_data';
const key = fc
  .oneof(
    fc.constantFrom('color', 'a', 'b', 'toString', 'length', 'occupation', 'team', 'with space', 'dotted.key', 'é'),
    fc.string({ minLength: 1, maxLength: 8 }),
  )
  .filter((text) => !KNOWN_FIELDS.has(text) && !RESERVED_FIELDS.has(text) && !FORBIDDEN.has(text) && text !== UNPACKED);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -1, 1.5, 1e15, '', 'text', 'naïve 🚀'),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(key, tie('any'), { maxKeys: 3 }),
  ),
})).any;
const text = fc.oneof(fc.constantFrom('Ann', 'Bob Lee', 'ß', '李'), fc.string({ minLength: 1, maxLength: 12 }));
const facts: fc.Arbitrary<Facts> = fc
  .record({
    name: fc.option(text, { nil: undefined }),
    image: fc.option(text, { nil: undefined }),
    custom: fc.dictionary(key, value, { maxKeys: 4 }),
  })
  .map((one) => JSON.parse(JSON.stringify(one)));
const dialect = fc.constantFrom(...DIALECTS);

async function write({ send }: HttpWorld, into: DialectName, id: string, { custom, ...own }: Facts, isNew: boolean): Promise<void> {
  const data = { ...own, ...custom };
  const received =
    into === 'v1'
      ? await send('POST', '/users', { body: { users: { [id]: { id, ...data } } } })
      : into === 'v2'
        ? await send('POST', '/api/v2/users', { body: { users: { [id]: { id, ...own, custom } } } })
        : isNew
          ? await send('POST', '/api/v1.0/user/', { body: { id, data } })
          : await send('PUT', `/api/v1.0/user/${id}/`, { body: { data } });
  assert.ok(received.status < 300, received.text);
}

const KNOWN = new Set([...KNOWN_FIELDS, ...RESERVED_FIELDS]);
const micros = (time: string): number => Date.parse(`${time.slice(0, 19)}Z`) * 1_000 + Number(time.slice(20, 26));

function split(data: Readonly<Record<string, unknown>>, isOwn: (key: string) => boolean): Facts {
  const { name, image } = data;
  return {
    ...(typeof name === 'string' ? { name } : undefined),
    ...(typeof image === 'string' ? { image } : undefined),
    custom: Object.fromEntries(Object.entries(data).filter(([one]) => !isOwn(one))),
  };
}

async function read({ send }: HttpWorld, from: DialectName, id: string): Promise<Seen> {
  if (from === 'feeds') {
    const { body } = await send('GET', `/api/v1.0/user/${id}/`);
    const isOwn = (one: string): boolean => (one === 'name' || one === 'image') && typeof body.data[one] === 'string';
    return { id: body.id, ...split(body.data, isOwn), created: micros(body.created_at), updated: micros(body.updated_at) };
  }
  const payload = JSON.stringify({ filter_conditions: { id }, include_deactivated_users: true });
  const { body } = await send('GET', from === 'v1' ? '/users' : '/api/v2/users', { query: { payload } });
  const [user] = body.users;
  assert.ok(user, `${id} is not found in ${from}`);
  const own = from === 'v1' ? split(user, (one) => KNOWN.has(one)) : { ...split(user, () => true), custom: user.custom };
  const time = (at: string | number): number => (typeof at === 'string' ? micros(at) : Math.round(at / 1_000));
  return { id: user.id, ...own, created: time(user.created_at), updated: time(user.updated_at) };
}

let users = 0;
const nextId = (): string => `user-${++users}`;

test('DL1 what is written in one dialect reads the same in all of them', async () => {
  const world = httpWorld();
  await fc.assert(
    fc.asyncProperty(dialect, facts, async (into, sent) => {
      const id = nextId();
      await write(world, into, id, sent, true);
      const views = await Promise.all(DIALECTS.map((from) => read(world, from, id)));
      for (const view of views) {
        assert.deepEqual({ ...view, created: 0, updated: 0 }, { id, ...sent, created: 0, updated: 0 });
        assert.deepEqual([view.created, view.updated], [views[0]?.created, views[0]?.updated]);
      }
    }),
    { numRuns: sized(120, 300) },
  );
});

test('DL2 a write in any dialect replaces what another wrote, and keeps role, teams and settings', async () => {
  const world = httpWorld();
  const kept = { role: 'admin', teams: ['red'], language: 'en', invisible: true };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(dialect, facts), { minLength: 2, maxLength: 4 }), async (writes) => {
      const id = nextId();
      await world.send('POST', '/api/v2/users', { body: { users: { [id]: { id, ...kept } } } });
      const before = await read(world, 'v2', id);
      for (const [into, sent] of writes) {
        await write(world, into, id, sent, false);
        for (const from of DIALECTS) {
          const view = await read(world, from, id);
          assert.deepEqual({ ...view, created: 0, updated: 0 }, { id, ...sent, created: 0, updated: 0 });
          assert.equal(view.created, before.created);
        }
      }
      const user = world.backend.directory.user(id);
      assert.deepEqual({ role: user?.role, teams: user?.teams, language: user?.language, invisible: user?.invisible }, kept);
    }),
    { numRuns: sized(40, 100) },
  );
});

test('DL3 a partial update is seen in all dialects', async () => {
  const world = httpWorld();
  const plain = fc.constantFrom('a', 'b', 'size', 'toString');
  await fc.assert(
    fc.asyncProperty(dialect, fc.constantFrom('/users', '/api/v2/users'), facts, plain, value, async (into, path, sent, field, set) => {
      const id = nextId();
      await write(world, into, id, sent, true);
      const body = { users: [{ id, set: { [field]: set }, unset: ['name'] }] };
      assert.equal((await world.send('PATCH', path, { body })).status, 200);
      const { name: _, ...rest } = sent;
      const after = { id, ...rest, custom: { ...sent.custom, [field]: JSON.parse(JSON.stringify(set)) }, created: 0, updated: 0 };
      for (const from of DIALECTS) assert.deepEqual({ ...(await read(world, from, id)), created: 0, updated: 0 }, after);
    }),
    { numRuns: sized(60, 150) },
  );
});

test('DL4 what was deleted in one dialect is gone in all', async () => {
  for (const [method, path] of [
    ['DELETE', '/users/ann'],
    ['POST', '/api/v2/users/delete'],
    ['DELETE', '/api/v1.0/user/ann/'],
  ] as const) {
    const world = httpWorld();
    await write(world, 'v1', 'ann', { custom: {} }, true);
    const sent = method === 'POST' ? { body: { user_ids: ['ann'] } } : {};
    assert.ok((await world.send(method, path, sent)).status < 300);
    const query = { payload: JSON.stringify({ filter_conditions: { id: 'ann' } }) };
    assert.deepEqual((await world.send('GET', '/users', { query })).body.users, []);
    assert.deepEqual((await world.send('GET', '/api/v2/users', { query })).body.users, []);
    assert.equal((await world.send('GET', '/api/v1.0/user/ann/')).status, 404);
    assert.equal((await world.send('POST', '/users', { body: { users: { ann: {} } } })).body.code, 16, path);
  }
});

test('DL4 a name that is no text belongs to the data of the feeds dialect and is kept there', async () => {
  const world = httpWorld();
  assert.equal((await world.send('POST', '/api/v1.0/user/', { body: { id: 'ann', data: { name: { first: 'Ann' }, a: 1 } } })).status, 201);
  const { body } = await world.send('GET', '/api/v1.0/user/ann/');
  assert.deepEqual(body.data, { name: { first: 'Ann' }, a: 1 });
  const v2 = await world.send('GET', '/api/v2/users', { query: { payload: JSON.stringify({ filter_conditions: { id: 'ann' } }) } });
  assert.deepEqual([v2.body.users[0].name, v2.body.users[0].custom], [undefined, { name: { first: 'Ann' }, a: 1 }]);
});
