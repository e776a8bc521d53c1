/** The compact form of a token, except the parts that need the secret (RFC 7515). Pure; runs in a browser. */

/** The text that a token's signature covers: header and claims, each as base64url. */
export function signingInput(claims: Readonly<Record<string, unknown>>): string {
  return `${encodePart({ alg: 'HS256', typ: 'JWT' })}.${encodePart(claims)}`;
}

function encodePart(value: object): string {
  return base64Url(new TextEncoder().encode(JSON.stringify(value)));
}

/** Without padding. */
export function base64Url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

const BASE64URL = /^[A-Za-z0-9_-]+$/;
/** Of the last letter, by the length of the text modulo 4: the bits beyond the last byte. */
const SPARE_BITS = [0, undefined, 15, 3] as const;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Whether the text is exactly what `base64Url` writes: without padding, white space, and bits beyond the last byte. Not for an empty one. */
export function isBase64Url(text: string): boolean {
  const spare = SPARE_BITS[text.length % 4];
  return BASE64URL.test(text) && spare !== undefined && (ALPHABET.indexOf(text.at(-1) ?? '') & spare) === 0;
}

/** The bytes of a text that `isBase64Url`. */
export function base64UrlBytes(text: string): Uint8Array {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
