/**
 * The description of the API (OpenAPI 3.1), made from the rows of the route table. Its schemas are the ones that validate requests and that
 * tests apply to every answer, so it cannot differ from the behaviour.
 */
import { ERRORS, type ErrorKind, RosterError } from '../../../protocol/base/errors.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { renderFeedsError } from '../../../protocol/feeds/errors.ts';
import { AnswerDuration, ChatErrorAnswer, FeedsErrorAnswer } from '../../../protocol/users/answers.ts';
import type { Access, Endpoint, RouteDialect } from '../http/endpoint.ts';
import { mayAskPosition } from '../nodes/asked-position.ts';
import { DESCRIBED_HEADERS, headerRefs, POSITION, REPLAYED, RETRY, STALE, TAG } from './headers.ts';
import { hoist, type JsonSchema, plainSchema } from './schemas.ts';

/** Version of the description, not of the program: its major number changes when clients must change. */
const VERSION = '1.0.0';
const JSON_TYPE = 'application/json';

const TAGS: Readonly<Record<RouteDialect, { readonly name: string; readonly description: string }>> = {
  v1: { name: 'chat v1', description: 'Custom data at the top level of a user; times in RFC 3339.' },
  v2: { name: 'chat v2', description: 'Custom data in `custom`; times in requests in RFC 3339, in answers as integer nanoseconds.' },
  feeds: { name: 'feeds', description: 'Everything about a user in `data`; errors of its own.' },
};

/** The whole document, made with a yield after each endpoint. Errors come from the closed list, everything else from the rows. */
export function* describeApi(endpoints: readonly Endpoint[]): Generator<undefined, JsonSchema> {
  const schemas = new Map<string, JsonSchema>();
  const paths = new Map<string, Map<string, JsonSchema>>();
  const ids = operationIds(endpoints);
  for (const endpoint of endpoints) {
    const path = pathTemplate(endpoint.path);
    const item = paths.get(path) ?? new Map<string, JsonSchema>();
    item.set(endpoint.method.toLowerCase(), operation(endpoint, ids.get(endpoint) ?? '', schemas));
    paths.set(path, item);
    yield;
  }
  const errors = { ChatError: plainSchema(ChatErrorAnswer), FeedsError: plainSchema(FeedsErrorAnswer) };
  return {
    openapi: '3.1.0',
    info: {
      title: 'rosterd',
      version: VERSION,
      description: [
        'A user directory in three dialects over one record.',
        'A field that is null, and a text that is empty, count as not sent unless the description of an operation says otherwise;',
        'an empty list is understood where an object is expected.',
      ].join(' '),
    },
    tags: Object.values(TAGS),
    paths: Object.fromEntries([...paths].map(([path, item]) => [path, Object.fromEntries(item)])),
    components: {
      schemas: { ...Object.fromEntries(schemas), ...errors },
      responses: errorResponses(),
      headers: DESCRIBED_HEADERS,
      securitySchemes: SECURITY_SCHEMES,
    },
  };
}

/** `v2_UpdateUsers`. An operation with several paths in one dialect has a number after its name. */
function operationIds(endpoints: readonly Endpoint[]): ReadonlyMap<Endpoint, string> {
  const seen = new Map<string, number>();
  return new Map(
    endpoints.map((endpoint) => {
      const name = `${endpoint.dialect}_${endpoint.operation}`;
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      return [endpoint, count === 1 ? name : `${name}_${count}`];
    }),
  );
}

/** `/users/:id` → `/users/{id}`. */
function pathTemplate(path: string): string {
  return path.replaceAll(/:([A-Za-z_]\w*)/g, '{$1}');
}

function operation(endpoint: Endpoint, operationId: string, schemas: Map<string, JsonSchema>): JsonSchema {
  const { dialect, access, summary, body, uploads } = endpoint;
  const hoisted = (schema: JsonSchema): JsonSchema => hoist(schema, schemas);
  return {
    operationId,
    tags: [TAGS[dialect].name],
    summary,
    description: ACCESS[access],
    parameters: [...pathParameters(endpoint.path), ...queryParameters(endpoint), ...headerParameters(endpoint)],
    ...(uploads === undefined ? undefined : { requestBody: { required: true, content: contentOf(uploads, {}) } }),
    ...(body !== undefined
      ? {
          requestBody: {
            required: isRequired(plainSchema(body)),
            content: { [JSON_TYPE]: { schema: hoisted(plainSchema(body)) } },
          },
        }
      : undefined),
    responses: { ...successes(endpoint, hoisted), ...refusals(endpoint) },
    security: SECURITY[access],
  };
}

function isRequired({ required }: JsonSchema): boolean {
  return Array.isArray(required) && required.length > 0;
}

function pathParameters(path: string): JsonSchema[] {
  return [...path.matchAll(/:([A-Za-z_]\w*)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', minLength: 1 },
  }));
}

/** An object in the query is sent as one JSON text. */
function queryParameters({ query }: Endpoint): JsonSchema[] {
  if (query === undefined) return [];
  const { properties, required } = plainSchema(query);
  const needed = new Set(Array.isArray(required) ? required : []);
  return Object.entries(isObject(properties) ? properties : {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: needed.has(name),
    ...(isObject(schema) && schema.type === 'object' ? { content: { [JSON_TYPE]: { schema } } } : { schema }),
  }));
}

/** Whether a request can have an `Idempotency-Key`, which distinguishes a repeat from a new request. */
function isKeyed({ method, access }: Endpoint): boolean {
  return method !== 'GET' && access !== 'signed';
}

function headerParameters(endpoint: Endpoint): JsonSchema[] {
  const given = [
    ...(isKeyed(endpoint)
      ? [['Idempotency-Key', 'A request that is sent again with the same key is not carried out again, and answered as before.']]
      : []),
    ...conditionHeaders(endpoint),
    ...(mayAskPosition(endpoint)
      ? [[POSITION, 'A position that an answer gave, by whatever node: the answer rests on everything up to it.']]
      : []),
  ];
  return given.map(([name, description]) => ({ name, in: 'header', required: false, description, schema: { type: 'string' } }));
}

function conditionHeaders({ isConditional }: Endpoint): readonly (readonly [name: string, description: string])[] {
  switch (isConditional) {
    case 'user':
      return [
        ['If-Match', 'The revision that the one user of the request must have: `"12"`; `*`: there must be such a user.'],
        ['If-None-Match', '`*`: there must be no such user.'],
      ];
    case 'settings':
      return [['If-Match', 'The revision that the settings must have to be changed: the `ETag` of GetApp.']];
    default:
      return [];
  }
}

/** Statuses that a success may have: requests that create answer 201 if they created something. */
export function successStatuses({ method, isPlain, uploads }: Endpoint): readonly number[] {
  const mayCreate = method === 'POST' || method === 'PUT';
  return mayCreate && isPlain !== true && uploads === undefined ? [200, 201] : [200];
}

/** Content types of a success. */
export function answerTypes({ downloads }: Endpoint): readonly string[] {
  return downloads ?? [JSON_TYPE];
}

function contentOf(types: readonly string[], content: JsonSchema): JsonSchema {
  return Object.fromEntries(types.map((type) => [type, content]));
}

function successes(endpoint: Endpoint, hoisted: (schema: JsonSchema) => JsonSchema): JsonSchema {
  const names = [
    'X-RateLimit-Limit',
    'X-RateLimit-Remaining',
    'X-RateLimit-Reset',
    ...(endpoint.method === 'GET' ? [] : [POSITION]),
    STALE,
    ...(isKeyed(endpoint) ? [REPLAYED] : []),
    ...(endpoint.isConditional === 'user' || endpoint.isTagged === true ? [TAG] : []),
  ];
  const response = {
    description: endpoint.summary,
    headers: headerRefs(names),
    content: contentOf(answerTypes(endpoint), endpoint.downloads === undefined ? { schema: hoisted(answerSchema(endpoint)) } : {}),
  };
  return Object.fromEntries(successStatuses(endpoint).map((status) => [String(status), response]));
}

/** The body of a success, as plain JSON schema: the answer of the row, and `duration`. */
export function answerSchema({ answer, isPlain }: Endpoint): JsonSchema {
  const schema = plainSchema(answer);
  return isPlain === true ? schema : withDuration(schema);
}

/** The title is removed, because with `duration` it is a different schema. */
function withDuration({ title: _, ...schema }: JsonSchema): JsonSchema {
  const { properties, required, anyOf } = schema;
  if (Array.isArray(anyOf)) return { ...schema, anyOf: anyOf.map(withDuration) };
  return {
    ...schema,
    properties: { ...(isObject(properties) ? properties : undefined), duration: plainSchema(AnswerDuration) },
    required: [...(Array.isArray(required) ? required : []), 'duration'],
  };
}

const SECURITY_SCHEMES: JsonSchema = {
  api_key: { type: 'apiKey', in: 'query', name: 'api_key' },
  token: { type: 'apiKey', in: 'header', name: 'Authorization', description: 'A JWT (HS256), with or without `Bearer ` before it.' },
  auth_type: { type: 'apiKey', in: 'header', name: 'Stream-Auth-Type', description: '`jwt`, which is also what a missing one means.' },
  signature: { type: 'apiKey', in: 'query', name: 'sig', description: 'Part of a URL that another answer gave, with `exp`.' },
};

const WITH_TOKEN = [
  { api_key: [], token: [], auth_type: [] },
  { api_key: [], token: [] },
];

const SECURITY: Readonly<Record<Access, readonly JsonSchema[]>> = {
  server: WITH_TOKEN,
  user: WITH_TOKEN,
  guest: [...WITH_TOKEN, { api_key: [] }],
  signed: [{ signature: [] }],
  open: [],
};

const ACCESS: Readonly<Record<Access, string>> = {
  server: 'Needs a server token.',
  user: 'A server token acts for anyone, a user token for its own user.',
  guest: 'Works without a token, too.',
  signed: 'The URL is signed and works without a token while it is valid.',
  open: 'Needs no key and no token.',
};

/** Refusals by their cause, so that an operation lists those that it can answer with. */
const EVERYWHERE = ['input', 'not_found', 'rate_limit', 'headers_too_big', 'timeout', 'unavailable', 'internal'] as const;
const OF_TOKENS = ['api_key', 'auth', 'token_expired', 'token_not_yet', 'token_iat', 'token_signature', 'not_allowed'] as const;

function kindsOf(endpoint: Endpoint): readonly ErrorKind[] {
  const { access, method, body, uploads, isConditional } = endpoint;
  return [
    ...EVERYWHERE,
    ...(access === 'open' ? [] : access === 'signed' ? (['not_allowed'] as const) : OF_TOKENS),
    ...(body !== undefined || uploads !== undefined ? (['too_big'] as const) : []),
    ...(method === 'POST' ? (['conflict', 'duplicate_username'] as const) : []),
    ...(isConditional !== undefined ? (['precondition'] as const) : []),
    ...(isKeyed(endpoint) ? (['key_reused'] as const) : []),
  ];
}

type Family = 'chat' | 'feeds';

function specOf(kind: ErrorKind, family: Family): { readonly code: number; readonly status: number } {
  if (family === 'chat') return ERRORS[kind];
  const { code, status_code: status } = renderFeedsError(new RosterError(kind), '');
  return { code, status };
}

function refusals(endpoint: Endpoint): JsonSchema {
  const family = endpoint.dialect === 'feeds' ? 'feeds' : 'chat';
  const statuses = new Set(kindsOf(endpoint).map((kind) => specOf(kind, family).status));
  return Object.fromEntries([...statuses].sort().map((status) => [String(status), { $ref: `#/components/responses/${family}_${status}` }]));
}

function errorResponses(): JsonSchema {
  const byName = new Map<string, { readonly family: Family; readonly status: number; readonly lines: string[] }>();
  for (const family of ['chat', 'feeds'] as const) {
    // The literal has one key for each kind, and no others.
    for (const kind of Object.keys(ERRORS) as ErrorKind[]) {
      // No operation of that dialect accepts a condition.
      if (kind === 'precondition' && family === 'feeds') continue;
      const { code, status } = specOf(kind, family);
      const name = `${family}_${status}`;
      const known = byName.get(name) ?? { family, status, lines: [] };
      known.lines.push(`code ${code}: ${ERRORS[kind].text}`);
      byName.set(name, known);
    }
  }
  return Object.fromEntries(
    [...byName].map(([name, { family, status, lines }]) => [
      name,
      {
        description: [...new Set(lines)].join('; '),
        headers: headerRefs([
          ...Object.keys(DESCRIBED_HEADERS).filter((key) => key.startsWith('X-RateLimit')),
          ...(status === 429 || status === 503 ? [RETRY] : []),
        ]),
        content: { [JSON_TYPE]: { schema: { $ref: `#/components/schemas/${family === 'chat' ? 'ChatError' : 'FeedsError'}` } } },
      },
    ]),
  );
}
