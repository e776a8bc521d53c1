/** Makes the tokens of `rosterd token`, `sync` and `watch`: HS256, signed with the API secret. */
import { createHmac } from 'node:crypto';
import { encodeToken } from '../../protocol/tokens.ts';

function sign(claims: Readonly<Record<string, unknown>>, secret: string): string {
  return encodeToken(claims, (signed) => createHmac('sha256', secret).update(signed).digest('base64url'));
}

export interface TokenTimes {
  /** Milliseconds since 1970; becomes `iat`. */
  readonly nowMs: number;
  /** Absent: the token never expires. */
  readonly lifetimeMs?: number;
}

function times({ nowMs, lifetimeMs }: TokenTimes): { iat: number; exp?: number } {
  const iat = Math.floor(nowMs / 1_000);
  return lifetimeMs === undefined ? { iat } : { iat, exp: iat + Math.ceil(lifetimeMs / 1_000) };
}

/** A token with which a client connects as `userId`. It has an `iat`, so that it can be revoked. */
export function userToken(userId: string, secret: string, at: TokenTimes): string {
  return sign({ user_id: userId, ...times(at) }, secret);
}

/** A token that may do everything. Without `at` it carries no times, so that a wrong clock cannot spoil it. */
export function serverToken(secret: string, at?: TokenTimes): string {
  return sign({ server: true, ...(at === undefined ? {} : times(at)) }, secret);
}
