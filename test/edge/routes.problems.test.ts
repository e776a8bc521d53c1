/** BU7: however much is wrong with a body, its answer lists no more than a hundred problems, and little is looked at to find them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonSchema } from '../../daemon/edge/describe/schemas.ts';
import { ROUTES } from '../../daemon/edge/routes.ts';
import { ERRORS, PROBLEMS_MAX, RosterError } from '../../protocol/base/errors.ts';
import { isObject } from '../../protocol/base/json.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import { httpWorld, SERVER_TOKEN, userToken } from '../support/http/fake-backend.ts';

/** More than any list may hold. */
const MANY = 3_000;

/** Deeper than custom data may nest. */
const DEEP: unknown = JSON.parse(`${'['.repeat(40)}1${']'.repeat(40)}`);

type Pick = (bound: number) => number;

function schemasIn(value: unknown): readonly JsonSchema[] {
  return Array.isArray(value) ? value.filter((one): one is JsonSchema => isObject(one)) : [];
}

/** Characters of the text of a body: more than any body may have, and far less than a text can hold. */
const CHARS_MAX = 3_000_000;

/** So many of `one`, and no more than have room: lists in lists in lists would be longer than any text. */
function fitting(count: number, one: unknown): number {
  return Math.min(count, Math.ceil(CHARS_MAX / (JSON.stringify(one).length + 1)));
}

/** The first entries that have room together. */
function withRoom(entries: readonly (readonly [string, unknown])[]): readonly (readonly [string, unknown])[] {
  let chars = 0;
  return entries.filter(([name, value]) => {
    chars += name.length + JSON.stringify(value).length;
    return chars <= CHARS_MAX;
  });
}

/** A value in the form of the schema, with as much wrong in it as there is room for. */
function hostile(schema: JsonSchema, pick: Pick, depth = 0): unknown {
  const branches = schemasIn(schema.anyOf);
  if (branches.length > 0) return hostile(branches[pick(branches.length)] ?? {}, pick, depth);
  const wrong = [7.5, DEEP, { constructor: 1 }, '', null][pick(5)];
  if (depth > 4 || pick(8) === 0) return wrong;
  if (schema.type === 'array') {
    const item = isObject(schema.items) ? schema.items : {};
    const max = typeof schema.maxItems === 'number' ? schema.maxItems : MANY;
    const count = [1, Math.min(max, depth === 0 ? MANY : 200), depth === 0 ? MANY : 300][pick(3)] ?? 1;
    const one = hostile(item, pick, depth + 1);
    return Array.from({ length: fitting(count, one) }, (_, at) => (isObject(one) ? { ...one, id: `u${at}` } : one));
  }
  if (schema.type !== 'object') return wrong;
  const properties = isObject(schema.properties) ? Object.entries(schema.properties) : [];
  const own = properties.flatMap(([name, inner]) =>
    isObject(inner) && pick(4) > 0 ? [[name, hostile(inner, pick, depth + 1)] as const] : [],
  );
  const maps = [schema.additionalProperties, ...Object.values(isObject(schema.patternProperties) ? schema.patternProperties : {})];
  const map = maps.find((one) => isObject(one));
  const inner = isObject(map) ? hostile(map, pick, depth + 1) : wrong;
  const size = pick(2) === 0 ? 0 : depth === 0 ? MANY : 150;
  return Object.fromEntries([...withRoom(own), ...Array.from({ length: fitting(size, inner) }, (_, at) => [`k${at}`, inner])]);
}

test('BU7 no body of any endpoint is answered with more than a hundred problems', async () => {
  const world = httpWorld({ rateLimits: { mode: 'off' } });
  await world.send('POST', '/users', { body: { users: { ann: {} } } });
  const endpoints = ROUTES.filter(({ body }) => body !== undefined);
  assert.ok(endpoints.length > 50);
  let most = 0;
  for (const { method, path, body } of endpoints) {
    const schema = body as unknown as JsonSchema;
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat()), fc.constantFrom(SERVER_TOKEN, userToken('ann')), async (stream, token) => {
        const pick: Pick = (bound) => Number(stream.next().value) % bound;
        const { status, text } = await world.send(method, path.replaceAll(/:\w+/g, 'ann'), { token, body: hostile(schema, pick) });
        assert.ok(status < 500, `${path}: ${text.slice(0, 500)}`);
        const answer: unknown = JSON.parse(text);
        const { errors = [], exception_fields: named = {} } = isObject(answer) ? answer : {};
        const count = Math.max(Array.isArray(errors) ? errors.length : 0, Object.keys(Object(named)).length);
        most = Math.max(most, count);
        assert.ok(count <= PROBLEMS_MAX, `${method} ${path} lists ${count}`);
      }),
      { numRuns: 5 },
    );
  }
  assert.equal(most, PROBLEMS_MAX);
});

test('BU7 the bodies above are longer than any may be, and never longer than a text can be', () => {
  let most = 0;
  for (const { body } of ROUTES) {
    if (body === undefined) continue;
    let state = 7;
    const pick: Pick = (bound) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % bound;
    };
    for (let run = 0; run < 8; run++) {
      const text = JSON.stringify(hostile(body as unknown as JsonSchema, pick));
      most = Math.max(most, text.length);
    }
  }
  assert.ok(most > LIMITS.bodyBytes && most < 10 * CHARS_MAX, `${most} characters`);
});

test('BU7 a refusal keeps a problem of each item before the second of any', () => {
  const fields = Array.from({ length: 60 }, (_, at) =>
    ['id', 'name', 'role'].map((field) => ({ path: `users[u${at}].${field}`, message: 'x' })),
  );
  const kept = new RosterError('input', ERRORS.input.text, fields.flat()).fields.map(({ path }) => path);
  assert.equal(kept.length, PROBLEMS_MAX);
  for (let at = 0; at < 60; at++) assert.ok(kept.includes(`users[u${at}].id`));
  assert.deepEqual(kept.slice(0, 4), ['users[u0].id', 'users[u0].name', 'users[u0].role', 'users[u1].id']);
  const sites = Array.from({ length: 300 }, (_, at) => ({ path: `[${at}]`, message: 'x' }));
  assert.equal(new RosterError('input', '', sites).fields.length, PROBLEMS_MAX);
});
