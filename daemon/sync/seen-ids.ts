/** Remembers on which line of the source each id stood first. */

/** A Map ends at 2^24 entries; well before that the next one starts. */
const IDS_PER_MAP = 8_000_000;

/** About 100 bytes per id: the one thing in a sync that grows with the source. */
export class SeenIds {
  readonly #maps: Map<string, number>[] = [new Map()];
  readonly #idsPerMap: number;

  constructor(idsPerMap = IDS_PER_MAP) {
    this.#idsPerMap = idsPerMap;
  }

  /** The line where `id` stood before; undefined when this is the first time, which is then remembered. */
  claim(id: string, line: number): number | undefined {
    for (const map of this.#maps) {
      const before = map.get(id);
      if (before !== undefined) return before;
    }
    const last = this.#maps.at(-1);
    if (last !== undefined && last.size < this.#idsPerMap) last.set(id, line);
    else this.#maps.push(new Map([[id, line]]));
    return undefined;
  }
}
