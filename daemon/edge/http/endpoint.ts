/** An HTTP endpoint: one row of the route table, and the input and output of its handler. */

import type { Readable } from 'node:stream';
import type { TSchema } from 'typebox';
import type { Dialect, QueryFields } from '../../../protocol/base/reading.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import type { ConditionHeaders } from '../../../protocol/users/conditions.ts';
import type { RateLimits } from '../rate-limits.ts';
import type { Stranger } from '../strangers.ts';
import type { Reading, RequestWrites } from './backend.ts';
import type { LiveControl, Services } from './services.ts';

/** A request as its handler gets it. Its writes carry its origin, and are carried out once if it has an idempotency key. */
export interface Call extends RequestWrites {
  /** For reading; writes go through `submit`. */
  readonly backend: Reading;
  readonly services: Services;
  readonly rateLimits: RateLimits;
  /** Every endpoint that this daemon serves. */
  readonly endpoints: readonly Endpoint[];
  readonly live: LiveControl;
  readonly caller: Caller;
  /** The caller, when it is an anonymous one or a guest. */
  readonly stranger: Stranger | undefined;
  /** The parameter `:id` of the path; empty where the path has none. */
  readonly id: string;
  /** All parameters of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: QueryFields;
  /** Of the machine that the request came from: the caller's, or that of a proxy. */
  readonly address: string;
  /** The sign-in to the console whose request it is. */
  readonly signIn: string | undefined;
  /** `X-Stream-Client`. */
  readonly client: string | undefined;
  /** `Prefer: return=minimal` (RFC 7240 §4.2): the answer lists the ids of the users and omits the users. */
  readonly isMinimal: boolean;
  /** `If-Match` and `If-None-Match`, as they came. */
  readonly conditions: ConditionHeaders;
  /** Reads and parses the body. Rejects with RosterError. */
  readonly body: () => Promise<unknown>;
  /** Whether the connection is closed, so that nobody gets the answer. */
  readonly isGone: () => boolean;
  /** The body as it arrives, for uploads. */
  readonly rawBody: Readable;
}

/** The result of a handler. */
export interface EndpointAnswer {
  /** Default 200. */
  readonly status?: 200 | 201;
  /** The answer without `duration`. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The text of `body` has a megabyte or two at most. For a server, it is written at once. */
  readonly isSmall?: boolean;
  /** Seq of the answer: everything that the request did is at or before it. */
  readonly seq?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent instead of `body`. Without `bytes` its length is not known in advance, and it is sent in chunks. */
  readonly file?: { readonly stream: Readable; readonly bytes?: number; readonly type: string; readonly name: string };
}

/** The form of errors and paths: chat v1 and v2, and feeds under `/api/v1.0`. */
export type RouteDialect = Dialect | 'feeds';

/**
 * The callers that an endpoint admits. `server`: a server token. `user`: any token that speaks for a user or a server. `guest`: also an
 * anonymous caller, with or without a token. `signed`: every holder of a URL that `Services.signUrl` made. `open`: everyone, without an API
 * key.
 */
export type Access = 'server' | 'user' | 'guest' | 'signed' | 'open';

/** The methods of endpoints, in the order in which `Allow` names them. */
export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

export interface Endpoint {
  /** Name in errors, in rate limits and in the log. */
  readonly operation: string;
  readonly method: (typeof METHODS)[number];
  /** Pattern with parameters such as `:id`. */
  readonly path: string;
  readonly dialect: RouteDialect;
  readonly access: Access;
  /** One line for the API description. */
  readonly summary: string;
  /** Schema of the body, the same one that validates it. */
  readonly body?: TSchema;
  /** Schema of the query: every property is a parameter. */
  readonly query?: TSchema;
  /** Schema of the answer without `duration`. Tests check every answer against it. */
  readonly answer: TSchema;
  /** Content types of a body that is not JSON: the handler reads it as it arrives, whatever it is called. */
  readonly uploads?: readonly string[];
  /** Content types of an answer that is a file and not JSON. */
  readonly downloads?: readonly string[];
  /** The answer has its own form, without `duration` (an OpenAPI document). */
  readonly isPlain?: true;
  /** It checks `If-Match`, for one user also `If-None-Match`, against the revision of this. Other endpoints refuse them, since a condition must not be ignored. */
  readonly isConditional?: 'user' | 'settings';
  /** Its answer has a revision, the `ETag`, though it checks none. */
  readonly isTagged?: true;
  /** A stand-in for a feature that rosterd does not have: served only when the operator enables it. */
  readonly isStub?: true;
  handle(call: Call): EndpointAnswer | Promise<EndpointAnswer>;
}

type Variants = Readonly<Partial<Record<Dialect, string>>>;

/** A row for each chat dialect: v1 without a prefix, v2 under `/api/v2`. `path` is one for both, or one for each dialect that has it. */
export function inBothDialects(
  path: string | Variants,
  make: (dialect: Dialect) => Omit<Endpoint, 'path' | 'dialect'>,
): readonly Endpoint[] {
  const { v1, v2 } = typeof path === 'string' ? { v1: path, v2: path } : path;
  return [
    ...(v1 === undefined ? [] : [{ ...make('v1'), path: v1, dialect: 'v1' as const }]),
    ...(v2 === undefined ? [] : [{ ...make('v2'), path: `/api/v2${v2}`, dialect: 'v2' as const }]),
  ];
}

/** An endpoint, and the parts of the path that its pattern names, decoded. */
export interface Routed {
  readonly endpoint: Endpoint;
  readonly params: Readonly<Record<string, string>>;
}
