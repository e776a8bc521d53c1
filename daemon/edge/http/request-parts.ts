/** The parts of a request as they arrive, before its endpoint is known: path, query, header. */
import type { IncomingMessage } from 'node:http';
import { parse as parseQueryString } from 'node:querystring';
import { fieldErrors } from '../../../protocol/base/errors.ts';
import type { RouteDialect } from './endpoint.ts';

/** Parameters beyond these are ignored. */
const QUERY_KEYS_MAX = 100;

type QueryParser = (text: string) => Record<string, string>;

/** Caches the last result, because a client repeats the same query: its API key. The result must not be modified. */
export function rememberingLast(parse: QueryParser): QueryParser {
  let last = { text: '', query: Object.freeze(parse('')) };
  return (text) => {
    if (text !== last.text) last = { text, query: Object.freeze(parse(text)) };
    return last.query;
  };
}

/** One value per key: the first. */
export function flatQuery(text: string): Record<string, string> {
  const flat = new Map<string, string>();
  for (const [key, value] of Object.entries(parseQueryString(text, '&', '=', { maxKeys: QUERY_KEYS_MAX }))) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) flat.set(key, first);
  }
  return Object.fromEntries(flat);
}

/** The value of a request's header: the first one if it was sent several times. */
export function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** The path and query of a target. Proxies may send the whole URL (RFC 9112 §3.2.2). */
export function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const path = target.replace(/^https?:\/\/[^/?]*/i, '');
  return path === target || path.startsWith('/') ? path : `/${path}`;
}

/** Throws RosterError `input` for a request of HTTP/1.1 that names no host (RFC 9112 §3.2). */
export function checkHost({ httpVersion, headers }: IncomingMessage): void {
  if (headers.host === undefined && httpVersion === '1.1') throw fieldErrors('input', [{ path: 'host', message: 'is required' }]);
}

/** Paths below this prefix belong to the feeds dialect, even where there is no endpoint. */
export function dialectOfPath(url: string): RouteDialect {
  if (/^\/+api\/+v1\.0(\/|\?|$)/.test(url)) return 'feeds';
  return /^\/+api\/+v2(\/|\?|$)/.test(url) ? 'v2' : 'v1';
}
