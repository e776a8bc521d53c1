/** Short texts that stand for long ones: for a copy of users, whatever their order, and for a value. They run in a browser, too. */

const FIRST = 0x811c9dc5;
const SECOND = 0x9e3779b9;

const PRIME = 0x01000193;

/** FNV-1a, 32 bits, from one of two initial values. */
function hash(text: string, seed: number): number {
  let value = seed;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), PRIME);
  return mixed(value);
}

/** The final mix of MurmurHash3, which spreads similar inputs. */
function mixed(hashed: number): number {
  let value = Math.imul(hashed ^ (hashed >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

const LETTERS = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

/** Two texts with the same one are almost certainly equal: by chance, one pair in 2^48 is not. 8 letters, digits, `-` or `_`. */
export function textDigest(text: string): string {
  let first = FIRST;
  let second = SECOND;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    first = Math.imul(first ^ unit, PRIME);
    second = Math.imul(second ^ unit, PRIME);
  }
  const [a, b] = [mixed(first), mixed(second)];
  // One call, because a text that is put together letter by letter is a tree of eight.
  return String.fromCharCode(
    letter(a, 18),
    letter(a, 12),
    letter(a, 6),
    letter(a, 0),
    letter(b, 18),
    letter(b, 12),
    letter(b, 6),
    letter(b, 0),
  );
}

/** Six bits as a letter. */
function letter(value: number, shift: number): number {
  return LETTERS[(value >>> shift) & 63] ?? 0;
}

/**
 * A sum over ids and revisions of users, added one at a time. As text: `<count>-<16 hexadecimal digits>`. The text `id:rev` of
 * each user is hashed twice to 32 bits, and each of the two hashes is summed over all users modulo 2^32. Ids are ASCII, so a
 * character is a byte. Includes revisions, but not presence.
 */
export class RevisionDigest {
  #count = 0;
  #first = 0;
  #second = 0;

  add(id: string, rev: number): void {
    const text = `${id}:${rev}`;
    this.#count++;
    this.#first = (this.#first + hash(text, FIRST)) >>> 0;
    this.#second = (this.#second + hash(text, SECOND)) >>> 0;
  }

  toString(): string {
    return `${this.#count}-${[this.#first, this.#second].map((sum) => sum.toString(16).padStart(8, '0')).join('')}`;
  }
}

/** The part of a copy that an id belongs to, when the copy is cut into `count` parts: from 0 to `count` - 1, spread evenly. */
export function digestPart(id: string, count: number): number {
  return hash(id, FIRST) % count;
}

/** The digest of these users: see `RevisionDigest`. */
export function digest(users: Iterable<{ readonly id: string; readonly rev: number }>): string {
  const sum = new RevisionDigest();
  for (const { id, rev } of users) sum.add(id, rev);
  return sum.toString();
}
