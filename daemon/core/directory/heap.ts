/** A binary heap: quick access to the first item of an order. Pure. */

export class Heap<T> {
  readonly #items: T[] = [];
  readonly #isBefore: (a: T, b: T) => boolean;

  /** `isBefore` is a strict total order. */
  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#items.length;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = items[up];
      if (parent === undefined || !this.#isBefore(item, parent)) break;
      items[at] = parent;
      at = up;
    }
    items[at] = item;
  }

  /** Removes the first item and returns it. */
  pop(): T | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (last !== undefined && items.length > 0) this.#sink(last);
    return first;
  }

  /** Puts `item` in its place, starting from the vacant top. */
  #sink(item: T): void {
    const items = this.#items;
    let at = 0;
    for (;;) {
      let down = at * 2 + 1;
      let child = items[down];
      const other = items[down + 1];
      if (child !== undefined && other !== undefined && this.#isBefore(other, child)) {
        child = other;
        down++;
      }
      if (child === undefined || !this.#isBefore(child, item)) break;
      items[at] = child;
      at = down;
    }
    items[at] = item;
  }

  clear(): void {
    this.#items.length = 0;
  }

  /** The items in order, without removing them. The first k of n cost about k log k, whatever n is. */
  *inOrder(): Iterable<T> {
    const items = this.#items;
    const isBefore = this.#isBefore;
    const frontier = new Heap<{ readonly at: number; readonly item: T }>((a, b) => isBefore(a.item, b.item));
    const reach = (at: number): void => {
      const item = items[at];
      if (item !== undefined) frontier.push({ at, item });
    };
    reach(0);
    for (let next = frontier.pop(); next !== undefined; next = frontier.pop()) {
      yield next.item;
      reach(next.at * 2 + 1);
      reach(next.at * 2 + 2);
    }
  }
}
