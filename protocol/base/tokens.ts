/**
 * Tokens: JWT in compact form, signed with HS256 and nothing else (RFC 7515, RFC 7519). Pure: whoever uses this
 * computes the signature, in Node or in a browser, and says what time it is.
 */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { RosterError } from './errors.ts';
import { isObject } from './json.ts';
import { LIMITS } from './limits.ts';
import type { Micros } from './time.ts';
import { signingInput } from './token-form.ts';

/** The claims that mean something here; all others are ignored. */
export const TokenClaims = Type.Object({
  user_id: Type.Optional(Type.String()),
  server: Type.Optional(Type.Unknown()),
  exp: Type.Optional(Type.Number()),
  iat: Type.Optional(Type.Number()),
  nbf: Type.Optional(Type.Number()),
  /** Feeds: what a server's token is good for; `*` is everything. */
  resource: Type.Optional(Type.String()),
  action: Type.Optional(Type.String()),
  feed_id: Type.Optional(Type.String()),
});
export type TokenClaims = Static<typeof TokenClaims>;

/** What a feeds token of a server is good for. `*` matches everything. */
export interface Scope {
  readonly resource: string;
  readonly action: string;
  /** Slug and id of the feed without anything between them. */
  readonly feedId: string;
}

/** Who a token speaks for. Times in seconds since 1970. */
export type Caller =
  | { readonly kind: 'server'; readonly exp?: number; readonly scope?: Scope }
  | {
      readonly kind: 'user';
      readonly id: string;
      readonly iat?: number;
      readonly exp?: number;
      /** The token is one for development: nobody signed it. */
      readonly isDev?: true;
    }
  | { readonly kind: 'anonymous' };

export interface ParsedToken {
  readonly claims: TokenClaims;
  /** What the signature is over. */
  readonly signed: string;
  /** base64url. */
  readonly signature: string;
}

const ANONYMOUS = '!anon';
/** What stands in place of the signature of a token for development, as the published clients make it. */
const DEV_SIGNATURE = 'devtoken';
const BASE64URL = /^[A-Za-z0-9_-]+$/;
const claimsCheck = Compile(TokenClaims);

/**
 * Takes a token apart without trusting it: the signature is for the caller to compare.
 * Throws RosterError: `token_signature` for anything that is no HS256 token, `auth` for claims of the wrong type.
 */
export function parseToken(token: string): ParsedToken {
  const [header, payload, signature, ...rest] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) throw new RosterError('token_signature');
  const { alg } = decodePart(header);
  // The algorithm is pinned: a token that names another one, or none, is not signed as far as rosterd is concerned.
  if (alg !== 'HS256' || !BASE64URL.test(signature)) throw new RosterError('token_signature');
  const claims = decodePart(payload);
  if (!claimsCheck.Check(claims)) {
    const [first] = claimsCheck.Errors(claims);
    throw new RosterError('auth', `the token's claim ${first?.instancePath.slice(1) ?? ''} ${first?.message ?? 'is not valid'}`);
  }
  return { claims, signed: `${header}.${payload}`, signature };
}

/** Whether this is a token for development. It is worth nothing unless the application lets such tokens in. */
export function isDevToken({ signature }: ParsedToken): boolean {
  return signature === DEV_SIGNATURE;
}

/** Throws RosterError `token_signature` when the token speaks for anyone but a single user: a token that nobody signed makes no server. */
export function devCallerOf(claims: TokenClaims): Caller {
  const caller = callerOf(claims);
  if (caller.kind === 'server') throw new RosterError('token_signature', 'a development token is good for users only');
  return caller.kind === 'user' ? { ...caller, isDev: true } : caller;
}

function decodePart(part: string): Record<string, unknown> {
  try {
    if (!BASE64URL.test(part)) throw new RosterError('token_signature');
    const binary = atob(part.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isObject(value)) return value;
  } catch {
    // Whatever is wrong with the form, the refusal is the same.
  }
  throw new RosterError('token_signature');
}

/** Throws RosterError `token_expired`, `token_not_yet` or `token_iat`, each with a leeway of `LIMITS.tokenLeewayS`. */
export function checkClaims({ exp, nbf, iat }: TokenClaims, nowMs: number): void {
  const nowS = nowMs / 1000;
  if (exp !== undefined && nowS >= exp + LIMITS.tokenLeewayS) throw new RosterError('token_expired');
  if (nbf !== undefined && nowS < nbf - LIMITS.tokenLeewayS) throw new RosterError('token_not_yet');
  if (iat !== undefined && nowS < iat - LIMITS.tokenLeewayS) throw new RosterError('token_iat');
}

/** Throws RosterError `auth` when the token speaks for nobody. PHP writes the server claim as a string. */
export function callerOf({ user_id: id, server, iat, exp, resource, action = '*', feed_id: feedId = '*' }: TokenClaims): Caller {
  if (server === true || server === 'true') return { kind: 'server', ...(exp === undefined ? undefined : { exp }) };
  if (resource !== undefined) return { kind: 'server', scope: { resource, action, feedId }, ...(exp === undefined ? undefined : { exp }) };
  if (id === ANONYMOUS) return { kind: 'anonymous' };
  if (id === undefined || id === '') throw new RosterError('auth', 'the token has neither a user_id nor a server claim');
  return { kind: 'user', id, ...(iat === undefined ? undefined : { iat }), ...(exp === undefined ? undefined : { exp }) };
}

/** Whether a token was issued before the stamp. One that does not say when it was issued counts as issued before. */
export function isRevoked(iat: number | undefined, stamp: Micros | undefined): boolean {
  return stamp !== undefined && (iat === undefined || iat * 1_000_000 < stamp);
}

/** Makes a token. `sign` gives the HMAC-SHA256 of its argument under the API secret, as base64url. */
export function encodeToken(claims: Readonly<Record<string, unknown>>, sign: (signed: string) => string): string {
  const signed = signingInput(claims);
  return `${signed}.${sign(signed)}`;
}
