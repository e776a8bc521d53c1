/** The description of the API: OA1–OA6. That its answers are what is answered is checked wherever a test world sees an answer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeApi } from '../../../daemon/edge/describe/openapi.ts';
import type { JsonSchema } from '../../../daemon/edge/describe/schemas.ts';
import type { Endpoint } from '../../../daemon/edge/http/endpoint.ts';
import { ROUTES } from '../../../daemon/edge/routes.ts';
import { checkAnswer, checkAnswerType } from '../../support/http/answer-check.ts';
import { fakeServices, httpWorld } from '../../support/http/fake-backend.ts';
import { openApiBreaches } from '../../support/http/openapi-rules.ts';

function described(endpoints: readonly Endpoint[]): JsonSchema {
  const walk = describeApi(endpoints);
  for (;;) {
    const { done, value } = walk.next();
    if (done === true) return value;
  }
}

interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly responses: Readonly<Record<string, { readonly $ref?: string }>>;
  readonly requestBody?: object;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

async function served(compatStubs: boolean): Promise<Document> {
  const world = httpWorld({ services: { ...fakeServices(), compatStubs } });
  const { status, headers, body } = await world.send('GET', '/openapi.json', { token: null, query: { api_key: '' } });
  assert.equal(status, 200);
  assert.match(headers['content-type'] ?? '', /^application\/json/);
  return body;
}

const templateOf = (path: string): string => path.replaceAll(/:(\w+)/g, '{$1}');

describe('the description of the API', () => {
  it('OA1 keeps the rules of OpenAPI 3.1', async () => {
    assert.deepEqual(openApiBreaches(await served(true)), []);
    assert.deepEqual(openApiBreaches(await served(false)), []);
  });

  it('OA1 the rules find what is wrong', () => {
    const breaks: readonly [RegExp, (text: string) => string][] = [
      [/leads nowhere/, (text) => text.replace('#/components/responses/chat_400', '#/components/responses/nothing')],
      [/is there twice/, (text) => text.replace('"v2_UpdateUsers"', '"v1_UpdateUsers"')],
      [/must be those of/, (text) => text.replace('"name":"id","in":"path"', '"name":"ID","in":"path"')],
      [/is not known/, (text) => text.replace('"operationId"', '"operationID"')],
      [/keyword/, (text) => text.replace('"type":"boolean"', '"type":"bool"')],
      [/keyword/, (text) => text.replace('"type":"boolean"', '"~optional":true')],
      [/which it does not describe/, (text) => text.replace('"required":["task_id"', '"required":["task"')],
      [/no security scheme/, (text) => text.replace('"auth_type":[]', '"auth":[]')],
      [/3\.1/, (text) => text.replace('"openapi":"3.1.0"', '"openapi":"2.0"')],
      [/must have a description/, (text) => text.replace(/"description":"code [^"]*",/, '')],
    ];
    const text = JSON.stringify(described(ROUTES));
    for (const [found, spoil] of breaks) {
      const spoilt = spoil(text);
      assert.notEqual(spoilt, text, String(found));
      assert.match(openApiBreaches(JSON.parse(spoilt)).join('\n'), found);
    }
  });

  it('OA2 every route is described, and every described operation is a route', async () => {
    const { paths } = await served(true);
    const described = Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
    const rows = ROUTES.map(({ method, path }) => `${method} ${templateOf(path)}`);
    assert.ok(rows.length > 20, 'too few routes were seen');
    assert.equal(new Set(rows).size, rows.length, 'a route is there twice');
    assert.deepEqual(described.sort(), rows.sort());
  });

  it('OA3 what a daemon does not serve is not described: the stand-ins for channels are opt-in', async () => {
    const without = Object.keys((await served(false)).paths);
    const stubs = ROUTES.filter(({ isStub }) => isStub === true).map(({ path }) => templateOf(path));
    assert.ok(stubs.length > 0);
    assert.deepEqual(
      stubs.filter((path) => without.includes(path)),
      [],
    );
  });

  it('OA4 an operation says who may call it, what it takes, and how it may refuse', async () => {
    const { paths } = await served(true);
    for (const row of ROUTES) {
      const operation = paths[templateOf(row.path)]?.[row.method.toLowerCase()];
      assert.ok(operation, row.path);
      const what = operation.operationId;
      assert.equal(operation.security.length > 0, row.access !== 'open', what);
      assert.equal(
        operation.security.some((one) => Object.hasOwn(one, 'token')),
        ['server', 'user', 'guest'].includes(row.access),
        what,
      );
      assert.equal(
        operation.requestBody !== undefined,
        row.method !== 'GET' && (row.body !== undefined || row.uploads !== undefined),
        what,
      );
      const family = row.dialect === 'feeds' ? 'feeds' : 'chat';
      for (const [status, { $ref }] of Object.entries(operation.responses)) {
        if (status >= '400') assert.equal($ref, `#/components/responses/${family}_${status}`, what);
      }
      for (const status of ['400', '404', '429', '500', ...(row.access === 'server' ? ['401', '403'] : [])]) {
        assert.ok(Object.hasOwn(operation.responses, status), `${what} lacks ${status}`);
      }
      const query = Reflect.get(row.query ?? {}, 'properties') ?? {};
      assert.deepEqual(
        operation.parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name),
        Object.keys(query),
        what,
      );
    }
  });

  it('OA5 an answer that is not as described is found', async () => {
    const { send } = httpWorld();
    const { body } = await send('GET', '/api/v2/users');
    checkAnswer('GET', '/api/v2/users', 200, body);
    const wrong: readonly [number, object][] = [
      [200, { ...body, more: 1 }],
      [200, { users: [] }],
      [200, { users: {}, duration: '1.00ms' }],
      [202, body],
      [404, { code: 16 }],
    ];
    for (const [status, answer] of wrong) {
      assert.throws(() => checkAnswer('GET', '/api/v2//users/?x=1', status, answer), assert.AssertionError);
    }
  });

  it('OA7 an operation names the content types of its body and its answers, and another one is found', async () => {
    const { paths } = await served(true);
    const typesOf = (value: unknown): string[] => Object.keys(Object(Object(value).content));
    for (const row of ROUTES) {
      const { operationId, requestBody, responses } = paths[templateOf(row.path)]?.[row.method.toLowerCase()] ?? assert.fail(row.path);
      if (requestBody !== undefined) assert.deepEqual(typesOf(requestBody), row.uploads ?? ['application/json'], operationId);
      assert.deepEqual(typesOf(responses['200']), row.downloads ?? ['application/json'], operationId);
    }
    assert.deepEqual(typesOf(paths['/backup']?.get?.responses['200']), ['application/x-ndjson', 'application/gzip']);
    assert.deepEqual(typesOf(paths['/imports/uploads/{id}/{file}']?.put?.requestBody), [
      'application/octet-stream',
      'application/x-ndjson',
      'application/json',
    ]);
    checkAnswerType('GET', '/backup?x', 200, 'application/gzip');
    checkAnswerType('GET', '/users', 200, 'application/json; charset=utf-8');
    const wrong: readonly [string, number, string | undefined][] = [
      ['/backup', 200, 'application/octet-stream'],
      ['/backup', 400, 'application/gzip'],
      ['/users', 200, 'text/html'],
      ['/users', 200, undefined],
    ];
    for (const [path, status, type] of wrong) assert.throws(() => checkAnswerType('GET', path, status, type), assert.AssertionError);
  });

  it('OA6 two different schemas cannot share a name', () => {
    const [row] = ROUTES;
    assert.ok(row);
    const other = {
      ...row,
      path: '/other',
      answer: { type: 'object', properties: { user: { type: 'object', properties: {}, title: 'User_v1' } } },
    };
    assert.throws(() => described([...ROUTES, other]), /two different schemas/);
  });
});
