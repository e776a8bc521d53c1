/**
 * Tokens: JWT in compact form, signed only with HS256 (RFC 7515, RFC 7519). Pure: the caller computes the signature, in
 * Node or in a browser, and passes the current time.
 */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { RosterError } from './errors.ts';
import { hasRepeatedKey, isObject } from './json.ts';
import { LIMITS } from './limits.ts';
import type { Micros } from './time.ts';
import { base64UrlBytes, isBase64Url, signingInput } from './token-form.ts';

/** The claims that rosterd uses; it ignores all others. */
export const TokenClaims = Type.Object({
  user_id: Type.Optional(Type.String()),
  server: Type.Optional(Type.Unknown()),
  exp: Type.Optional(Type.Number()),
  iat: Type.Optional(Type.Number()),
  nbf: Type.Optional(Type.Number()),
  /** Feeds: the scope of a server's token; `*` is everything. */
  resource: Type.Optional(Type.String()),
  action: Type.Optional(Type.String()),
  feed_id: Type.Optional(Type.String()),
});
export type TokenClaims = Static<typeof TokenClaims>;

/** The scope of a server's feeds token. `*` matches everything. */
export interface Scope {
  readonly resource: string;
  readonly action: string;
  /** Slug and id of the feed without a separator. */
  readonly feedId: string;
}

/** The party that a token represents. Times in seconds since 1970. */
export type Caller =
  | { readonly kind: 'server'; readonly exp?: number; readonly scope?: Scope }
  | {
      readonly kind: 'user';
      readonly id: string;
      readonly iat?: number;
      readonly exp?: number;
      /** A development token, which has no signature. */
      readonly isDev?: true;
    }
  | { readonly kind: 'anonymous' };

export interface ParsedToken {
  readonly claims: TokenClaims;
  /** The text that the signature covers. */
  readonly signed: string;
  /** base64url. */
  readonly signature: string;
}

/** The user id of everyone without a user. */
export const ANONYMOUS = '!anon';
/** The text in place of the signature in a development token, as the published clients make it. */
const DEV_SIGNATURE = 'devtoken';
/** `JWT`, and explicit types such as `at+jwt` (RFC 8725 §3.11). */
const JWT_TYPE = /^(application\/)?([\w.-]+\+)?jwt$/i;
const claimsCheck = Compile(TokenClaims);
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The last header that was accepted: nearly all tokens have the same one. */
let goodHeader: string | undefined;

/**
 * Splits a token without trusting it: the caller compares the signature.
 * Throws RosterError: `token_signature` for anything that is not an HS256 token, `auth` for claims of the wrong type.
 */
export function parseToken(token: string): ParsedToken {
  const [header, payload, signature, ...rest] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) throw new RosterError('token_signature');
  if (header !== goodHeader) {
    checkHeader(decodePart(header));
    goodHeader = header;
  }
  if (!isBase64Url(signature)) throw new RosterError('token_signature');
  const claims = decodePart(payload);
  if (!claimsCheck.Check(claims)) {
    const [first] = claimsCheck.Errors(claims);
    throw new RosterError('auth', `the token's claim ${first?.instancePath.slice(1) ?? ''} ${first?.message ?? 'is not valid'}`);
  }
  return { claims, signed: `${header}.${payload}`, signature };
}

/** Whether this is a development token. It is valid only when the application allows such tokens. */
export function isDevToken({ signature }: ParsedToken): boolean {
  return signature === DEV_SIGNATURE;
}

/** Throws RosterError `token_signature` unless the token represents a single user: an unsigned token never represents a server. */
export function devCallerOf(claims: TokenClaims): Caller {
  const caller = callerOf(claims);
  if (caller.kind === 'server') throw new RosterError('token_signature', 'a development token is good for users only');
  return caller.kind === 'user' ? { ...caller, isDev: true } : caller;
}

/** Throws RosterError `token_signature` for a header that asks for more than a plain JWT under HS256. */
function checkHeader({ alg, crit, b64, typ, cty }: Readonly<Record<string, unknown>>): void {
  // The algorithm is pinned: rosterd treats a token that names another algorithm, or none, as unsigned.
  if (alg !== 'HS256') throw new RosterError('token_signature');
  // RFC 7515 §4.1.11: every extension that `crit` names must be understood. rosterd understands none, and an empty list is invalid.
  if (crit !== undefined) throw new RosterError('token_signature', 'the token header has crit; no extension is supported');
  // RFC 7797: the signature would cover the claims in another form.
  if (b64 !== undefined && b64 !== true) throw new RosterError('token_signature', 'the token header has b64; only true is supported');
  if (typ !== undefined && !(typeof typ === 'string' && JWT_TYPE.test(typ))) {
    throw new RosterError('token_signature', 'the token header has a typ that is not JWT');
  }
  // RFC 7519 §5.2: the claims of a nested token are not in this one.
  if (cty !== undefined) throw new RosterError('token_signature', 'the token header has cty; nested tokens are not supported');
}

/** The JSON object in a part. Every byte of it counts: two texts never mean the same token. */
function decodePart(part: string): Record<string, unknown> {
  try {
    if (!isBase64Url(part)) throw new RosterError('token_signature');
    const text = UTF8.decode(base64UrlBytes(part));
    const value: unknown = JSON.parse(text);
    // Most signers write no spaces: what is written again just so repeats no key.
    if (isObject(value) && (JSON.stringify(value) === text || !hasRepeatedKey(text))) return value;
  } catch {
    // Every error in the form gets the same refusal.
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

/** Throws RosterError `auth` when the token names no user and no server. PHP writes the server claim as a string. */
export function callerOf({ user_id: id, server, iat, exp, resource, action = '*', feed_id: feedId = '*' }: TokenClaims): Caller {
  if (server === true || server === 'true') return { kind: 'server', ...(exp === undefined ? undefined : { exp }) };
  if (resource !== undefined) return { kind: 'server', scope: { resource, action, feedId }, ...(exp === undefined ? undefined : { exp }) };
  if (id === ANONYMOUS) return { kind: 'anonymous' };
  if (id === undefined || id === '') throw new RosterError('auth', 'the token has neither a user_id nor a server claim');
  return { kind: 'user', id, ...(iat === undefined ? undefined : { iat }), ...(exp === undefined ? undefined : { exp }) };
}

/** Whether a token was issued before the stamp. A token without a time of issue counts as issued before. */
export function isRevoked(iat: number | undefined, stamp: Micros | undefined): boolean {
  return stamp !== undefined && (iat === undefined || iat * 1_000_000 < stamp);
}

/** Makes a token. `sign` returns the HMAC-SHA256 of its argument under the API secret, as base64url. */
export function encodeToken(claims: Readonly<Record<string, unknown>>, sign: (signed: string) => string): string {
  const signed = signingInput(claims);
  return `${signed}.${sign(signed)}`;
}
