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
 * A client of the feeds dialect. `token`: of a user, or of a server. `appId` is there because the published clients have it: a
 * daemon serves one application. Without `url`, that of the page.
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

  /** A user by its id, whether it is there or not. Every call rejects with RosterClientError. */
  user(id: string) {
    const http = this.#http;
    const path = `${BASE}/user/${part(id)}/`;
    return {
      id,
      /** How activities refer to the user: read with enrichment, it is replaced by the user. */
      ref: `SU:${id}`,
      /** Refused with 409 for a user that exists, unless `get_or_create` is set. */
      create: (data: object = {}, options: { readonly get_or_create?: boolean } = {}): Promise<FeedsUser> =>
        http.call('POST', `${BASE}/user/`, { query: options, body: { id, data } }),
      /** The user as it is; `data` counts only for a new one. */
      getOrCreate: (data: object = {}): Promise<FeedsUser> =>
        http.call('POST', `${BASE}/user/`, { query: { get_or_create: true }, body: { id, data } }),
      get: (options: { readonly with_follow_counts?: boolean } = {}): Promise<FeedsUser> => http.call('GET', path, { query: options }),
      /** Replaces the data. */
      update: (data: object = {}): Promise<FeedsUser> => http.call('PUT', path, { body: { data } }),
      /** For good; references to the user read as missing. */
      delete: (): Promise<Answered> => http.call('DELETE', path),
    };
  }

  /** Get-or-create of the token's own user. */
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
      /** Newest first. With `enrich`, users stand in place of references to them. */
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

/** The claim `user_id`. The token is not judged here; the daemon does that. */
function userIdOf(token: string): string {
  try {
    const claims: unknown = JSON.parse(atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')));
    const id = typeof claims === 'object' && claims !== null && 'user_id' in claims ? claims.user_id : undefined;
    if (typeof id === 'string') return id;
  } catch {
    // Falls through to the one refusal for every token that names nobody.
  }
  throw unanswered('setUser needs the token of a user');
}
