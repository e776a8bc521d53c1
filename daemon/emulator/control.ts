/**
 * What the emulator answers below /emulator. It needs no token, as it listens on loopback only; pages of other sites, which a browser lets
 * send requests to this machine, are refused.
 *
 * It keeps EM2 and EM9 (README.md).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fieldErrors, RosterError, renderChatError } from '../../protocol/base/errors.ts';
import { clip } from '../../protocol/base/field-path.ts';
import { joined } from '../base/joined.ts';
import { isLoopback } from '../base/loopback.ts';
import { bodyParts, readJsonBody, tooBig } from '../edge/http/body.ts';
import { flatQuery, header, originForm } from '../edge/http/request-parts.ts';
import type { EmulatedApp } from './app.ts';
import { CONTROL_ENDPOINTS } from './endpoints/all.ts';
import { type AllApps, type ControlAnswer, type ControlEndpoint, refuseUnknown } from './endpoints/endpoint.ts';
import type { Between } from './front.ts';

/** A seed may be long; it is bounded by its bytes. */
const VALUES_MAX = 10_000_000;

interface Found {
  readonly endpoint: ControlEndpoint;
  readonly params: Readonly<Record<string, string>>;
}

/** Serves one application; `all` are those of the same emulator. */
export function createControl(all: AllApps, app: EmulatedApp): Between['control'] {
  return (request, response) => {
    void answerOf(all, app, request, response)
      .catch((error: unknown): ControlAnswer => refusalOf(error, request))
      .then((answer) => send(request, response, answer));
  };
}

async function answerOf(all: AllApps, app: EmulatedApp, request: IncomingMessage, response: ServerResponse): Promise<ControlAnswer> {
  refuseStrangers(request);
  if (request.method === 'OPTIONS') return { status: 204, body: {} };
  const [path = '', search = ''] = originForm(request.url ?? '').split('?', 2);
  const { endpoint, params } = findEndpoint(request.method ?? '', path);
  const query = flatQuery(search);
  refuseUnknown(Object.keys(query), endpoint.query, 'parameter');
  if (endpoint.method === 'POST') requireJson(request);
  const body = endpoint.isRaw ? await rawBody(request, endpoint.bodyBytesMax) : await jsonBody(request, endpoint);
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return await endpoint.handle({ app, all, params, query, body, headers: request.headers, gone: gone.signal });
}

/** Against pages of other sites, and against names that were made to point here (DNS rebinding). */
function refuseStrangers({ headers }: IncomingMessage): void {
  const { host, origin } = headers;
  if (host === undefined || !/^[\w.:[\]-]+$/.test(host) || !isLoopbackUrl(`http://${host}`))
    throw new RosterError('not_allowed', `host: must be a loopback address such as 127.0.0.1 or localhost, got "${clip(host ?? '')}"`);
  if (origin !== undefined && !isLoopbackUrl(origin))
    throw new RosterError('not_allowed', `origin: only pages of this machine may use the emulator, not those of "${clip(origin)}"`);
}

function isLoopbackUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return /^https?:$/.test(protocol) && isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'));
}

/** A form of another page could be sent here, but not as JSON. */
function requireJson({ headers }: IncomingMessage): void {
  const type = header(headers['content-type']);
  if (type === undefined || !/^\s*application\/json\s*(;|$)/i.test(type))
    throw fieldErrors('input', [{ path: 'content-type', message: `must be application/json, got "${clip(type ?? '')}"` }]);
}

function findEndpoint(method: string, path: string): Found {
  const parts = partsOf(path);
  const matching = CONTROL_ENDPOINTS.flatMap((endpoint) => {
    const params = matched(partsOf(endpoint.path), parts);
    return params === undefined ? [] : [{ endpoint, params }];
  });
  const found = matching.find(({ endpoint }) => endpoint.method === method);
  if (found !== undefined) return found;
  const there = (matching.length > 0 ? matching.map(({ endpoint }) => endpoint) : CONTROL_ENDPOINTS).map(
    (one) => `${one.method} ${one.path}`,
  );
  throw new RosterError('not_found', `there is no ${clip(`${method} ${path}`)}; there are ${there.join(', ')}`);
}

function partsOf(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '');
}

function matched(pattern: readonly string[], parts: readonly string[]): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const params = new Map<string, string>();
  for (const [at, part] of parts.entries()) {
    const expected = pattern[at] ?? '';
    if (expected.startsWith('{')) params.set(expected.slice(1, -1), decoded(part));
    else if (expected !== part) return undefined;
  }
  return Object.fromEntries(params);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw fieldErrors('input', [{ path: 'path', message: `"${clip(part)}" holds a % that is not followed by two hex digits` }]);
  }
}

async function jsonBody(request: IncomingMessage, { method, bodyBytesMax }: ControlEndpoint): Promise<unknown> {
  if (method !== 'POST') return undefined;
  return await readJsonBody(request, { bytesMax: bodyBytesMax, valuesMax: VALUES_MAX });
}

async function rawBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  let size = 0;
  const parts = await bodyParts(request, (bytes) => {
    size += bytes;
    if (size > bytesMax) throw tooBig('the body', bytesMax);
  });
  return joined(parts);
}

function refusalOf(thrown: unknown, { method, url = '' }: IncomingMessage): ControlAnswer {
  const error = thrown instanceof RosterError ? thrown : new RosterError('internal', String(thrown));
  const operation = clip(`${method} ${originForm(url).split('?', 1)[0]}`);
  return { status: error.spec.status, body: { ...renderChatError(error, operation, '0.00ms') } };
}

function send(request: IncomingMessage, response: ServerResponse, { status = 200, body }: ControlAnswer): void {
  const { origin } = request.headers;
  const text = status === 204 ? '' : `${JSON.stringify(body, undefined, 1)}\n`;
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    ...(status === 204 ? undefined : { 'Content-Length': Buffer.byteLength(text) }),
    'Cache-Control': 'no-store',
    ...(origin !== undefined && isLoopbackUrl(origin) ? corsHeaders(origin) : undefined),
  });
  response.end(text);
  // What was not read of a refused body.
  request.resume();
}

function corsHeaders(origin: string): Readonly<Record<string, string>> {
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Methods': 'GET, POST, DELETE',
    'Access-Control-Allow-Headers': 'Content-Type',
    Vary: 'Origin',
  };
}
