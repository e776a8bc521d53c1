/**
 * The ids of all records in their order, so that users sorted by id are found from any of them on, without a look at all. Ids are only
 * added. They are kept in short lists, since one long list would be moved with every id that comes in between. Pure.
 */
const LIST_IDS_MAX = 512;

export class IdOrder {
  /** Each in order, and before the next one. Only the first one may be empty. */
  readonly #lists: string[][] = [[]];
  /** Counts what was added. */
  #version = 0;

  /** An id that is there already stays as it is. */
  add(id: string): void {
    const at = this.#listOf(id);
    const list = this.#lists[at];
    if (list === undefined) return;
    const place = placeIn(list, id);
    if (list[place] === id) return;
    list.splice(place, 0, id);
    this.#version++;
    if (list.length > LIST_IDS_MAX) this.#lists.splice(at + 1, 0, list.splice(LIST_IDS_MAX / 2));
  }

  /** This id and those after it, in order. Ids that are added meanwhile come, too, unless their place is past. */
  *from(start: string): Generator<string, void> {
    let version = this.#version;
    let at = this.#listOf(start);
    let place = placeIn(this.#lists[at] ?? [], start);
    for (;;) {
      const list = this.#lists[at];
      if (list === undefined) return;
      const id = list[place++];
      if (id === undefined) {
        at++;
        place = 0;
        continue;
      }
      yield id;
      if (version === this.#version) continue;
      version = this.#version;
      at = this.#listOf(id);
      place = placeIn(this.#lists[at] ?? [], id) + 1;
    }
  }

  /** The last list that begins at or before the id, or the first one. */
  #listOf(id: string): number {
    let [low, high] = [0, this.#lists.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#lists[middle]?.[0] ?? '') <= id) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** How many ids of the list are before this one. */
function placeIn(list: readonly string[], id: string): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] ?? '') < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
