/** Makes the tokens of `rosterd token`, `sync` and `watch`: HS256, signed with the API secret. */
import { signToken } from '../edge/sign-token.ts';

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
  return signToken({ user_id: userId, ...times(at) }, secret);
}

/** A token that may do everything. Without `at` it carries no times, so that a wrong clock cannot make it invalid. */
export function serverToken(secret: string, at?: TokenTimes): string {
  return signToken({ server: true, ...(at === undefined ? {} : times(at)) }, secret);
}
