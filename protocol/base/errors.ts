/**
 * The closed list of errors. Every refusal of rosterd is one of these kinds;
 * a dialect only decides its written form. Pure.
 */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The advice to a caller: give up, repeat the same request later, or get a new token first. */
export type RetryAdvice = 'no' | 'later' | 'new-token';

export interface ErrorSpec {
  /** Code of the chat dialects and of the live protocol. */
  readonly code: number;
  readonly status: number;
  readonly text: string;
  readonly retry: RetryAdvice;
  /** A client's mistake is `info` or `warn`; `error` always needs a person's attention. */
  readonly level: LogLevel;
}

export const ERRORS = {
  input: { code: 4, status: 400, text: 'the request is not valid', retry: 'no', level: 'info' },
  api_key: { code: 2, status: 401, text: 'api_key not valid', retry: 'no', level: 'warn' },
  auth: { code: 5, status: 401, text: 'authentication failed', retry: 'no', level: 'warn' },
  duplicate_username: { code: 6, status: 400, text: 'the name is already taken', retry: 'no', level: 'info' },
  rate_limit: { code: 9, status: 429, text: 'too many requests', retry: 'later', level: 'warn' },
  not_found: { code: 16, status: 404, text: 'does not exist', retry: 'no', level: 'info' },
  not_allowed: { code: 17, status: 403, text: 'not allowed', retry: 'no', level: 'info' },
  conflict: { code: 4, status: 409, text: 'exists already', retry: 'no', level: 'info' },
  precondition: { code: 4, status: 412, text: 'the user has another revision', retry: 'no', level: 'info' },
  key_reused: { code: 4, status: 422, text: 'the idempotency key was used for another request', retry: 'no', level: 'warn' },
  too_big: { code: 22, status: 413, text: 'the payload is too big', retry: 'no', level: 'warn' },
  timeout: { code: 23, status: 408, text: 'the request took too long to arrive', retry: 'later', level: 'warn' },
  headers_too_big: { code: 24, status: 431, text: 'the request headers are too big', retry: 'no', level: 'warn' },
  token_expired: { code: 40, status: 401, text: 'the token has expired', retry: 'new-token', level: 'info' },
  token_not_yet: { code: 41, status: 401, text: 'the token is not valid yet', retry: 'later', level: 'info' },
  token_iat: { code: 42, status: 401, text: 'the token was issued in the future', retry: 'later', level: 'warn' },
  token_signature: { code: 43, status: 401, text: 'the token signature is invalid', retry: 'no', level: 'warn' },
  unavailable: { code: -1, status: 503, text: 'the directory cannot store changes at the moment', retry: 'later', level: 'error' },
  internal: { code: -1, status: 500, text: 'internal error', retry: 'later', level: 'error' },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorKind = keyof typeof ERRORS;

/** One error in one field. `path` has the form `users[ann].role`. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
  /** Code of this error alone, when a batch fails for more than one reason. */
  readonly code?: number;
}

/** Problems that one answer lists: whoever sent more learns nothing from the rest. */
export const PROBLEMS_MAX = 100;

/** The first of `problems`, as many as an answer lists: with one of each item (`users[ann]`) before the second of any. */
export function listedProblems(problems: readonly FieldError[]): readonly FieldError[] {
  if (problems.length <= PROBLEMS_MAX) return problems;
  const items = new Set<string>();
  const isFirst = problems.map(({ path }) => {
    const item = path.slice(0, path.indexOf(']') + 1);
    return !items.has(item) && items.size < PROBLEMS_MAX && items.add(item) !== undefined;
  });
  let room = PROBLEMS_MAX - items.size;
  return problems.filter((_, at) => isFirst[at] === true || room-- > 0);
}

/** Whether a request that was not answered well may have changed something all the same. */
export type StoredOutcome = 'not_stored' | 'unknown';

/** A refusal: its kind, the reason in words, and every wrong field. */
export class RosterError extends Error {
  readonly kind: ErrorKind;
  /** No more than an answer lists. */
  readonly fields: readonly FieldError[];

  constructor(kind: ErrorKind, reason: string = ERRORS[kind].text, fields: readonly FieldError[] = []) {
    super(reason);
    this.name = 'RosterError';
    this.kind = kind;
    this.fields = listedProblems(fields);
  }

  get spec(): ErrorSpec {
    return ERRORS[this.kind];
  }

  /** Of what may succeed elsewhere or later; no other refusal leaves a doubt. */
  get outcome(): StoredOutcome | undefined {
    return this.kind === 'unavailable' ? 'not_stored' : undefined;
  }
}

/** `unavailable`, where the change, or a part of it, may be stored. */
export class OutcomeUnknown extends RosterError {
  constructor(reason: string) {
    super('unavailable', reason);
  }

  override get outcome(): StoredOutcome {
    return 'unknown';
  }
}

/** A refusal because of wrong fields: it lists all of them, and the first one becomes the reason. */
export function fieldErrors(kind: ErrorKind, fields: readonly FieldError[]): RosterError {
  const first = fields[0];
  return new RosterError(kind, first === undefined ? ERRORS[kind].text : `${first.path}: ${first.message}`, fields);
}

/** Body of an error in the chat dialects and in the live protocol. */
export interface ChatErrorBody {
  readonly code: number;
  readonly message: string;
  readonly StatusCode: number;
  readonly duration: string;
  readonly more_info: string;
  /** Clients read this as a list of integers; structured extras are in `errors`. */
  readonly details: readonly number[];
  readonly exception_fields?: Readonly<Record<string, string>>;
  readonly errors?: readonly FieldError[];
  readonly outcome?: StoredOutcome;
}

/** `message` is `<Operation> failed with error: "<reason>"`, the form that the published clients show. */
export function renderChatError(error: RosterError, operation: string, duration: string): ChatErrorBody {
  const { code, status } = error.spec;
  const body = {
    code,
    message: `${operation} failed with error: "${error.message}"`,
    StatusCode: status,
    duration,
    more_info: `see protocol/README.md, errors: ${error.kind}`,
    details: [],
    ...outcomeField(error),
  };
  if (error.fields.length === 0) return body;
  const named = new Map(error.fields.map((field) => [field.path, field.message]));
  return { ...body, exception_fields: Object.fromEntries(named), errors: error.fields.map((field) => ({ code, ...field })) };
}

/** The part of a refusal, in any dialect, that says whether anything may have been stored. */
export function outcomeField({ outcome }: RosterError): { readonly outcome?: StoredOutcome } {
  return outcome === undefined ? {} : { outcome };
}

/** The text of a thrown value. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
