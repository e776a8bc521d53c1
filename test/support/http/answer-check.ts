/**
 * Holds answers against what the description of the API says about them, so that the description cannot lie: every answer
 * that the test worlds see goes through here. Schemas are closed for it: a key that the description does not name is a mistake.
 */
import assert from 'node:assert/strict';
import { Compile, type Validator } from 'typebox/compile';
import { answerSchema, answerTypes, successStatuses } from '../../../daemon/edge/describe/openapi.ts';
import { type JsonSchema, plainSchema } from '../../../daemon/edge/describe/schemas.ts';
import type { Endpoint } from '../../../daemon/edge/http/endpoint.ts';
import { ROUTES } from '../../../daemon/edge/routes.ts';
import { ChatErrorAnswer, FeedsErrorAnswer } from '../../../protocol/users/answers.ts';

/** The path alone, as the router sees it: without query, doubled slashes and a slash at the end. */
function routedPath(url: string): string {
  return (url.split('?')[0] ?? '').replaceAll(/\/+/g, '/').replace(/(?<=.)\/$/, '');
}

interface Row {
  readonly endpoint: Endpoint;
  readonly pattern: readonly string[];
}

/** The rows by their method and the number of parts of their paths. */
const rows = new Map<string, Row[]>();
for (const endpoint of ROUTES) {
  const pattern = endpoint.path.split('/');
  const kind = `${endpoint.method} ${pattern.length}`;
  rows.set(kind, [...(rows.get(kind) ?? []), { endpoint, pattern }]);
}

/** The row that serves a request; a literal part of a path goes before a parameter, as in the router. */
export function endpointOf(method: string, url: string): Endpoint | undefined {
  const parts = routedPath(url).split('/');
  const matching = (rows.get(`${method} ${parts.length}`) ?? [])
    .filter(({ pattern }) => pattern.every((part, at) => part === parts[at] || (part.startsWith(':') && parts[at] !== '')))
    .map(({ endpoint }) => endpoint);
  const literal = ({ path }: Endpoint): string => path.replaceAll(/:\w+/g, '~');
  return matching.sort((a, b) => (literal(a) < literal(b) ? -1 : 1))[0];
}

/** The schema with every object closed that does not say itself what else it may hold. Parts of an intersection stay open. */
function closed(schema: unknown, isPart = false): unknown {
  if (Array.isArray(schema)) return schema.map((item) => closed(item, isPart));
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value, key === 'allOf')]));
  const isOpen = inner.properties === undefined || inner.additionalProperties !== undefined || isPart;
  return isOpen || inner.type !== 'object' ? inner : { ...inner, additionalProperties: false };
}

const checks = new Map<object, Validator>();

function checkOf(key: object, schema: () => JsonSchema): Validator {
  const known = checks.get(key) ?? Compile({ ...Object(closed(schema())) });
  checks.set(key, known);
  return known;
}

function assertFits(check: Validator, body: unknown, what: string): void {
  if (check.Check(body)) return;
  const problems = check
    .Errors(body)
    .map(({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`);
  assert.fail(`${what} is not as described:\n  ${problems.join('\n  ')}\n${JSON.stringify(body)?.slice(0, 2_000)}`);
}

/** Fails when an answer has another content type than those described for its endpoint. */
export function checkAnswerType(method: string, url: string, status: number, type: string | null | undefined): void {
  const endpoint = endpointOf(method, url);
  const described = status >= 400 || endpoint === undefined ? ['application/json'] : answerTypes(endpoint);
  const media = type?.split(';')[0]?.trim() ?? '(none)';
  assert.ok(described.includes(media), `the answer ${status} to ${method} ${routedPath(url)} is ${media}; ${described} is described`);
}

/** Fails when an answer is not of the form that is described for its endpoint. Answers that are no JSON are not for here. */
export function checkAnswer(method: string, url: string, status: number, body: unknown): void {
  const endpoint = endpointOf(method, url);
  const what = `the answer ${status} to ${method} ${routedPath(url)}`;
  if (status >= 400) {
    const isFeeds = /^\/api\/v1\.0(\/|$)/.test(routedPath(url));
    const schema = isFeeds ? FeedsErrorAnswer : ChatErrorAnswer;
    assertFits(
      checkOf(schema, () => plainSchema(schema)),
      body,
      what,
    );
    return;
  }
  if (endpoint === undefined || endpoint.downloads !== undefined) return;
  assert.ok(successStatuses(endpoint).includes(status), `${what}: only ${successStatuses(endpoint)} are described`);
  assertFits(
    checkOf(endpoint, () => answerSchema(endpoint)),
    body,
    what,
  );
}
