/** Users over HTTP: upsert, update, query, lifecycle, tasks and the settings of the application. */
import { EventEmitter } from 'eventemitter3';
import type { JsonObject } from '../../base/json.ts';
import type { DeactivateOptions, DeleteMode, DeleteOptions } from '../../users/delete-options.ts';
import type { AppUser, ClientEvents, Filter, QueryOptions, SortField, UserData, UserPatch } from '../types.ts';
import { type HttpCaller, part } from './http-caller.ts';

/** The part that every answer has: the time that the daemon took. */
export interface Answered {
  readonly duration: string;
}

export interface UsersAnswer extends Answered {
  readonly users: Readonly<Record<string, AppUser>>;
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
  /** Users that a sync had taken out, and that `returning` brought back. */
  readonly reactivated?: readonly string[];
  readonly restored?: readonly string[];
  /** Users that a sync took out, and that stay out. */
  readonly taken_out?: Readonly<Record<string, 'deactivated' | 'deleted'>>;
  /** Of a dry run: the current revisions, 0 for no user. */
  readonly revs?: Readonly<Record<string, number>>;
  /** Of a dry run: by user and field, the current value and the value that the call would store. */
  readonly changes?: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>>;
  /** Of a dry run: the errors of single users. */
  readonly errors?: readonly { readonly path: string; readonly code: number; readonly message: string }[];
}

export interface UserAnswer extends Answered {
  readonly user: AppUser;
}

export interface TaskStarted extends Answered {
  readonly task_id: string;
}

export interface TaskAnswer extends Answered {
  readonly task_id: string;
  readonly status: 'waiting' | 'pending' | 'running' | 'completed' | 'failed';
  readonly created_at: string;
  readonly updated_at: string;
  readonly result?: JsonObject;
  readonly error?: { readonly type: string; readonly description: string };
}

export interface AppAnswer extends Answered {
  readonly app: Readonly<Record<string, unknown>>;
}

export interface WriteOptions {
  /**
   * The revisions that users must have for the call to change them, by id; 0: the user must not exist. Users of a local copy have
   * theirs in `rev`. When a user has another revision, the call rejects with status 412 and changes no user.
   */
  readonly ifRev?: Readonly<Record<string, number>>;
  /** The daemon carries out calls with the same key only once. */
  readonly idempotencyKey?: string;
}

/** Ids alone, or the wire form with the options beside them. */
type Ids<Options> = readonly string[] | ({ readonly user_ids: readonly string[] } & Options);
type DeleteUsersOptions = { readonly user?: DeleteMode } & DeleteOptions;

function bodyOf<Options extends object>(ids: Ids<Options>, options: Options | undefined): object {
  return 'user_ids' in ids ? { ...ids, ...options } : { ...options, user_ids: ids };
}

/** One id with options, or both in one object. */
function oneOf<Options extends object>(user: string | ({ readonly user_id: string } & Options), options: Options | undefined) {
  if (typeof user === 'string') return { id: user, body: { ...options } };
  const { user_id: id, ...rest } = user;
  return { id, body: { ...rest, ...options } };
}

/** The wire form of a sort order. */
export function sortOf(sort: SortField | readonly SortField[]): object[] {
  const fields: readonly SortField[] = [sort].flat();
  return fields.flatMap((one): object[] => {
    if (typeof one.field === 'string') return [one];
    return Object.entries(one).map(([field, direction]) => ({ field, direction }));
  });
}

/** Base of the client: these calls work without a live connection. All reject with RosterClientError. */
export class UsersApi extends EventEmitter<ClientEvents> {
  readonly #http: HttpCaller;

  constructor(http: HttpCaller) {
    super();
    this.#http = http;
  }

  /** Creates the user, or replaces its name, image and custom data. */
  upsertUser(user: UserData, options?: WriteOptions): Promise<UsersAnswer> {
    return this.upsertUsers([user], options);
  }

  /** Like `upsertUser`, for up to 100 users, all or none. */
  upsertUsers(users: readonly UserData[], { ifRev, idempotencyKey }: WriteOptions = {}): Promise<UsersAnswer> {
    return this.#http.call('POST', '/users', { body: { users, if_rev: ifRev }, idempotencyKey });
  }

  /** Changes only the named fields. */
  partialUpdateUser(patch: UserPatch, options?: WriteOptions): Promise<UsersAnswer> {
    return this.partialUpdateUsers([patch], options);
  }

  /** Like `partialUpdateUser`, for up to 100 users, all or none. */
  partialUpdateUsers(patches: readonly UserPatch[], { ifRev, idempotencyKey }: WriteOptions = {}): Promise<UsersAnswer> {
    return this.#http.call('PATCH', '/users', { body: { users: patches, if_rev: ifRev }, idempotencyKey });
  }

  updateUsersPartial(request: { readonly users: readonly UserPatch[] }): Promise<UsersAnswer> {
    return this.partialUpdateUsers(request.users);
  }

  /** Returns at most 100 users per page. The client's own `queryUsers` can also subscribe to them. */
  queryUsers(
    filter: Filter = {},
    sort: SortField | readonly SortField[] = [],
    options: QueryOptions = {},
  ): Promise<Answered & { readonly users: readonly AppUser[] }> {
    const { presence: _, ...rest } = options;
    const payload = JSON.stringify({ filter_conditions: filter, sort: sortOf(sort), ...rest });
    return this.#http.call('GET', '/users', { query: { payload } });
  }

  deactivateUser(user: string | ({ readonly user_id: string } & DeactivateOptions), options?: DeactivateOptions): Promise<UserAnswer> {
    const { id, body } = oneOf(user, options);
    return this.#http.call('POST', `/users/${part(id)}/deactivate`, { body });
  }

  deactivateUsers(users: Ids<DeactivateOptions>, options?: DeactivateOptions): Promise<TaskStarted> {
    return this.#http.call('POST', '/users/deactivate', { body: bodyOf(users, options) });
  }

  /** Reactivates a user, optionally with a new name. */
  reactivateUser(
    user: string | ({ readonly user_id: string; readonly name?: string } & DeactivateOptions),
    options?: DeactivateOptions & { readonly name?: string },
  ): Promise<UserAnswer> {
    const { id, body } = oneOf(user, options);
    return this.#http.call('POST', `/users/${part(id)}/reactivate`, { body });
  }

  reactivateUsers(users: Ids<DeactivateOptions>, options?: DeactivateOptions): Promise<TaskStarted> {
    return this.#http.call('POST', '/users/reactivate', { body: bodyOf(users, options) });
  }

  /** Deletes one user at once. The delete is soft unless `hard_delete` is set: then messages and conversations go, too. */
  deleteUser(
    user: string | { readonly user_id: string; readonly hard_delete?: boolean },
    options?: { readonly hard_delete?: boolean; readonly mark_messages_deleted?: boolean; readonly delete_conversation_channels?: boolean },
  ): Promise<UserAnswer> {
    const { id, body } = oneOf(user, options);
    return this.#http.call('DELETE', `/users/${part(id)}`, { query: body });
  }

  /** The delete is soft unless `user` says otherwise; with `user: 'hard'`, `messages` and `conversations` must be hard, too. */
  deleteUsers(users: Ids<DeleteUsersOptions>, options?: DeleteUsersOptions): Promise<TaskStarted> {
    return this.#http.call('POST', '/users/delete', { body: bodyOf(users, options) });
  }

  /** Restores all of the users or none. */
  restoreUsers(users: Ids<object>): Promise<Answered> {
    return this.#http.call('POST', '/users/restore', { body: bodyOf(users, undefined) });
  }

  exportUser(id: string): Promise<UserAnswer & { readonly messages: readonly unknown[]; readonly reactions: readonly unknown[] }> {
    return this.#http.call('GET', `/users/${part(id)}/export`);
  }

  /** Exports up to 25 users into a file; its URL is `result.url` of the finished task. */
  exportUsers(users: Ids<object>): Promise<TaskStarted> {
    return this.#http.call('POST', '/export/users', { body: bodyOf(users, undefined) });
  }

  getTask(task: string | { readonly id: string }): Promise<TaskAnswer> {
    return this.#http.call('GET', `/tasks/${part(typeof task === 'string' ? task : task.id)}`);
  }

  getAppSettings(): Promise<AppAnswer> {
    return this.#http.call('GET', '/app');
  }

  updateAppSettings(settings: object): Promise<Answered> {
    return this.#http.call('PATCH', '/app', { body: settings });
  }

  /** Revokes all tokens of the user that were issued before the given time; null undoes this. */
  revokeUserToken(id: string, before: Date | string | null = new Date()): Promise<UsersAnswer> {
    return this.partialUpdateUser({ id, set: { revoke_tokens_issued_before: before } });
  }

  /** Like `revokeUserToken`, for all users. */
  revokeTokens(before: Date | string | null = new Date()): Promise<Answered> {
    return this.updateAppSettings({ revoke_tokens_issued_before: before });
  }
}
