/** Maps any number of ids to numbers. An id of 36 characters takes about 100 bytes; all ids are in memory. */

/** A Map holds at most 2^24 entries; the next one starts well before that. */
const IDS_PER_MAP = 8_000_000;

export class IdMap {
  readonly #idsPerMap: number;
  readonly #full: Map<string, number>[] = [];
  /** Takes new ids. */
  #open = new Map<string, number>();

  constructor(idsPerMap = IDS_PER_MAP) {
    this.#idsPerMap = idsPerMap;
  }

  get(id: string): number | undefined {
    return this.#mapWith(id)?.get(id);
  }

  set(id: string, value: number): void {
    const known = this.#mapWith(id);
    if (known === undefined && this.#open.size >= this.#idsPerMap) {
      this.#full.push(this.#open);
      this.#open = new Map();
    }
    (known ?? this.#open).set(id, value);
  }

  /** Sets every id to this value. */
  fill(value: number): void {
    for (const map of [...this.#full, this.#open]) for (const id of map.keys()) map.set(id, value);
  }

  #mapWith(id: string): Map<string, number> | undefined {
    return this.#open.has(id) ? this.#open : this.#full.find((map) => map.has(id));
  }
}
