/**
 * All rows in the order of their ids, so that users sorted by id are found from any of them on, without a look at all. Rows are only
 * added. They are kept in short lists, since one long list would be moved with every row that comes in between. Pure.
 */
const LIST_MAX = 512;
/** The last list keeps more of its rows when it is split: ids that come in order would leave all others half empty. */
const LAST_KEPT = 448;

/** Its ids are not before `start`, and before the `start` of the next list. */
class OrderedList {
  readonly start: string;
  rows = new Uint32Array(8);
  count = 0;
  /** So many of its rows are in order: many are added between two looks at most of the lists. */
  sorted = 0;

  constructor(start: string) {
    this.start = start;
  }

  push(row: number): void {
    if (this.count === this.rows.length) {
      const rows = new Uint32Array(2 * this.count);
      rows.set(this.rows);
      this.rows = rows;
    }
    this.rows[this.count++] = row;
  }
}

export class IdOrder {
  readonly #idOf: (row: number) => string;
  readonly #lists = [new OrderedList('')];
  /** Counts what was added. */
  #version = 0;

  /** `idOf` gives the id of a row, which never changes. */
  constructor(idOf: (row: number) => string) {
    this.#idOf = idOf;
  }

  /** Adds a row, which is not there yet. */
  add(row: number, id: string): void {
    let list = this.#lists[this.#listOf(id)];
    if (list?.count === LIST_MAX) {
      this.#split(list);
      list = this.#lists[this.#listOf(id)];
    }
    list?.push(row);
    this.#version++;
  }

  #split(list: OrderedList): void {
    this.#sort(list);
    const at = this.#listOf(list.start);
    const kept = at === this.#lists.length - 1 ? LAST_KEPT : LIST_MAX / 2;
    const upper = new OrderedList(this.#idOf(list.rows[kept] ?? 0));
    for (const row of list.rows.subarray(kept)) upper.push(row);
    list.count = kept;
    for (const one of [list, upper]) one.sorted = one.count;
    this.#lists.splice(at + 1, 0, upper);
  }

  #sort(list: OrderedList): void {
    const { rows, count } = list;
    if (list.sorted === count) return;
    const entries = Array.from(rows.subarray(0, count), (row) => ({ row, id: this.#idOf(row) }));
    entries.sort((one, other) => (one.id < other.id ? -1 : 1));
    for (const [place, { row }] of entries.entries()) rows[place] = row;
    list.sorted = count;
  }

  /** The rows of this id and of those after it, in order. Rows that are added meanwhile come, too, unless their place is past. */
  *from(start: string): Generator<number, void> {
    let version = this.#version;
    let at = this.#listOf(start);
    let place = this.#placeIn(at, start);
    for (;;) {
      const list = this.#lists[at];
      if (list === undefined) return;
      if (place >= list.count) {
        place = this.#placeIn(++at, start);
        continue;
      }
      const row = list.rows[place++] ?? 0;
      yield row;
      if (version === this.#version) continue;
      version = this.#version;
      const id = this.#idOf(row);
      at = this.#listOf(id);
      place = this.#placeIn(at, id) + 1;
    }
  }

  /** The last list that begins at or before the id. */
  #listOf(id: string): number {
    let [low, high] = [0, this.#lists.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#lists[middle]?.start ?? '') <= id) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** How many ids of the list, which is put in order for that, are before this one. */
  #placeIn(at: number, id: string): number {
    const list = this.#lists[at];
    if (list === undefined) return 0;
    this.#sort(list);
    let [low, high] = [0, list.count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#idOf(list.rows[middle] ?? 0) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
