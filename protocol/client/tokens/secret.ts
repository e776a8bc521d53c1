/**
 * The API secret, for servers. The client does not import this file, so the bundle of a web page that does not use it
 * contains none of it. Signs with WebCrypto, which Node has as well.
 */
import { base64Url, signingInput } from '../../base/token-form.ts';

/** Makes tokens. The client takes it as `secret`; its holder may do everything. */
export interface ApiSecret {
  /** A token with these claims, signed with HS256. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>;
}

/** Throws in a web page, since a secret in a browser is not secret. */
export function apiSecret(secret: string): ApiSecret {
  if ('document' in globalThis) throw new Error('the API secret must not be in a web page; give it a user token');
  const encoder = new TextEncoder();
  const key = crypto.subtle.importKey('raw', encoder.encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  // `sign` reports the error; before the first call to it, a rejection must not end the process.
  key.catch(() => {});
  return {
    sign: async (claims) => {
      const input = signingInput(claims);
      const signature = await crypto.subtle.sign('HMAC', await key, encoder.encode(input));
      return `${input}.${base64Url(new Uint8Array(signature))}`;
    },
  };
}
