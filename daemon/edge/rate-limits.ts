/**
 * Rate limits per endpoint and platform, for a minute and for a second, and per user. Every answer shows the state of the per-minute limit
 * that is nearest to being reached; a request over a limit is refused with code 9, shown that limit and given a time to retry.
 *
 * A mode decides which callers are limited; requests are counted for all, so that a caller without a limit still sees sensible numbers.
 * Where several nodes serve, each counts for itself and allows its share.
 */
import { RateLimiterRes } from 'rate-limiter-flexible';
import { fieldErrors, RosterError } from '../../protocol/base/errors.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import type { Caller } from '../../protocol/base/tokens.ts';
import type { Budget } from '../base/slices.ts';
import type { DirectoryReader } from './http/backend.ts';
import { type LivingNodes, newCounter, type RequestCounter, shareOf } from './node-share.ts';
import { PER_MINUTE } from './published-limits.ts';
import { LOOPBACK, networkOf, type Stranger, strangerOf } from './strangers.ts';

/** The limited callers: none, those with a user token, or server tokens as well. */
export type RateLimitMode = 'off' | 'clients' | 'all';

export const PLATFORMS = ['server_side', 'android', 'ios', 'web', 'unity'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** Those that share a counter. */
const STRANGERS = 'strangers';
type Party = Platform | typeof STRANGERS;

/** Limit of endpoints that are in neither table. Endpoints that rosterd lacks have it too, because clients ask for it. */
const OTHER_PER_MINUTE = 1_000;

/** Requests per minute of one user to one endpoint, on all platforms together. */
const USER_PER_MINUTE = 60;

/** The same for what one client does more often: it pages through snapshots. */
const USER_PER_MINUTE_OF: Readonly<Record<string, number>> = { Subscribe: 600 };

/** Requests per minute from one network of strangers to one endpoint: many people may call from it. */
const NETWORK_PER_MINUTE = 600;
const NETWORK_PER_MINUTE_OF: Readonly<Record<string, number>> = { CreateGuest: 60 };

/** Shown to callers that have no limit. Never enforced. */
const UNLIMITED_PER_MINUTE = 1_000_000;

const WINDOW_S = 60;
const DAY_S = 24 * 3_600;

/** The published limit of one second is the limit of a minute divided by this, but at least one request. */
const SECONDS_OF_BURST = 30;

/** One limit as the headers and `GET /rate_limits` show it. `reset` is in unix seconds. */
export interface LimitState {
  readonly limit: number;
  readonly remaining: number;
  readonly reset: number;
}

/** The outcome of counting a request. `retryAfterS` is set when the request is over the limit. */
export interface CountedRequest extends LimitState {
  readonly retryAfterS?: number;
}

export interface RateLimitOptions {
  readonly mode: RateLimitMode;
  /** Requests per minute for single endpoints, instead of the table above. */
  readonly overrides?: Readonly<Record<string, number>>;
  /** Guests from one address in a day; 0: no limit. Default: `LIMITS.guestsPerAddress`. */
  readonly guestsPerAddress?: number;
  /** The work of one query. Default: `LIMITS.queryUnits`. */
  readonly queryUnits?: number;
  /** Each of the nodes allows its share of every limit. Default: there is one. */
  readonly nodes?: LivingNodes;
}

/**
 * The platform that a request counts for. A server token counts as a server, whatever its client library. A user token never counts as a
 * server, so that clients cannot use up the limits of servers.
 */
export function platformOf(client: string | undefined, caller: Caller | undefined): Platform {
  if (caller?.kind === 'server') return 'server_side';
  const text = client?.toLowerCase() ?? '';
  if (text.includes('android')) return 'android';
  // “axios” is not iOS.
  if (/swift|(?<![a-z])ios/.test(text)) return 'ios';
  if (text.includes('unity') || text.includes('unreal')) return 'unity';
  return caller === undefined && !/javascript|js|react|browser/.test(text) ? 'server_side' : 'web';
}

function countersOf(totals: Readonly<Record<string, number>>): ReadonlyMap<string, RequestCounter> {
  return new Map(Object.entries(totals).map(([endpoint, total]) => [endpoint, newCounter(total, WINDOW_S)]));
}

export class RateLimits {
  readonly #mode: RateLimitMode;
  readonly #overrides: ReadonlyMap<string, number>;
  /** One counter per endpoint and platform. Endpoints come from the route table, never from a caller. */
  readonly #app = new Map<string, RequestCounter>();
  /** Like `#app`, for the last second. */
  readonly #bursts = new Map<string, RequestCounter>();
  /** One counter per user and endpoint: whatever the client calls itself, it has one limit. */
  readonly #users = newCounter(USER_PER_MINUTE, WINDOW_S);
  readonly #busyUsers = countersOf(USER_PER_MINUTE_OF);
  /** One counter per network of strangers and endpoint. */
  readonly #networks = newCounter(NETWORK_PER_MINUTE, WINDOW_S);
  readonly #narrowNetworks = countersOf(NETWORK_PER_MINUTE_OF);
  /** Units of work of each user, and of each network of strangers, in this minute. */
  readonly #work = new Map<string, number>();
  /** The same for work on what they may not see. */
  readonly #unseen = new Map<string, number>();
  #workEndsMs = 0;
  readonly #queryUnits: number;
  readonly #guests: RequestCounter | undefined;
  readonly #nodes: LivingNodes;
  /** Requests that were refused, by endpoint. */
  readonly refused = new Map<string, number>();

  constructor({ mode, overrides = {}, guestsPerAddress = LIMITS.guestsPerAddress, queryUnits, nodes = () => 1 }: RateLimitOptions) {
    this.#mode = mode;
    this.#queryUnits = queryUnits ?? LIMITS.queryUnits;
    this.#nodes = nodes;
    if (guestsPerAddress > 0) this.#guests = newCounter(guestsPerAddress, DAY_S);
    this.#overrides = new Map(Object.entries(overrides));
  }

  /**
   * Counts one request. `userId` is set for callers with a user token, which also have their own limit; `stranger` for those that anybody
   * can be: whatever they call themselves, they share limits apart from those of users, and each network has its own besides.
   */
  async take(endpoint: string, platform: Platform, userId?: string, stranger?: Stranger): Promise<CountedRequest> {
    const counted = await this.#take(endpoint, platform, userId, stranger);
    if (counted.retryAfterS !== undefined) this.#note(endpoint);
    return counted;
  }

  #note(endpoint: string): void {
    this.refused.set(endpoint, (this.refused.get(endpoint) ?? 0) + 1);
  }

  async #take(endpoint: string, platform: Platform, userId?: string, stranger?: Stranger): Promise<CountedRequest> {
    const isLimited = this.#isLimited(platform);
    const party = stranger === undefined ? platform : STRANGERS;
    const app = this.#counter(this.#app, endpoint, party, WINDOW_S);
    if (!isLimited) return await this.#consume(app, party, false);
    // Requests of one caller beyond its own limit do not count against the shared limit.
    let own: CountedRequest | undefined;
    if (userId !== undefined) own = await this.#consume(this.#busyUsers.get(endpoint) ?? this.#users, `${endpoint} ${userId}`);
    if (own?.retryAfterS === undefined && stranger?.network !== undefined) {
      own = nearer(await this.#consume(this.#narrowNetworks.get(endpoint) ?? this.#networks, `${endpoint} ${stranger.network}`), own);
    }
    if (own?.retryAfterS !== undefined) return own;
    const burst = await this.#consume(this.#counter(this.#bursts, endpoint, party, 1), party);
    if (burst.retryAfterS !== undefined) return burst;
    return nearer(await this.#consume(app, party), own);
  }

  /**
   * Counts a guest that is created from an address. Rejects with RosterError `rate_limit`. The loopback address counts nothing: behind a
   * proxy on the same machine, everyone has it; and the addresses of one network count together.
   */
  async takeGuest(address: string): Promise<void> {
    const network = networkOf(address);
    if (this.#guests === undefined || this.#mode === 'off' || network === undefined) return;
    const { retryAfterS, limit } = await this.#consume(this.#guests, network);
    if (retryAfterS === undefined) return;
    this.#note('CreateGuest');
    throw new RosterError(
      'rate_limit',
      `${limit} guests were created from ${network} within a day (guests_per_ip_max); try again in ${retryAfterS} s`,
    );
  }

  /** The caller as a stranger, if it is one: see strangers.ts. `address`: of the machine that it calls from, of no use behind a proxy. */
  strangerOf(caller: Caller, address: string | undefined, directory: Pick<DirectoryReader, 'user'>): Stranger | undefined {
    return strangerOf(caller, this.#guests === undefined ? LOOPBACK : address, directory);
  }

  /** What the walks of this caller over the directory may cost; undefined: a server, which is trusted. */
  budgetOf(caller: Caller, stranger?: Stranger): Budget | undefined {
    if (caller.kind === 'server') return undefined;
    const user = stranger?.network ?? (caller.kind === 'user' ? caller.id : '');
    let spent = 0;
    return {
      caller: user,
      spend: (units) => {
        const before = this.#done(this.#work, user);
        if (this.#mode !== 'off' && before >= this.#unitsPerMinute) throw this.#tooMuchWork();
        // Nothing depends on the parts in which the work is counted: they follow from users that the caller may not see.
        const [left, leftOfQuery] = [
          this.#mode === 'off' ? Number.POSITIVE_INFINITY : this.#unitsPerMinute - before,
          this.#queryUnits - spent,
        ];
        const counted = Math.min(units, left, leftOfQuery);
        this.#work.set(user, before + counted);
        spent += counted;
        if (counted === units) return;
        if (left < leftOfQuery) throw this.#tooMuchWork();
        const reason = `the query takes more work than one may (${this.#queryUnits} comparisons); ask with fewer conditions, or by ids, names or teams`;
        throw fieldErrors('input', [{ path: 'filter_conditions', message: reason }]);
      },
      note: (unseen) => void this.#unseen.set(user, this.#done(this.#unseen, user) + unseen),
      isSlowed: () => this.#done(this.#unseen, user) > this.#unitsPerMinute,
    };
  }

  /** The work of one caller here. A query that is allowed at all can be made on every node. */
  get #unitsPerMinute(): number {
    return Math.max(this.#queryUnits, shareOf(LIMITS.userUnitsPerMinute, this.#nodes()));
  }

  #done(work: ReadonlyMap<string, number>, user: string): number {
    const nowMs = performance.now();
    if (nowMs >= this.#workEndsMs) {
      this.#workEndsMs = nowMs + WINDOW_S * 1_000;
      this.#work.clear();
      this.#unseen.clear();
    }
    return work.get(user) ?? 0;
  }

  #tooMuchWork(): RosterError {
    const waitS = Math.max(1, Math.ceil((this.#workEndsMs - performance.now()) / 1_000));
    return new RosterError(
      'rate_limit',
      `your queries took more than ${this.#unitsPerMinute} comparisons in a minute; try again in ${waitS} s`,
    );
  }

  /** The state of a limit, without counting a request. */
  async peek(endpoint: string, platform: Platform): Promise<LimitState> {
    const total = this.#points(endpoint, platform);
    const points = this.#isLimited(platform) ? shareOf(total, this.#nodes()) : total;
    const used = await this.#app.get(counterKey(endpoint, platform))?.limiter.get(platform);
    return used === undefined || used === null
      ? { limit: points, remaining: points, reset: unixSeconds(WINDOW_S * 1000) }
      : state(points, used, !this.#isLimited(platform));
  }

  /** The states of the named endpoints, or of all known ones when none is named. */
  async report(platform: Platform, endpoints: readonly string[]): Promise<Record<string, LimitState>> {
    const names = endpoints.length > 0 ? endpoints : [...new Set([...PER_MINUTE.keys(), ...this.#overrides.keys()])];
    const states = await Promise.all(names.map(async (name) => [name, await this.peek(name, platform)] as const));
    return Object.fromEntries(states);
  }

  #isLimited(party: Party): boolean {
    return this.#mode === 'all' || (this.#mode === 'clients' && party !== 'server_side');
  }

  #points(endpoint: string, platform: Party): number {
    if (!this.#isLimited(platform)) return UNLIMITED_PER_MINUTE;
    return this.#overrides.get(endpoint) ?? PER_MINUTE.get(endpoint) ?? OTHER_PER_MINUTE;
  }

  #counter(counters: Map<string, RequestCounter>, endpoint: string, platform: Party, windowS: number): RequestCounter {
    const key = counterKey(endpoint, platform);
    const known = counters.get(key);
    if (known !== undefined) return known;
    const perMinute = this.#points(endpoint, platform);
    const points = windowS === WINDOW_S ? perMinute : Math.max(1, Math.floor(perMinute / SECONDS_OF_BURST));
    const counter = newCounter(points, windowS);
    counters.set(key, counter);
    return counter;
  }

  async #consume({ limiter, total }: RequestCounter, key: string, isLimited = true): Promise<CountedRequest> {
    // The number of nodes may have changed since the last request.
    limiter.points = isLimited ? shareOf(total, this.#nodes()) : total;
    try {
      return state(limiter.points, await limiter.consume(key), !isLimited);
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      const now = state(limiter.points, refused, !isLimited);
      return isLimited ? { ...now, retryAfterS: Math.max(1, Math.ceil(refused.msBeforeNext / 1000)) } : now;
    }
  }
}

/** Throws RosterError `rate_limit` when the request was over the limit. */
export function refuseOver({ retryAfterS }: CountedRequest): void {
  if (retryAfterS !== undefined) throw new RosterError('rate_limit', `too many requests, try again in ${retryAfterS} s`);
}

/** The limit that is nearer to being reached. */
function nearer(shared: CountedRequest, own: CountedRequest | undefined): CountedRequest {
  return own === undefined || shared.retryAfterS !== undefined || shared.remaining < own.remaining ? shared : own;
}

function counterKey(endpoint: string, platform: Party): string {
  return `${endpoint} ${platform}`;
}

function unixSeconds(msFromNow: number): number {
  return Math.ceil((Date.now() + Math.max(0, msFromNow)) / 1000);
}

/** A caller without a limit always sees at least one remaining request, since clients adjust their pace to it. */
function state(limit: number, used: RateLimiterRes, isUnlimited: boolean): LimitState {
  const remaining = Math.max(limit - used.consumedPoints, isUnlimited ? 1 : 0);
  return { limit, remaining, reset: unixSeconds(used.msBeforeNext) };
}
