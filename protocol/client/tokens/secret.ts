/**
 * The API secret, for servers. A file of its own that the client does not import: a web page that does not name it has none
 * of it in its bundle. Signs with WebCrypto, which Node has as well.
 */
import { base64Url, signingInput } from '../../base/token-form.ts';

/** Makes tokens. Given to the client as `secret`; whoever has it may do everything. */
export interface ApiSecret {
  /** A token with these claims, signed with HS256. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>;
}

/** Throws in a web page: a secret that a browser has is none. */
export function apiSecret(secret: string): ApiSecret {
  if ('document' in globalThis) throw new Error('the API secret must not be in a web page; give it a user token');
  const encoder = new TextEncoder();
  const key = crypto.subtle.importKey('raw', encoder.encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  // Whoever signs is told why it does not work; that nobody has signed yet is no reason to end the process.
  key.catch(() => {});
  return {
    sign: async (claims) => {
      const input = signingInput(claims);
      const signature = await crypto.subtle.sign('HMAC', await key, encoder.encode(input));
      return `${input}.${base64Url(new Uint8Array(signature))}`;
    },
  };
}
