/** Random requests to any endpoint of the route table, made out of its path and its schemas. */
import { plainSchema } from '../../../daemon/edge/describe/schemas.ts';
import type { Endpoint } from '../../../daemon/edge/http/endpoint.ts';
import { isObject } from '../../../protocol/base/json.ts';
import type { Sent } from '../http/fake-backend.ts';
import { chance, type Names, pick, type Random, someId, someValue } from './random-value.ts';

export interface RandomRequest {
  readonly method: Endpoint['method'];
  readonly path: string;
  readonly sent: Sent;
}

/** What may stand for a parameter of a path. A parameter that is not here must be added before its endpoint can be tried. */
const PARAMETERS: Readonly<Record<string, (random: Random, names: Names) => string>> = {
  id: someId,
  slug: (random) => pick(random, ['user', 'timeline']),
  activity_id: (random) => pick(random, ['post:1', 'post:2', '00000000-0000-1000-8000-000000000000']),
  target: (random, names) => `${pick(random, ['user', 'timeline'])}:${someId(random, names)}`,
  name: (random) => pick(random, ['hid', 'user']),
  task: () => 'task',
  file: () => 'file',
  hook_id: () => 'hook',
  letter_id: () => 'letter',
  type: () => 'messaging',
};

function pathOf({ path }: Endpoint, random: Random, names: Names): string {
  return path
    .split('/')
    .map((part) => {
      if (!part.startsWith(':')) return part;
      const make = PARAMETERS[part.slice(1)];
      if (make === undefined)
        throw new Error(`no generator knows the parameter ${part} of ${path}: add one to test/support/worlds/requests.ts`);
      return encodeURIComponent(make(random, names));
    })
    .join('/');
}

function queryOf({ query, operation }: Endpoint, random: Random, names: Names): Record<string, string> {
  if (query === undefined) return {};
  const made = someValue(plainSchema(query), '', random, names);
  // The id of a device is no id of a user, here and in the body.
  const device = operation === 'DeleteDevice' ? [['id', pick(random, names.devices)]] : [];
  const entries = Object.entries(isObject(made) ? made : {}).map(([key, value]) => {
    if (key === 'ids' && typeof value === 'string') return [key, [value, someId(random, names), someId(random, names)].join(',')];
    return [key, isObject(value) ? JSON.stringify(value) : String(value)];
  });
  return Object.fromEntries([...entries, ...device]);
}

function bodyOf({ body, operation }: Endpoint, random: Random, names: Names): unknown {
  if (body === undefined) return undefined;
  const made = someValue(plainSchema(body), '', random, names);
  return operation === 'CreateDevice' && isObject(made) ? { ...made, id: pick(random, names.devices) } : made;
}

function headersOf({ method, isConditional }: Endpoint, random: Random): Record<string, string> {
  return {
    // Under a key, the ids that a request makes are the same in both worlds. Now and then a key comes again.
    ...(method === 'GET' ? undefined : { 'idempotency-key': `key-${chance(random, 0.05) ? 0 : random()}` }),
    ...(isConditional !== undefined && chance(random, 0.2) ? { 'if-match': pick(random, ['*', '"9"', '"30"']) } : undefined),
    ...(chance(random, 0.1) ? { prefer: 'return=minimal' } : undefined),
  };
}

export function randomRequest(endpoint: Endpoint, random: Random, names: Names): RandomRequest {
  const body = endpoint.uploads !== undefined ? undefined : bodyOf(endpoint, random, names);
  return {
    method: endpoint.method,
    path: pathOf(endpoint, random, names),
    sent: { query: queryOf(endpoint, random, names), headers: headersOf(endpoint, random), ...(body === undefined ? undefined : { body }) },
  };
}
