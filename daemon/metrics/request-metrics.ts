/** HTTP requests and callers. */
import type { Authenticator } from '../edge/auth.ts';
import type { RateLimits } from '../edge/rate-limits.ts';
import type { AnsweredOperation, RequestCounts } from '../edge/request-counts.ts';
import { by, counter, gauge, type MetricLabels, type MetricSpec, times } from './metric-spec.ts';

export interface RequestSources {
  readonly requests: RequestCounts;
  readonly connections: { readonly requests: number };
  readonly rateLimits: Pick<RateLimits, 'refused'>;
  readonly authenticator: Pick<Authenticator, 'failures'>;
  /** Every operation that can be limited. */
  readonly operations: readonly string[];
}

export const REQUEST_METRICS: readonly MetricSpec<RequestSources>[] = [
  counter(
    'http_requests_total',
    'operation dialect code',
    'Requests answered. An operation is here from its first request on.',
    ({ requests }) => codesOf(requests.operations),
  ),
  times('http_request_duration_seconds', 'operation', 'Time from the beginning of a request to that of its answer.', ({ requests }) =>
    by('operation', durationsOf(requests.operations)),
  ),
  gauge(
    'http_requests_in_flight',
    '',
    'Requests in progress, long polls of Socket.IO included.',
    ({ connections }) => connections.requests,
  ),
  counter('rate_limited_total', 'operation', 'Requests and live writes that were over a rate limit.', ({ operations, rateLimits }) =>
    by('operation', new Map([...operations.map((name) => [name, 0] as const), ...rateLimits.refused])),
  ),
  counter('auth_failures_total', 'reason', 'Callers that were not admitted.', ({ authenticator }) => by('reason', authenticator.failures)),
];

function* codesOf(operations: ReadonlyMap<string, AnsweredOperation>): Iterable<readonly [MetricLabels, number]> {
  for (const [operation, { codes }] of operations) {
    for (const [dialect, counts] of codes) for (const [code, count] of counts) yield [{ operation, dialect, code: String(code) }, count];
  }
}

function* durationsOf(operations: ReadonlyMap<string, AnsweredOperation>) {
  for (const [operation, { durations }] of operations) yield [operation, durations] as const;
}
