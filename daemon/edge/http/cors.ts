/** Cross-origin requests: browsers let a page of another host read answers only when these headers allow it. */
import type { FastifyReply, FastifyRequest } from 'fastify';

const METHODS = 'GET, POST, PUT, PATCH, DELETE';
const REQUEST_HEADERS = [
  'authorization, content-type, content-encoding, stream-auth-type, x-stream-client',
  'idempotency-key, if-match, if-none-match, prefer, x-rosterd-position',
].join(', ');
const ANSWER_HEADERS = [
  'X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, X-Rosterd-Position, X-Request-Id',
  'ETag, Idempotency-Replayed, X-Rosterd-Stale',
].join(', ');
const PREFLIGHT_AGE_S = 600;

/** Adds the headers for an allowed origin. False when the request comes from a page that is not allowed. */
export function allowOrigin({ headers }: FastifyRequest, reply: FastifyReply, origins: readonly string[]): boolean {
  const { origin, host } = headers;
  // Answers differ by origin, so a cache must not give one page the answer of another.
  reply.header('Vary', 'Origin');
  if (origin === undefined) return true;
  if (!isAllowedOrigin(origin, host, origins)) return false;
  reply.header('Access-Control-Allow-Origin', origin).header('Access-Control-Expose-Headers', ANSWER_HEADERS);
  return true;
}

/** The headers that a browser asks for before a request that is not a simple one. */
export function preflightHeaders(): Record<string, string> {
  return {
    'Access-Control-Allow-Methods': METHODS,
    'Access-Control-Allow-Headers': REQUEST_HEADERS,
    'Access-Control-Max-Age': String(PREFLIGHT_AGE_S),
  };
}

/**
 * A caller without an `Origin` is no browser and is judged by its token alone. A browser's page is allowed when it was served by this host,
 * when its origin is in the list, or when the list holds `*`.
 */
export function isAllowedOrigin(origin: string | undefined, host: string | undefined, allowed: readonly string[]): boolean {
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
