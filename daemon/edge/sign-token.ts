/** Signs tokens with the API secret: HS256, the only form that rosterd lets in. */
import { createHmac } from 'node:crypto';
import { encodeToken } from '../../protocol/base/tokens.ts';

export function signToken(claims: Readonly<Record<string, unknown>>, secret: string): string {
  return encodeToken(claims, (signed) => createHmac('sha256', secret).update(signed).digest('base64url'));
}
