/** The last ids of a row of them, oldest first; the oldest makes room for the newest. Pure. */
export class RecentIds {
  readonly #ids = new Set<string>();
  /** The same ids, each in the place of the one that it replaces. To find the first of a set is to pass by all that were deleted before it. */
  readonly #ring: string[] = [];
  readonly #max: number;
  #next = 0;

  constructor(max: number) {
    this.#max = max;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** An id that is among them stays in its place. */
  add(id: string): void {
    if (this.#ids.has(id)) return;
    const oldest = this.#ring[this.#next];
    if (oldest !== undefined) this.#ids.delete(oldest);
    this.#ring[this.#next] = id;
    this.#next = (this.#next + 1) % this.#max;
    this.#ids.add(id);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#ids.values();
  }
}
