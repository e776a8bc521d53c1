/** Signs tokens with the API secret: HS256, the only form that rosterd admits. */
import { createHmac } from 'node:crypto';
import { encodeToken } from '../../protocol/base/tokens.ts';

export function signToken(claims: Readonly<Record<string, unknown>>, secret: string): string {
  return encodeToken(claims, (signed) => tokenSignature(signed, secret));
}

/** The signature over header and claims as they appear in the token. */
export function tokenSignature(signed: string, secret: string): string {
  return createHmac('sha256', secret).update(signed).digest('base64url');
}
