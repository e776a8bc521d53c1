/** Values that many records share, by number: each is kept once. Only so many are; others have no code, and stay with their record. Pure. */

/** The code that no value has. */
export const NO_CODE = 0;

export class Codes<T> {
  readonly #codes = new Map<string, number>();
  readonly #values: (T | undefined)[] = [undefined];
  readonly #max: number;
  readonly #charsMax: number;

  /** At most `max` values, of keys that are not longer than `charsMax`. */
  constructor(max: number, charsMax: number) {
    this.#max = max;
    this.#charsMax = charsMax;
  }

  /** The code of the value that has this key. */
  codeOf(key: string, value: T): number {
    const known = this.#codes.get(key);
    if (known !== undefined) return known;
    if (this.#values.length > this.#max || key.length > this.#charsMax) return NO_CODE;
    const code = this.#values.push(value) - 1;
    this.#codes.set(key, code);
    return code;
  }

  /** Gives a value the next code; false when it cannot have it. */
  define(key: string, value: T): boolean {
    return !this.#codes.has(key) && this.codeOf(key, value) !== NO_CODE;
  }

  /** Number of codes. */
  get size(): number {
    return this.#values.length - 1;
  }

  /** The values with codes above `from`, up to `to`. */
  defined(from: number, to: number): readonly T[] {
    return this.#values.slice(from + 1, to + 1) as T[];
  }

  /** The code of a value that has one already. */
  knownCode(key: string): number {
    return this.#codes.get(key) ?? NO_CODE;
  }

  value(code: number): T | undefined {
    return this.#values[code];
  }
}
