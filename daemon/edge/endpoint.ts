/** What an HTTP endpoint is: one row of the route table, and what its handler gets and gives. */
import type { Actor } from '../../protocol/command.ts';
import type { Dialect } from '../../protocol/decode-user.ts';
import { RosterError } from '../../protocol/errors.ts';
import type { QueryFields } from '../../protocol/lifecycle-requests.ts';
import type { Caller } from './auth.ts';
import type { Backend } from './backend.ts';
import type { RateLimits } from './rate-limits.ts';

/** The live connections, as far as a request can have to do with them. */
export interface Watchers {
  /** Makes a live connection of the caller watch these users. Throws RosterError. */
  watch(connectionId: string, caller: Caller, ids: readonly string[]): void;
}

export interface Call {
  readonly backend: Backend;
  readonly rateLimits: RateLimits;
  readonly watchers: Watchers;
  readonly caller: Caller;
  /** The id in the path; empty where the path has none. */
  readonly id: string;
  readonly query: QueryFields;
  /** `Prefer: return=minimal` (RFC 7240 §4.2): the answer names the users by id and leaves them out. */
  readonly isMinimal: boolean;
  /** Reads and parses the body. Rejects with RosterError. */
  readonly body: () => Promise<unknown>;
}

export interface Answer {
  /** Default 200. */
  readonly status?: 200 | 201;
  /** Everything but `duration`. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Seq that the answer is at: everything the request did is at or before it. */
  readonly seq?: number;
}

export interface Endpoint {
  /** Name in errors, in rate limits and in the log. */
  readonly operation: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Pattern; its one parameter is `:id`. */
  readonly path: string;
  /** `server`: only with a server token. */
  readonly access: 'server' | 'user';
  handle(call: Call): Answer | Promise<Answer>;
}

/** Both dialects of an endpoint: v1 without a prefix, v2 under `/api/v2`. */
export function inBothDialects(path: string, make: (path: string, dialect: Dialect) => Endpoint): readonly Endpoint[] {
  return [make(path, 'v1'), make(`/api/v2${path}`, 'v2')];
}

/** Who the command is from. An anonymous caller has no record and writes nothing. */
export function actorOf(caller: Caller): Actor {
  switch (caller.kind) {
    case 'server':
      return { kind: 'server' };
    case 'user':
      return { kind: 'user', id: caller.id };
    case 'anonymous':
      throw new RosterError('not_allowed', 'an anonymous user cannot write');
  }
}

/** What a single person waits for goes before bulk work. */
export function laneOf(caller: Caller, users: number): 'live' | 'bulk' {
  return caller.kind === 'server' && users > 1 ? 'bulk' : 'live';
}
