/** JSON in which nothing hides: characters that turn the direction of a line, or that nobody sees, are written as escapes. Pure. */

/** Not among them: the joiners of emoji and of many scripts. */
const UNSEEN = /[\u0080-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** It means the same as the value, and can be copied. */
export function visibleJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2) ?? '';
  return text.replace(UNSEEN, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
