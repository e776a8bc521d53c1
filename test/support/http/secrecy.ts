/**
 * SC2: over the whole end-to-end run, no token, no signature and no secret stands in a log line or in an error. Every daemon
 * that a test starts is watched, at the most talkative log level; one leak fails its test.
 */

/** How the header of every token begins, and its claims: `{"` in base64url. */
const TOKEN_PART = /eyJ[\w-]{8,}/;
/** As long as the signature of a token; there are other texts of that length. */
const LIKE_SIGNATURE = /(?<![\w-])[\w-]{43}(?![\w-])/g;

/** The secret of every daemon in the test world. */
export const SECRET = 'test-secret-that-is-long-enough-for-anything';

const signatures = new Set<string>();

/** Keeps the signature of a token that a test made, so that it is recognised where it stands alone. */
export function markToken(token: string): string {
  const signature = token.split('.')[2];
  if (signature !== undefined) signatures.add(signature);
  return token;
}

/** What of `text` nobody should get to see; undefined when there is nothing. */
export function leakIn(text: string): string | undefined {
  if (text.includes(SECRET)) return 'the secret';
  const part = TOKEN_PART.exec(text)?.[0];
  if (part !== undefined) return `part of a token (${part})`;
  const signature = text.match(LIKE_SIGNATURE)?.find((found) => signatures.has(found));
  return signature === undefined ? undefined : `the signature of a token (${signature})`;
}

/** Throws when the text holds a token, a signature or the secret. */
export function assertNoSecret(text: string, where: string): void {
  const leak = leakIn(text);
  if (leak !== undefined) throw new Error(`${leak} stands in ${where}: ${text.slice(0, 500)}`);
}
