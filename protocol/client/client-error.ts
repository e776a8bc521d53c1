/** The only class of errors with which the client rejects. */
import type { FieldError, RetryAdvice, StoredOutcome } from '../base/errors.ts';

/** Code of errors that are no refusal by the daemon: no connection, no answer, or an answer in an unknown form. */
export const NO_ANSWER = -1;

interface ErrorDetails {
  readonly code: number;
  readonly status: number;
  readonly errors?: readonly FieldError[];
  readonly retryAfterMs?: number | undefined;
  readonly outcome?: StoredOutcome | undefined;
  readonly cause?: unknown;
}

/** Node's errors for a connection that was never made: nothing was sent. A browser does not tell. */
const UNSENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

/** Whether an error with this code means that the request surely reached nobody. */
export function isUnsentCode(code: unknown): boolean {
  return UNSENT.test(String(code));
}

/** The advice for an error: see `RetryAdvice`. Agrees with the closed list of errors for every code and status in it. */
export function adviceFor(code: number, status: number): RetryAdvice {
  if (status === 401 && code === 40) return 'new-token';
  if (status === 401 && (code === 41 || code === 42)) return 'later';
  return status === 0 || status === 408 || status === 429 || status >= 500 ? 'later' : 'no';
}

/**
 * A refusal by the daemon, or the lack of an answer. `code` is that of the error list (protocol/README.md), -1 without an answer;
 * `status` is the HTTP status, 0 without an answer; `errors` lists every error, field by field.
 */
export class RosterClientError extends Error {
  readonly code: number;
  readonly status: number;
  readonly errors: readonly FieldError[];
  /** `later`: the same call may succeed after a while; `new-token`: with a new token; `no`: not in this form. */
  readonly retry: RetryAdvice;
  /** The wait that the daemon asked for. */
  readonly retryAfterMs: number | undefined;
  /** `not_stored`: a write that failed so has changed nothing, and can be made anew; `unknown`: it, or a part of it, may be stored. */
  readonly outcome: StoredOutcome;

  constructor(message: string, { code, status, errors = [], retryAfterMs, outcome, cause }: ErrorDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RosterClientError';
    this.code = code;
    this.status = status;
    this.errors = errors;
    this.retry = adviceFor(code, status);
    this.retryAfterMs = retryAfterMs;
    this.outcome = outcome ?? (status === 0 || status >= 500 ? 'unknown' : 'not_stored');
  }
}

/** The error body of any dialect: chat and live have `message` and `errors`, feeds has `detail` and `exception_fields`. */
interface ErrorBody {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly detail?: unknown;
  readonly StatusCode?: unknown;
  readonly errors?: readonly FieldError[];
  readonly outcome?: unknown;
  readonly exception_fields?: Readonly<Record<string, string | readonly string[]>>;
}

/** `status` is the status of the HTTP answer; a live answer has it in the body. */
export function refusal(body: unknown, status?: number, retryAfterMs?: number): RosterClientError {
  const { code, message, detail, StatusCode, errors, outcome, exception_fields: fields = {} }: ErrorBody = isBody(body) ? body : {};
  const named = Object.entries(fields).flatMap(([path, texts]) => [texts].flat().map((text) => ({ path, message: text })));
  return new RosterClientError(String(message ?? detail ?? `the answer had the status ${status}`), {
    code: typeof code === 'number' ? code : NO_ANSWER,
    status: status ?? (typeof StatusCode === 'number' ? StatusCode : 0),
    errors: errors ?? named,
    retryAfterMs,
    outcome: outcome === 'not_stored' || outcome === 'unknown' ? outcome : undefined,
  });
}

/** Whether nobody answered: nobody refused the call. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof RosterClientError && error.status === 0;
}

/** Whether the daemon no longer has the snapshot whose next page was asked for. */
export function isSnapshotOver(error: unknown): boolean {
  return error instanceof RosterClientError && error.errors.some(({ path }) => path === 'more');
}

function isBody(body: unknown): body is ErrorBody {
  return typeof body === 'object' && body !== null;
}

/** The error for a missing answer. */
export function unanswered(message: string, cause?: unknown): RosterClientError {
  const { code } = (cause as { readonly cause?: { readonly code?: unknown } } | undefined)?.cause ?? {};
  return new RosterClientError(message, { code: NO_ANSWER, status: 0, outcome: isUnsentCode(code) ? 'not_stored' : 'unknown', cause });
}
