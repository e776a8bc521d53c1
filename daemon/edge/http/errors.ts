/** How a refused request is answered and logged; also the refusals that Node itself makes. */

import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { fieldErrors, OutcomeUnknown, RosterError, renderChatError } from '../../../protocol/base/errors.ts';
import { renderFeedsError } from '../../../protocol/feeds/errors.ts';
import type { EdgeLogger } from '../../base/logger.ts';
import type { AnswerPlace } from '../answers/waiting.ts';
import type { RequestCounts } from '../request-counts.ts';
import type { RouteDialect } from './endpoint.ts';
import { dialectOfPath } from './request-parts.ts';

/** Operation of a request to no known endpoint. */
export const REQUEST = 'Request';

/** The parts of a request that are logged: never its query, its token or its body. */
export interface Trace {
  readonly operation: string;
  readonly dialect: RouteDialect;
  readonly id: string;
  readonly method: string;
  readonly route: string;
  readonly startedMs: number;
  caller: 'none' | 'server' | 'user' | 'anonymous';
  /** Of the answer, once the request is admitted. */
  place?: AnswerPlace;
  /** Something that the request asks for is stored. */
  hasStored?: boolean;
  /** Requested continually by monitoring; logged at debug. */
  readonly isRoutine?: boolean;
}

/** Status and body of the refusal, in the dialect of the request. */
export function errorAnswer(error: RosterError, { operation, dialect }: Pick<Trace, 'operation' | 'dialect'>, duration: string) {
  if (dialect === 'feeds') {
    const body = renderFeedsError(error, duration);
    return { status: body.status_code, text: JSON.stringify(body) };
  }
  return { status: error.spec.status, text: JSON.stringify(renderChatError(error, operation, duration)) };
}

/** Where requests are written down. */
export interface RequestBook {
  readonly logger: EdgeLogger;
  readonly counts: RequestCounts;
}

/** Counts a request, and writes one line about it; its level is that of the error, when there was one. */
export function noteRequest({ logger, counts }: RequestBook, trace: Trace, status: number, error: RosterError | undefined): void {
  const { operation, dialect, id, method, route, startedMs, caller, isRoutine } = trace;
  const ms = Math.round((performance.now() - startedMs) * 100) / 100;
  counts.answered(operation, dialect, status, ms);
  const line = { id, method, route, operation, status, ms, caller, ...(error === undefined ? undefined : { error: error.kind }) };
  logger[error?.spec.level ?? (isRoutine === true ? 'debug' : 'info')](line, 'request');
}

/** The framework found no endpoint: its own search knows fewer methods than Node, and it refuses some of them before it searches. */
export function isUnrouted(thrown: unknown): boolean {
  const { code } = frameworkRefusal(thrown) ?? {};
  return code === 'FST_ERR_NOT_FOUND' || code === 'FST_ERR_ROUTE_MISSING_CONTENT_TYPE';
}

/**
 * The error of a request, as one of the closed list. The framework refuses some requests before any handler runs; everything else that is
 * thrown and is not a RosterError is an internal error.
 */
export function asRosterError(thrown: unknown, { hasStored = false }: Pick<Trace, 'hasStored'> = {}): RosterError {
  // What failed is the rest of the request, or its answer.
  if (thrown instanceof RosterError) return thrown.outcome === 'not_stored' && hasStored ? new OutcomeUnknown(thrown.message) : thrown;
  const refusal = frameworkRefusal(thrown);
  if (refusal === undefined) return new RosterError('internal');
  if (refusal.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return fieldErrors('input', [{ path: 'content-type', message: 'must be application/json' }]);
  if (refusal.statusCode === 413) return new RosterError('too_big');
  return new RosterError('input', `the request is not supported (${refusal.code})`);
}

/** A refusal of the framework that blames the request. */
function frameworkRefusal(thrown: unknown): { readonly code: string; readonly statusCode: number } | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown) || !('statusCode' in thrown)) return undefined;
  const { code, statusCode } = thrown;
  if (typeof code !== 'string' || !code.startsWith('FST_') || typeof statusCode !== 'number') return undefined;
  return statusCode >= 400 && statusCode < 500 ? { code, statusCode } : undefined;
}

function refusalOf(code: string | undefined): RosterError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new RosterError('headers_too_big');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new RosterError('timeout');
    default:
      return new RosterError('input', 'this is not a valid HTTP request');
  }
}

/** Node could not read the request: too slow, headers too big, or not HTTP. The connection is closed. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket, logger: EdgeLogger): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const refusal = refusalOf(error.code);
  logger[refusal.spec.level]({ error: refusal.kind, cause: error.code }, 'connection refused');
  refuseOnSocket(refusal, 'v1', socket);
}

/** Answers where Node offers no response: the connection is closed. */
export function refuseOnSocket(refusal: RosterError, dialect: RouteDialect, socket: Duplex): void {
  const { status, text: body } = errorAnswer(refusal, { operation: REQUEST, dialect }, '0.00ms');
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    // There is no endpoint yet that could have a limit; these headers say only that nothing was used up.
    'X-RateLimit-Limit: 1000',
    'X-RateLimit-Remaining: 1000',
    `X-RateLimit-Reset: ${Math.ceil(Date.now() / 1000) + 60}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Requests that Node refuses in a form of its own, or without any answer. */
export function refuseWhatNodeWould(server: Server): void {
  server.on('checkExpectation', ({ url = '', socket }: IncomingMessage) => {
    const error = fieldErrors('input', [{ path: 'expect', message: 'must be 100-continue' }]);
    refuseOnSocket(error, dialectOfPath(url), socket);
  });
  server.on('connect', (_: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => socket.destroy());
    refuseOnSocket(new RosterError('input', 'CONNECT is not supported: this is no proxy'), 'v1', socket);
  });
}

/** The parts of a request that a refusal needs: no others exist when the path could not even be read. */
export type Refusable = Pick<FastifyRequest, 'id' | 'method' | 'headers' | 'routeOptions'>;

/** Of a request to no known endpoint. */
export const NO_ROUTE = '(none)';

/** `route`: the pattern, not the path, so that nothing a caller puts into a path is logged. */
export function newTrace(
  request: Refusable,
  operation: string,
  dialect: RouteDialect = 'v1',
  route: string = request.routeOptions.url ?? NO_ROUTE,
): Trace {
  return {
    operation,
    dialect,
    id: request.id,
    method: request.method,
    route,
    startedMs: performance.now(),
    caller: 'none',
  };
}

export function duration({ startedMs }: Trace): string {
  return `${(performance.now() - startedMs).toFixed(2)}ms`;
}
