/** What may be shown of values that can hold a secret. Pure. */

/** Stands for a secret. */
export const MASK = '********';

/** Names of fields that hold a secret, whoever made them up. */
const SECRET_NAME = /(^|[_.-])(secret|password|passwd|token|key|credential|credentials|authorization)s?$/i;

/** The text without the user and the password of URLs in it. */
export function withoutUserInfo(text: string): string {
  return text.replace(/(:\/\/)[^/?#\s]*@/g, `$1${MASK}@`);
}

/** The value with every text masked whose field is named like a secret, and without user and password in URLs. */
export function masked(value: unknown, name = ''): unknown {
  if (typeof value === 'string') {
    if (value !== '' && SECRET_NAME.test(name)) return MASK;
    return withoutUserInfo(value);
  }
  if (Array.isArray(value)) return value.map((one) => masked(one, name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, masked(one, SECRET_NAME.test(name) ? name : key)]));
}
