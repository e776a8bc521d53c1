/**
 * Admission: who is it that asks, told from the api key and the token. Takes
 * plain values, so HTTP requests and live connections are admitted by the same rules.
 *
 * The signature of a token is computed once and remembered; its times, its
 * revocation and the state of its user are looked at every time, because they change.
 */
import { timingSafeEqual } from 'node:crypto';
import { RosterError } from '../../protocol/base/errors.ts';
import { isUserId } from '../../protocol/base/ids.ts';
import {
  type Caller,
  callerOf,
  checkClaims,
  devCallerOf,
  isDevToken,
  isRevoked,
  parseToken,
  type TokenClaims,
} from '../../protocol/base/tokens.ts';
import { isTombstone } from '../core/directory/record.ts';
import { deletedUser } from '../core/problems.ts';
import type { DirectoryReader } from './http/backend.ts';
import { tokenSignature } from './sign-token.ts';

/** Verified tokens remembered. At a few hundred bytes each they cost some megabytes at most. */
const TOKENS_KEPT = 10_000;

/** A longer token is refused before anything is computed over it. */
const TOKEN_CHARS_MAX = 8_192;

export interface CallerCredentials {
  readonly apiKey: string | undefined;
  /** With or without `Bearer ` before it. */
  readonly token: string | undefined;
  /** `Stream-Auth-Type`. Missing means `jwt`. */
  readonly authType?: string | undefined;
  /** Whether somebody without a user may ask: no token, or the anonymous one. */
  readonly mayBeAnonymous?: boolean;
  /** Whether a server's token that is good for some feeds resources only is let in; what it may do is for the caller to check. */
  readonly mayBeScoped?: boolean;
  /** The token is shown only once, as by a live connection: not worth remembering. */
  readonly isOnce?: boolean;
}

export interface Authenticator {
  /** Throws RosterError: api_key, auth, a token_… kind, not_allowed (deactivated) or not_found (deleted). */
  authenticate(credentials: CallerCredentials): Caller;
  /** Whether a caller that was let in earlier still would be: its token not revoked, its user neither deactivated nor deleted. Throws as above. */
  recheck(caller: Caller): void;
}

export interface AuthenticatorOptions {
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly directory: Pick<DirectoryReader, 'user' | 'record' | 'app'>;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
  /** Whether the id of a hard-deleted user is free again; default false. */
  readonly reuseHardDeleted?: boolean;
}

export function createAuthenticator({ apiKey, apiSecret, directory, now, reuseHardDeleted = false }: AuthenticatorOptions): Authenticator {
  const verified = new RecentlyUsed<Verified>(TOKENS_KEPT);

  function verifiedOf(token: string, isOnce: boolean): Verified {
    const known = isOnce ? undefined : verified.get(token);
    if (known !== undefined) return known;
    const found = verify(token, apiSecret);
    // A token that anyone can make is not worth remembering: it would push out those that cost a computation.
    if (!isOnce && !found.isDev) verified.set(token, found);
    return found;
  }

  /** Tokens that nobody signed are let in only while the application says so. */
  function checkDev(isDev: boolean | undefined): void {
    if (isDev === true && directory.app.disable_auth_checks !== true) throw new RosterError('token_signature');
  }

  /** What a valid signature does not tell: whether the user may still act. */
  function checkUser(id: string, iat: number | undefined, mayReuse: boolean): void {
    const user = directory.user(id);
    const record = directory.record(id);
    const isFree = record === undefined || (mayReuse && isTombstone(record));
    if (user === undefined && !isFree) throw deletedUser(id);
    if (user?.deactivated_at !== undefined) throw new RosterError('not_allowed', `the user ${id} was deactivated`);
    if (isRevoked(iat, directory.app.revoke_tokens_issued_before) || isRevoked(iat, user?.revoke_tokens_issued_before)) {
      throw new RosterError('token_expired', 'the token was revoked');
    }
  }

  return {
    recheck(caller) {
      if (caller.kind !== 'user') return;
      checkDev(caller.isDev);
      // Whose user was hard-deleted is not the one who uses the id again.
      checkUser(caller.id, caller.iat, false);
    },
    authenticate({ apiKey: givenKey, token, authType, isOnce = false, mayBeAnonymous = false, mayBeScoped = false }) {
      if (givenKey !== apiKey) throw new RosterError('api_key');
      // The published errors give a missing type code 2. Leaving it out is harmless, since there is one type; naming another is not.
      const type = authType === undefined || authType === '' ? 'jwt' : authType.toLowerCase();
      if (mayBeAnonymous && (type === 'anonymous' || token === undefined || token === '')) return { kind: 'anonymous' };
      if (type !== 'jwt') throw new RosterError('api_key', 'stream-auth-type must be "jwt"');
      const { claims, isDev } = verifiedOf(bare(token), isOnce);
      checkDev(isDev);
      checkClaims(claims, now());
      const caller = isDev ? devCallerOf(claims) : callerOf(claims);
      if (caller.kind === 'server' && caller.scope !== undefined && !mayBeScoped) {
        throw new RosterError('not_allowed', 'a feeds token is not good for this');
      }
      if (caller.kind !== 'user') return caller;
      if (!isUserId(caller.id)) throw new RosterError('auth', "the token's user_id is not a user id");
      checkUser(caller.id, caller.iat, reuseHardDeleted);
      return caller;
    },
  };
}

function bare(token: string | undefined): string {
  const text = token?.trim().replace(/^bearer\s*/i, '');
  if (text === undefined || text === '') throw new RosterError('auth', 'the token is missing');
  if (text.length > TOKEN_CHARS_MAX) throw new RosterError('auth', `the token is longer than ${TOKEN_CHARS_MAX} characters`);
  return text;
}

interface Verified {
  readonly claims: TokenClaims;
  /** Not signed, but made for development. */
  readonly isDev: boolean;
}

/**
 * The claims of a token that was signed with the secret, or made for development. The algorithm is pinned: what the header
 * names is only compared.
 */
function verify(token: string, secret: string): Verified {
  const parsed = parseToken(token);
  const { signed, signature, claims } = parsed;
  if (isDevToken(parsed)) return { claims, isDev: true };
  if (!sameBytes(Buffer.from(signature), Buffer.from(tokenSignature(signed, secret)))) throw new RosterError('token_signature');
  return { claims, isDev: false };
}

/** Compares without telling by its duration where the first difference is. The length is no secret. */
function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** A map of bounded size: what was not used for the longest time goes first. */
class RecentlyUsed<V> {
  readonly #entries = new Map<string, V>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    // Put at the end again: the map is in order of last use.
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#max) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
