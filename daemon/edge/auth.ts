/**
 * Admission: identifies the caller by API key and token. Takes plain values, so HTTP requests and live connections are admitted by the same
 * rules.
 *
 * The signature of a token is computed once and remembered; its times, its revocation and the state of its user are checked every time,
 * because they change.
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

/** Number of verified tokens remembered. At a few hundred bytes each they take some megabytes at most. */
const TOKENS_KEPT = 10_000;

/** A token with more characters is refused before anything is computed over it. */
const TOKEN_CHARS_MAX = 8_192;

export interface CallerCredentials {
  readonly apiKey: string | undefined;
  /** With or without `Bearer ` before it. */
  readonly token: string | undefined;
  /** `Stream-Auth-Type`. Missing means `jwt`. */
  readonly authType?: string | undefined;
  /** Whether a caller without a user is admitted: one with no token, or with the anonymous type. */
  readonly mayBeAnonymous?: boolean;
  /** Whether a server's token for only some feeds resources is admitted; the endpoint then checks what it may do. */
  readonly mayBeScoped?: boolean;
  /** The token is used only once, as by a live connection, so it is not remembered. */
  readonly isOnce?: boolean;
}

/** Why callers are not admitted. */
export const AUTH_FAILURES = [
  ...(['api_key', 'auth', 'token_expired', 'token_not_yet', 'token_iat', 'token_signature', 'not_allowed', 'not_found'] as const),
];

export interface Authenticator {
  /** Callers that were not admitted, by the kind of the error; each of `AUTH_FAILURES` is there from the start. */
  readonly failures: Map<string, number>;
  /** Throws RosterError: api_key, auth, a token_… kind, not_allowed (deactivated) or not_found (deleted). */
  authenticate(credentials: CallerCredentials): Caller;
  /**
   * Whether an admitted caller would still be admitted: its token not revoked, its user neither deactivated nor deleted. Throws as above.
   */
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
  const failures = new Map<string, number>(AUTH_FAILURES.map((kind) => [kind, 0]));

  function verifiedOf(token: string, isOnce: boolean): Verified {
    const known = isOnce ? undefined : verified.get(token);
    if (known !== undefined) return known;
    const found = verify(token, apiSecret);
    // A token that anyone can make is not remembered: it would displace those whose check costs a computation.
    if (!isOnce && !found.isDev) verified.set(token, found);
    return found;
  }

  /** Unsigned tokens are admitted only while the settings of the application allow them. */
  function checkDev(isDev: boolean | undefined): void {
    if (isDev === true && directory.app.disable_auth_checks !== true) throw new RosterError('token_signature');
  }

  /** Checks what a valid signature does not show: whether the user may still act. */
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

  function authenticated(credentials: CallerCredentials): Caller {
    const { apiKey: givenKey, token, authType, isOnce = false, mayBeAnonymous = false, mayBeScoped = false } = credentials;
    if (givenKey !== apiKey) throw new RosterError('api_key');
    // By the published errors, a missing type has code 2. A missing type is accepted here: there is only one type. Any other type is
    // refused.
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
  }

  return {
    failures,
    recheck(caller) {
      if (caller.kind !== 'user') return;
      checkDev(caller.isDev);
      // A caller whose user was hard-deleted is not the user that reuses the id.
      checkUser(caller.id, caller.iat, false);
    },
    authenticate(credentials) {
      try {
        return authenticated(credentials);
      } catch (error) {
        if (error instanceof RosterError) failures.set(error.kind, (failures.get(error.kind) ?? 0) + 1);
        throw error;
      }
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
 * The claims of a token that was signed with the secret, or made for development. The algorithm is fixed: the header's value is only
 * compared with it.
 */
function verify(token: string, secret: string): Verified {
  const parsed = parseToken(token);
  const { signed, signature, claims } = parsed;
  if (isDevToken(parsed)) return { claims, isDev: true };
  if (!sameBytes(Buffer.from(signature), Buffer.from(tokenSignature(signed, secret)))) throw new RosterError('token_signature');
  return { claims, isDev: false };
}

/** Compares in constant time, so that the duration does not reveal the first difference. The length is not secret. */
function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** A map of bounded size: the least recently used entry is removed first. */
class RecentlyUsed<V> {
  readonly #entries = new Map<string, V>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    // Append again: the map is in order of last use.
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
