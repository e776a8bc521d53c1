/** HS16: the schema that describes a message is the one that reads it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Type, { type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Endpoint } from '../../daemon/edge/http/endpoint.ts';
import { checkFrame } from '../../daemon/edge/live/session/frame-decoder.ts';
import { ROUTES } from '../../daemon/edge/routes.ts';
import { envelope } from '../../protocol/base/envelope.ts';
import { queryReader } from '../../protocol/base/query-string.ts';
import { CLIENT_FRAMES } from '../../protocol/live/client-frames.ts';
import { schemasChecked, unlikeDescribed } from '../support/house/messages.ts';

test('HS16 what describes an endpoint is what its requests are read with', async () => {
  const rows = ROUTES.filter(({ body, query }) => body !== undefined || query !== undefined);
  assert.ok(rows.length > 60, `only ${rows.length} endpoints take anything`);
  const wrong: string[] = [];
  for (const row of ROUTES) wrong.push(...(await unlikeDescribed(row)));
  assert.deepEqual(wrong, []);
});

test('HS16 a live frame is read with the schema that describes it', async () => {
  for (const [op, schema] of Object.entries(CLIENT_FRAMES)) {
    const [only, ...more] = await schemasChecked(() => checkFrame({ op }));
    assert.equal(only, schema, op);
    assert.deepEqual(more, []);
  }
});

/** An endpoint that reads its body and its query with these. */
function endpoint(described: Pick<Endpoint, 'body' | 'query'>, read: readonly TSchema[]): Endpoint {
  const checks = read.map((schema) => Compile(schema));
  return {
    operation: 'Planted',
    method: 'POST',
    path: '/planted',
    dialect: 'v1',
    access: 'server',
    summary: 'Planted',
    answer: Type.Object({}),
    ...described,
    handle: async ({ body }) => {
      const sent = await body();
      for (const check of checks) check.Check(sent);
      return { body: {} };
    },
  };
}

test('HS16 another schema, one that nothing is read with, and an item of another form are found', async () => {
  const Item = Type.Object({ id: Type.String(), name: Type.Optional(Type.String()) });
  const body = Type.Object({ users: Type.Array(Item, { minItems: 1 }), force: Type.Optional(Type.Boolean()) });
  const OtherItem = Type.Object({ id: Type.String(), name: Type.Optional(Type.Number()) });
  const Other = Type.Object({ users: Type.Array(Item), force: Type.Optional(Type.Boolean()) });
  const outside = envelope(body, 'users');

  assert.deepEqual(await unlikeDescribed(endpoint({ body }, [body])), []);
  assert.deepEqual(await unlikeDescribed(endpoint({ body }, [outside, Item])), []);

  const unread = 'POST /planted: the body is not read as described';
  const foreign = /^POST \/planted: reads what is not described: \{"type":"object"/;
  assert.deepEqual(await unlikeDescribed(endpoint({ body }, [])), [unread]);
  assert.deepEqual(await unlikeDescribed(endpoint({ body }, [outside])), [unread]);
  for (const read of [[Other], [envelope(Other, 'users'), Item], [outside, OtherItem]]) {
    const [first, second = ''] = await unlikeDescribed(endpoint({ body }, read));
    assert.equal(first, unread);
    assert.match(second, foreign);
  }
  assert.match((await unlikeDescribed(endpoint({}, [Item])))[0] ?? '', foreign);
});

test('HS16 a query that is read by hand is found', async () => {
  const query = Type.Object({ limit: Type.Optional(Type.Integer()) });
  const read = queryReader(query);
  const byHand: Endpoint = { ...endpoint({ query }, []), handle: (call) => ({ body: { limit: call.query.limit } }) };
  assert.deepEqual(await unlikeDescribed(byHand), ['POST /planted: the query is not read as described']);
  assert.deepEqual(await unlikeDescribed({ ...byHand, handle: (call) => ({ body: read(call.query) }) }), []);
});
