/** The rule that a message has one schema: what describes an endpoint is what its handler reads the request with. */
import { mock } from 'node:test';
import type { TSchema } from 'typebox';
import { Validator } from 'typebox/compile';
import { type JsonSchema, plainSchema } from '../../../daemon/edge/describe/schemas.ts';
import type { Call, Endpoint } from '../../../daemon/edge/http/endpoint.ts';
import { RateLimits } from '../../../daemon/edge/rate-limits.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { sample } from '../http/bad-input.ts';
import { FakeBackend, fakeServices, NO_LIVE } from '../http/fake-backend.ts';

/** The schemas that `act` held anything against. What it throws is no matter of this. */
export async function schemasChecked(act: () => unknown): Promise<readonly TSchema[]> {
  const seen = new Set<TSchema>();
  const { Check } = Validator.prototype;
  const spy = mock.method(Validator.prototype, 'Check', function (this: Validator, value: unknown): boolean {
    seen.add(this.Type());
    return Check.call(this, value);
  });
  try {
    await act();
  } catch {
    // A request of the smallest size is often refused, by then it was read.
  } finally {
    spy.mock.restore();
  }
  return [...seen];
}

/** What is wrong with how the endpoint reads its requests; empty when nothing is. */
export async function unlikeDescribed(row: Endpoint): Promise<string[]> {
  const checked = (await schemasChecked(() => row.handle(smallestCall(row)))).map(plainSchema);
  const described = [...messagesOf(row)];
  const name = `${row.method} ${row.path}`;
  const unread = described
    .filter(([, schema]) => !isRead(schema, checked))
    .map(([where]) => `${name}: the ${where} is not read as described`);
  const foreign = checked.filter((schema) => !described.some(([, whole]) => isPieceOf(schema, whole)));
  return [...unread, ...foreign.map((schema) => `${name}: reads what is not described: ${JSON.stringify(schema).slice(0, 200)}`)];
}

/** The body, the texts of the query together, and each object in the query. */
function* messagesOf({ body, query }: Endpoint): Iterable<readonly [where: string, schema: JsonSchema]> {
  if (body !== undefined) yield ['body', plainSchema(body)];
  if (query === undefined) return;
  const whole = plainSchema(query);
  const parameters = Object.entries(propertiesOf(whole));
  if (parameters.some(([, { type }]) => type !== 'object')) yield ['query', whole];
  for (const [name, schema] of parameters) if (schema.type === 'object') yield [name, schema];
}

function smallestCall(row: Endpoint): Call {
  const params = Object.fromEntries([...row.path.matchAll(/:(\w+)/g)].map(([, name]) => [name, 'some']));
  const query = row.query === undefined ? {} : sample(plainSchema(row.query));
  const backend = new FakeBackend();
  return {
    backend,
    submit: (command, lane) => backend.submit(command, lane),
    services: { ...fakeServices(), compatStubs: true },
    rateLimits: new RateLimits({ mode: 'off' }),
    endpoints: [],
    isGone: () => false,
    live: NO_LIVE,
    caller: { kind: 'server' },
    stranger: undefined,
    signIn: undefined,
    id: 'some',
    params,
    query: Object.fromEntries(Object.entries(Object(query)).map(([name, value]) => [name, String(value)])),
    client: undefined,
    address: '',
    isMinimal: false,
    conditions: {},
    current: async () => {},
    newId: () => '00000000-0000-4000-8000-000000000000',
    isRepeat: () => false,
    body: () => Promise.resolve(row.body === undefined ? undefined : { ...Object(sample(plainSchema(row.body))), if_rev: { some: 1 } }),
    rawBody: process.stdin,
  };
}

/** Whether values were held against the schema, or against all of it in pieces: one field apart, or the items in it one by one. */
function isRead(whole: JsonSchema, checked: readonly JsonSchema[]): boolean {
  const isChecked = (schema: JsonSchema): boolean => checked.some((one) => isSame(one, schema));
  if (isChecked(whole)) return true;
  return checked.some((one) => {
    const apart = fieldsApart(one, whole);
    return apart?.flatMap(contentsOf).every((piece) => isRead(piece, checked)) === true;
  });
}

/** The fields of `whole` of which `one` says only how they look from the outside; undefined when it differs in anything else. */
function fieldsApart(one: JsonSchema, whole: JsonSchema): readonly JsonSchema[] | undefined {
  const outer = propertiesOf(one);
  const fields = propertiesOf(whole);
  if (!isSame({ ...one, properties: Object.keys(outer) }, { ...whole, properties: Object.keys(fields) })) return undefined;
  const apart = Object.entries(fields).filter(([name, schema]) => !isSame(outer[name] ?? {}, schema));
  return apart.every(([name, schema]) => isShellOf(outer[name] ?? {}, schema)) ? apart.map(([, schema]) => schema) : undefined;
}

/** Says of kind and size what `whole` says, and nothing of what is inside. */
function isShellOf(shell: JsonSchema, whole: JsonSchema): boolean {
  const sides = ['type', 'minItems', 'maxItems', 'minProperties', 'maxProperties'];
  const branches = branchesOf(shell);
  if (branches.length !== branchesOf(whole).length) return false;
  if (branches.length > 0) return branchesOf(whole).every((branch, at) => isShellOf(branches[at] ?? {}, branch));
  return Object.keys(shell).every((key) => sides.includes(key)) && sides.every((key) => shell[key] === whole[key]);
}

/** What is in a list or a map; an object itself. */
function contentsOf(schema: JsonSchema): readonly JsonSchema[] {
  const branches = branchesOf(schema);
  if (branches.length > 0) return branches.flatMap(contentsOf);
  return [schema.items, schema.additionalProperties].filter(isObject).concat(schema.properties === undefined ? [] : [schema]);
}

/** A part of the described schema at any depth, some fields of one, or the outside of one. */
function isPieceOf(one: JsonSchema, whole: JsonSchema): boolean {
  if (isSame(one, whole) || isSomeOf(one, whole) || fieldsApart(one, whole) !== undefined) return true;
  const inside = [...branchesOf(whole), ...Object.values(propertiesOf(whole)), whole.items, whole.additionalProperties].filter(isObject);
  return inside.some((part) => isPieceOf(one, part));
}

function isSomeOf(one: JsonSchema, whole: JsonSchema): boolean {
  const fields = Object.entries(propertiesOf(one));
  return fields.length > 0 && fields.every(([name, schema]) => isSame(schema, propertiesOf(whole)[name] ?? {}));
}

function propertiesOf({ properties }: JsonSchema): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    Object.entries(isObject(properties) ? properties : {}).flatMap(([name, one]) => (isObject(one) ? [[name, one]] : [])),
  );
}

function branchesOf({ anyOf }: JsonSchema): readonly JsonSchema[] {
  return Array.isArray(anyOf) ? anyOf.filter(isObject) : [];
}

function isSame(one: JsonSchema, other: JsonSchema): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
