/** The feeds dialect: users with their data, and activities that refer to them. */
import type { JsonObject } from '../../base/json.ts';
import { unanswered } from '../client-error.ts';
import { TokenKeeper, type TokenSource } from '../tokens/token-keeper.ts';
import { HttpCaller, type HttpCallerOptions, part } from './http-caller.ts';
import type { Answered } from './users-api.ts';

export type FeedsUserData = JsonObject;

export interface FeedsUser extends Answered {
  readonly id: string;
  readonly data: FeedsUserData;
  readonly created_at: string;
  readonly updated_at: string;
  readonly followers_count?: number;
  readonly following_count?: number;
}

type Activity = Readonly<Record<string, unknown>>;
type Page = Answered & { readonly results: readonly Activity[]; readonly next: string };

const BASE = '/api/v1.0';

/**
 * A client of the feeds dialect. `token`: of a user, or of a server. `appId` has no effect, since a daemon serves one
 * application; it exists because the published clients have it. `url` defaults to that of the page.
 */
export function connect(apiKey: string, token: TokenSource, _appId?: string, options: Partial<HttpCallerOptions> = {}): FeedsClient {
  const page = (globalThis as { location?: { origin: string } }).location?.origin;
  const url = options.url ?? page;
  if (url === undefined) throw unanswered('connect needs the option url outside of a web page');
  return new FeedsClient({ ...options, url, apiKey }, token);
}

export class FeedsClient {
  readonly #http: HttpCaller;
  readonly #tokens: TokenKeeper;

  constructor(options: HttpCallerOptions, token: TokenSource) {
    this.#tokens = new TokenKeeper(token);
    this.#http = new HttpCaller(options, () => this.#tokens);
  }

  /** A user by its id, whether it exists or not. Every call rejects with RosterClientError. */
  user(id: string) {
    const http = this.#http;
    const path = `${BASE}/user/${part(id)}/`;
    return {
      id,
      /** The reference to this user for use in activities: an enriched read replaces it by the user. */
      ref: `SU:${id}`,
      /** Refused with 409 for a user that exists, unless `get_or_create` is set. */
      create: (data: object = {}, options: { readonly get_or_create?: boolean } = {}): Promise<FeedsUser> =>
        http.call('POST', `${BASE}/user/`, { query: options, body: { id, data } }),
      /** Returns an existing user unchanged; `data` counts only for a new one. */
      getOrCreate: (data: object = {}): Promise<FeedsUser> =>
        http.call('POST', `${BASE}/user/`, { query: { get_or_create: true }, body: { id, data } }),
      get: (options: { readonly with_follow_counts?: boolean } = {}): Promise<FeedsUser> => http.call('GET', path, { query: options }),
      /** Replaces the data. */
      update: (data: object = {}): Promise<FeedsUser> => http.call('PUT', path, { body: { data } }),
      /** Deletes the user permanently; references to it read as missing. */
      delete: (): Promise<Answered> => http.call('DELETE', path),
    };
  }

  /** Gets or creates the token's own user. */
  async setUser(data: object = {}): Promise<FeedsUser> {
    return await this.user(userIdOf(await this.#tokens.current())).getOrCreate(data);
  }

  feed(slug: string, id: string) {
    const http = this.#http;
    const path = `feed/${part(slug)}/${part(id)}/`;
    return {
      addActivity: (activity: object): Promise<Activity> => http.call('POST', `${BASE}/${path}`, { body: activity }),
      addActivities: (activities: readonly object[]): Promise<Answered & { readonly activities: readonly Activity[] }> =>
        http.call('POST', `${BASE}/${path}`, { body: { activities } }),
      /** Newest first. `enrich` replaces references to users by the users. */
      get: ({
        enrich = false,
        ...query
      }: {
        readonly enrich?: boolean;
        readonly limit?: number;
        readonly id_lt?: string;
      } = {}): Promise<Page> => http.call('GET', `${BASE}/${enrich ? 'enrich/' : ''}${path}`, { query }),
      removeActivity: (activityId: string): Promise<Answered> => http.call('DELETE', `${BASE}/${path}${part(activityId)}/`),
    };
  }
}

/** The claim `user_id`. Does not check the token; the daemon does. */
function userIdOf(token: string): string {
  try {
    const claims: unknown = JSON.parse(atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')));
    const id = typeof claims === 'object' && claims !== null && 'user_id' in claims ? claims.user_id : undefined;
    if (typeof id === 'string') return id;
  } catch {
    // Falls through to the one error for every token without a user.
  }
  throw unanswered('setUser needs the token of a user');
}
