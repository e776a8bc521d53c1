/** What an HTTP endpoint is: one row of the route table, and what its handler gets and gives. */
import type { Readable } from 'node:stream';
import type { TSchema } from 'typebox';
import type { Actor } from '../../../protocol/base/actor.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { Dialect, QueryFields } from '../../../protocol/base/reading.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { ConditionHeaders } from '../../../protocol/users/conditions.ts';
import type { HistoryItem } from '../../../protocol/users/history.ts';
import type { Aside } from '../../../protocol/users/render.ts';
import type { Caller } from '../auth.ts';
import type { HookControl } from '../hooks/hooks.ts';
import type { RateLimits } from '../rate-limits.ts';
import type { Backend } from './backend.ts';

/** Why a live connection was told of an event, or was not. */
export interface Why {
  readonly event: { readonly seq: number; readonly type: string; readonly user_id: string | null; readonly audience: string };
  readonly connection: { readonly connection_id: string; readonly user_id: string | null };
  readonly subscriptions: readonly { readonly sub: string; readonly want: string; readonly result: string }[];
}

/** The live connections, as far as a request can have to do with them. */
export interface LiveControl {
  /** Makes a live connection of the caller watch these users. Throws RosterError. */
  watch(connectionId: string, caller: Caller, ids: readonly string[]): void;
  /** Rejects with RosterError: `input` for a connection that is not open, `not_found` for a position without an event. */
  why(connectionId: string, seq: number): Promise<Why>;
  /**
   * Forgets a durable consumer by a command of `call`. Rejects with RosterError `not_found`. Resolves with the position of the
   * change.
   */
  removeConsumer(name: string, call: Pick<Call, 'backend' | 'isRepeat'>): Promise<number>;
}

/** Files that requests bring or fetch: uploads for imports, and finished exports. Names are made by the daemon, never by a caller. */
export interface FileStore {
  /** Stores an upload whole or not at all; rejects with RosterError `too_big` beyond `bytesMax`. */
  saveUpload(path: string, source: Readable, bytesMax: number): Promise<{ readonly bytes: number }>;
  hasUpload(path: string): Promise<boolean>;
  /** The finished export; undefined when there is none, or no longer. */
  openExport(taskId: string, name: string): Promise<{ readonly stream: Readable; readonly bytes: number } | undefined>;
}

/** A backup that is being read. It ends, and lets go of what it holds, with its stream. */
export interface OpenBackup {
  readonly stream: Readable;
  /** What it is the state at. */
  readonly position: Position;
}

/** What happened to users. */
export interface UserHistory {
  /**
   * A page, newest first. `next` is `before` of the page after it, where there is one; from the time `from` on nothing is
   * missing. Rejects with RosterError: `not_found` when no history is kept, `unavailable` while not all of it can be told.
   */
  page(question: {
    readonly id: string;
    readonly limit: number;
    /** Only changes with a smaller seq. */
    readonly before?: number;
  }): Promise<{ readonly items: readonly HistoryItem[]; readonly next?: number; readonly from: Micros }>;
}

/** What handlers can use beside the directory. */
export interface Services {
  readonly files: FileStore;
  readonly history: UserHistory;
  readonly hooks: HookControl;
  /** A token signed with the API secret. */
  issueToken(claims: Readonly<Record<string, unknown>>): string;
  /** An absolute URL to a path of this daemon that works without a token until `untilS` (unix seconds). */
  signUrl(path: string, untilS: number): string;
  /** Wall clock, milliseconds. */
  nowMs(): number;
  /** A backup of the directory as it is now. Throws RosterError `rate_limit` while too many are under way. */
  openBackup(isCompressed: boolean): OpenBackup;
  /** Whether the opt-in stand-ins for channels are served. */
  readonly compatStubs: boolean;
}

export interface Call {
  readonly backend: Backend;
  readonly services: Services;
  readonly rateLimits: RateLimits;
  /** Every endpoint that this daemon serves. */
  readonly endpoints: readonly Endpoint[];
  readonly live: LiveControl;
  readonly caller: Caller;
  /** The parameter `:id` of the path; empty where the path has none. */
  readonly id: string;
  /** All parameters of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: QueryFields;
  /** `X-Stream-Client`. */
  readonly client: string | undefined;
  /** `Prefer: return=minimal` (RFC 7240 §4.2): the answer names the users by id and leaves them out. */
  readonly isMinimal: boolean;
  /** `If-Match` and `If-None-Match`, as they came. */
  readonly conditions: ConditionHeaders;
  /** An id that nobody else makes; the same one again when the request is repeated under its `Idempotency-Key`. Read the body first. */
  readonly newId: () => string;
  /** Whether what is submitted next was carried out before, so that nothing must be checked beforehand. Read the body first. */
  readonly isRepeat: () => boolean;
  /** Reads and parses the body. Rejects with RosterError. */
  readonly body: () => Promise<unknown>;
  /** The body as it comes, for uploads. */
  readonly rawBody: Readable;
}

export interface Answer {
  /** Default 200. */
  readonly status?: 200 | 201;
  /** Everything but `duration`. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Seq that the answer is at: everything the request did is at or before it. */
  readonly seq?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent in place of `body`. Without `bytes` its length is not known beforehand, and it is sent in chunks. */
  readonly file?: { readonly stream: Readable; readonly bytes?: number; readonly type: string; readonly name: string };
}

/** How errors are written and what a path looks like: chat v1 and v2, and feeds under `/api/v1.0`. */
export type RouteDialect = Dialect | 'feeds';

/**
 * Who may call. `server`: a server token. `user`: any token that speaks for someone. `guest`: also an anonymous caller, with or
 * without a token. `signed`: whoever has the URL that `Services.signUrl` made. `open`: everyone, without an API key.
 */
export type Access = 'server' | 'user' | 'guest' | 'signed' | 'open';

export interface Endpoint {
  /** Name in errors, in rate limits and in the log. */
  readonly operation: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Pattern with parameters such as `:id`. */
  readonly path: string;
  readonly dialect: RouteDialect;
  readonly access: Access;
  /** One line for the API description. */
  readonly summary: string;
  /** Schema of the body, the very one that validates it. */
  readonly body?: TSchema;
  /** Schema of the query: every property is a parameter. */
  readonly query?: TSchema;
  /** Schema of the answer without `duration`. Tests check every answer against it. */
  readonly answer: TSchema;
  /** A body that is not JSON (uploads) or an answer that is none (files). */
  readonly isBinary?: true;
  /** The answer has a form of its own, without `duration` (an OpenAPI document). */
  readonly isPlain?: true;
  /** It looks at `If-Match` and `If-None-Match`. Elsewhere they are refused, since a condition must not be passed over. */
  readonly isConditional?: true;
  /** A stand-in for something that rosterd does not have: served only when asked for. */
  readonly isStub?: true;
  handle(call: Call): Answer | Promise<Answer>;
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

/**
 * The user that a request acts for: a client acts for itself and may say so; a server must name someone.
 * Throws RosterError: `not_allowed` for a client that names another, `input` for a server that names nobody.
 */
export function actingUser(caller: Caller, named: string | undefined, field = 'user_id'): string {
  switch (caller.kind) {
    case 'anonymous':
      throw new RosterError('not_allowed', 'an anonymous user cannot do this');
    case 'user':
      if (named !== undefined && named !== '' && named !== caller.id) {
        const message = `must be "${caller.id}", the user of the token`;
        throw new RosterError('not_allowed', `${field}: ${message}`, [{ path: field, message }]);
      }
      return caller.id;
    case 'server':
      if (named === undefined || named === '') {
        const message = 'is required with a server token';
        throw new RosterError('input', `${field}: ${message}`, [{ path: field, message }]);
      }
      return named;
  }
}

/** What a single person waits for goes before bulk work. */
export function laneOf(caller: Caller, users: number): 'live' | 'bulk' {
  return caller.kind === 'server' && users > 1 ? 'bulk' : 'live';
}

/** What a caller is shown of a user beside its record. */
export function asideOf({ backend, caller }: Pick<Call, 'backend' | 'caller'>, id: string): Aside {
  const isServer = caller.kind === 'server';
  const isPrivy = isServer || (caller.kind === 'user' && caller.id === id);
  const viewer = isPrivy
    ? { isServer, user: (other: string) => backend.directory.user(other), online: (other: string) => backend.online(other) }
    : undefined;
  return { online: backend.online(id), viewer };
}
