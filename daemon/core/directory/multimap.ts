const NONE: readonly never[] = [];

/**
 * Values by key. Most keys have one value: a name belongs to one user, a user has one connection. So a single value is stored as it is, and
 * becomes a set, which takes 150 bytes, only with the second. Pure.
 */
export class Multimap<Value extends string | object> {
  readonly #held = new Map<string, Value | Set<Value>>();

  add(key: string, value: Value): void {
    const held = this.#held.get(key);
    if (held === undefined || held === value) this.#held.set(key, value);
    else if (held instanceof Set) held.add(value);
    else this.#held.set(key, new Set([held, value]));
  }

  remove(key: string, value: Value): void {
    const held = this.#held.get(key);
    if (held === value) this.#held.delete(key);
    else if (held instanceof Set && held.delete(value) && held.size === 0) this.#held.delete(key);
  }

  /** Every key that has a value. */
  keys(): Iterable<string> {
    return this.#held.keys();
  }

  /** Every key with its value, or with a set of values. */
  entries(): Iterable<readonly [string, Value | ReadonlySet<Value>]> {
    return this.#held;
  }

  /** Number of keys. */
  get size(): number {
    return this.#held.size;
  }

  /** Number of values of a key. */
  count(key: string): number {
    const held = this.#held.get(key);
    return held instanceof Set ? held.size : held === undefined ? 0 : 1;
  }

  get(key: string): Iterable<Value> {
    const held = this.#held.get(key);
    return held === undefined ? NONE : held instanceof Set ? held : [held];
  }
}
