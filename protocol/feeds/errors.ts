/** Errors of the feeds dialect: its own codes, and a name by which clients choose their exception class. Pure. */
import { type ErrorKind, outcomeField, type RosterError, type StoredOutcome } from '../base/errors.ts';

interface FeedsError {
  readonly code: number;
  readonly status: number;
  readonly exception: string;
}

/**
 * Codes 2, 4, 9, 16, 17, 18 and 22 are published with these statuses. A token that is missing, expired, revoked or wrongly signed
 * is 17, as the published clients' own tests expect for a wrong secret. A name that is taken is bad input, since 6 has another
 * meaning here. Kinds without a published code have -1, the code of a server error, with their HTTP status.
 */
const FEEDS_ERRORS: Readonly<Record<ErrorKind, FeedsError>> = {
  input: { code: 4, status: 400, exception: 'InputException' },
  api_key: { code: 2, status: 401, exception: 'ApiKeyException' },
  auth: { code: 17, status: 403, exception: 'NotAllowedException' },
  duplicate_username: { code: 4, status: 400, exception: 'InputException' },
  rate_limit: { code: 9, status: 429, exception: 'RateLimitReached' },
  not_found: { code: 16, status: 404, exception: 'DoesNotExistException' },
  not_allowed: { code: 17, status: 403, exception: 'NotAllowedException' },
  conflict: { code: 22, status: 409, exception: 'ConflictException' },
  precondition: { code: 22, status: 412, exception: 'ConflictException' },
  key_reused: { code: 4, status: 422, exception: 'InputException' },
  too_big: { code: 18, status: 413, exception: 'PayloadTooBigException' },
  timeout: { code: -1, status: 408, exception: 'InputException' },
  headers_too_big: { code: -1, status: 431, exception: 'InputException' },
  token_expired: { code: 17, status: 403, exception: 'NotAllowedException' },
  token_not_yet: { code: 17, status: 403, exception: 'NotAllowedException' },
  token_iat: { code: 17, status: 403, exception: 'NotAllowedException' },
  token_signature: { code: 17, status: 403, exception: 'NotAllowedException' },
  unavailable: { code: -1, status: 503, exception: 'UnavailableException' },
  internal: { code: -1, status: 500, exception: 'InternalException' },
};

export interface FeedsErrorBody {
  readonly code: number;
  readonly detail: string;
  readonly duration: string;
  readonly exception: string;
  readonly status_code: number;
  readonly exception_fields?: Readonly<Record<string, readonly string[]>>;
  readonly outcome?: StoredOutcome;
}

export function renderFeedsError(error: RosterError, duration: string): FeedsErrorBody {
  const { code, status, exception } = FEEDS_ERRORS[error.kind];
  const body = { code, detail: error.message, duration, exception, status_code: status, ...outcomeField(error) };
  if (error.fields.length === 0) return body;
  const fields = new Map<string, string[]>();
  for (const { path, message } of error.fields) fields.set(path, [...(fields.get(path) ?? []), message]);
  return { ...body, exception_fields: Object.fromEntries(fields) };
}
