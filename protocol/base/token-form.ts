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
