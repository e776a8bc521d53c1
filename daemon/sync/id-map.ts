/** Maps any number of ids to numbers. An id of 36 characters takes about 100 bytes; all ids are in memory. */

/** A Map holds at most 2^24 entries; the next one starts well before that. */
const IDS_PER_MAP = 8_000_000;

export class IdMap {
  readonly #maps: Map<string, number>[] = [new Map()];
  readonly #idsPerMap: number;

  constructor(idsPerMap = IDS_PER_MAP) {
    this.#idsPerMap = idsPerMap;
  }

  get(id: string): number | undefined {
    for (const map of this.#maps) {
      const value = map.get(id);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  set(id: string, value: number): void {
    const last = this.#maps.at(-1);
    const known = this.#maps.length === 1 ? undefined : this.#maps.find((map) => map.has(id));
    if (known !== undefined) known.set(id, value);
    else if (last !== undefined && (last.size < this.#idsPerMap || last.has(id))) last.set(id, value);
    else this.#maps.push(new Map([[id, value]]));
  }

  /** Sets every id to this value. */
  fill(value: number): void {
    for (const map of this.#maps) for (const id of map.keys()) map.set(id, value);
  }
}
