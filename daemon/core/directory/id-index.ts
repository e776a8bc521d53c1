/**
 * An index from a key (a name, a team) to ids. Most names belong to one user,
 * so a single id is stored as a string and becomes a set only with the second. Pure.
 */
export class IdIndex {
  readonly #ids = new Map<string, string | Set<string>>();

  add(key: string, id: string): void {
    const held = this.#ids.get(key);
    if (held === undefined || held === id) this.#ids.set(key, id);
    else if (typeof held === 'string') this.#ids.set(key, new Set([held, id]));
    else held.add(id);
  }

  remove(key: string, id: string): void {
    const held = this.#ids.get(key);
    if (held === id) this.#ids.delete(key);
    else if (typeof held === 'object' && held.delete(id) && held.size === 0) this.#ids.delete(key);
  }

  /** Every key that has an id. */
  keys(): Iterable<string> {
    return this.#ids.keys();
  }

  /** Every key with its id, or with a set of ids. */
  entries(): Iterable<readonly [string, string | ReadonlySet<string>]> {
    return this.#ids;
  }

  /** Number of ids of a key. */
  count(key: string): number {
    const held = this.#ids.get(key);
    return typeof held === 'object' ? held.size : held === undefined ? 0 : 1;
  }

  get(key: string): Iterable<string> {
    const held = this.#ids.get(key);
    return held === undefined ? [] : typeof held === 'string' ? [held] : held;
  }
}
