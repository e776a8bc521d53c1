/** The one class of errors that the client rejects with. */
import type { FieldError, RetryAdvice } from '../base/errors.ts';

/** Code of what was not refused by the daemon: no connection, no answer, or an answer that is none of its own. */
export const NO_ANSWER = -1;

interface ErrorDetails {
  readonly code: number;
  readonly status: number;
  readonly errors?: readonly FieldError[];
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** What to do about an error: see `RetryAdvice`. Agrees with the closed list of errors for every code and status in it. */
export function adviceFor(code: number, status: number): RetryAdvice {
  if (status === 401 && code === 40) return 'new-token';
  if (status === 401 && (code === 41 || code === 42)) return 'later';
  return status === 0 || status === 408 || status === 429 || status >= 500 ? 'later' : 'no';
}

/**
 * A refusal by the daemon, or the lack of an answer. `code` is that of the error list (protocol/README.md), -1 without an answer;
 * `status` the HTTP status, 0 without an answer; `errors` has everything that is wrong, field by field.
 */
export class RosterClientError extends Error {
  readonly code: number;
  readonly status: number;
  readonly errors: readonly FieldError[];
  /** `later`: the same call may work after a while; `new-token`: with a new token; `no`: not as it is. */
  readonly retry: RetryAdvice;
  /** How long the daemon asked to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { code, status, errors = [], retryAfterMs, cause }: ErrorDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RosterClientError';
    this.code = code;
    this.status = status;
    this.errors = errors;
    this.retry = adviceFor(code, status);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The body of an error of any dialect: chat and live say `message` and `errors`, feeds `detail` and `exception_fields`. */
interface ErrorBody {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly detail?: unknown;
  readonly StatusCode?: unknown;
  readonly errors?: readonly FieldError[];
  readonly exception_fields?: Readonly<Record<string, string | readonly string[]>>;
}

/** `status` is that of the HTTP answer; a live answer has its own in the body. */
export function refusal(body: unknown, status?: number, retryAfterMs?: number): RosterClientError {
  const { code, message, detail, StatusCode, errors, exception_fields: fields = {} }: ErrorBody = isBody(body) ? body : {};
  const named = Object.entries(fields).flatMap(([path, texts]) => [texts].flat().map((text) => ({ path, message: text })));
  return new RosterClientError(String(message ?? detail ?? `the answer had the status ${status}`), {
    code: typeof code === 'number' ? code : NO_ANSWER,
    status: status ?? (typeof StatusCode === 'number' ? StatusCode : 0),
    errors: errors ?? named,
    retryAfterMs,
  });
}

function isBody(body: unknown): body is ErrorBody {
  return typeof body === 'object' && body !== null;
}

/** There was no answer. */
export function unanswered(message: string, cause?: unknown): RosterClientError {
  return new RosterClientError(message, { code: NO_ANSWER, status: 0, cause });
}
