/**
 * The text, cut after `chars` UTF-16 units and marked with `…` where it is longer. Never in the middle of a character: half a surrogate pair
 * is no text that JSON or UTF-8 can carry.
 */
export function shortened(text: string, chars: number): string {
  if (text.length <= chars) return text;
  const last = text.charCodeAt(chars - 1);
  const isHalf = last >= 0xd800 && last <= 0xdbff;
  return `${text.slice(0, isHalf ? chars - 1 : chars)}…`;
}
