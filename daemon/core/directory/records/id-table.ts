/**
 * Numbers ("rows") of ids, in the order in which the ids were added, and where the record of each stands. A row never changes and is never
 * removed. Its memory is a few typed arrays, so it costs the garbage collector nothing, and no growth copies more than a thousandth of
 * it at once. Pure.
 */
import { bytesHash, byteTextHash, type HashKey } from '../keyed-hash.ts';

/** Rows of one page. */
const PAGE_BITS = 12;
const PAGE_ROWS = 1 << PAGE_BITS;
/** The table of hashes is in parts, each of which grows by itself. */
const PART_BITS = 10;
const PARTS = 1 << PART_BITS;
const PART_SLOTS = 16;
/** A part grows when it is fuller than this. */
const FULL = 0.75;
/** Rows for which room is made before they come, whoever says that they will: a table of 64 MiB. */
const EXPECTED_MAX = 11_000_000;
/** How much more than the mean a part may get. */
const EXPECTED_EXCESS = 1.05;

/** Keys for which `gather` has room at first. */
const GATHERED = 512;

/** What the table asks about records. */
export interface KeysAt {
  /** The key of the record at a place. */
  keyAt(place: number): string;
  /** Whether the record at a place has this key. */
  isAt(place: number, key: string): boolean;
}

class RowPage {
  readonly places = new Uint32Array(PAGE_ROWS);
  readonly hashes = new Uint32Array(PAGE_ROWS);
}

/** Of a slot: its row + 1; 0 is empty. */
const ROW = 2 ** 28 - 1;
/** The bits above are some of its hash, so that most other rows are not looked at. */
const TAG_SHIFT = 10;

/** Open addressing. */
interface Part {
  slots: Uint32Array;
  rows: number;
}

export class IdTable {
  readonly #pages: RowPage[] = [];
  readonly #parts: (Part | undefined)[] = new Array(PARTS).fill(undefined);
  readonly #keys: KeysAt;
  readonly #key: HashKey;
  #size = 0;
  /** Slots of a new part. */
  #partSlots = PART_SLOTS;
  /** Of the keys that `gather` took. */
  #gathered = { hashes: new Uint32Array(GATHERED), places: new Uint32Array(GATHERED), count: 0 };
  /** The memory of the table that was looked at to have it near; it says nothing. */
  #seen = 0;

  /** `hashKey`: nobody who does not know it can choose keys that are slow to find. */
  constructor(keys: KeysAt, hashKey: HashKey) {
    this.#keys = keys;
    this.#key = hashKey;
  }

  /** Number of rows. */
  get size(): number {
    return this.#size;
  }

  /** So many rows are about to be added to an empty table: most of its parts then never grow. */
  expect(rows: number): void {
    const slots = (Math.min(rows, EXPECTED_MAX) / PARTS / FULL) * EXPECTED_EXCESS;
    while (this.#partSlots < slots) this.#partSlots *= 2;
  }

  /** The row of a key; -1 when it has none. */
  row(key: string): number {
    const hash = byteTextHash(key, this.#key);
    const part = this.#parts[hash >>> (32 - PART_BITS)];
    if (part === undefined) return -1;
    const { slots } = part;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const held = slots[slot] ?? 0;
      if (held === 0) return -1;
      if (this.#isOf(held, hash) && this.#keys.isAt(this.place((held & ROW) - 1), key)) return (held & ROW) - 1;
    }
  }

  /** Where the record of a row stands. */
  place(row: number): number {
    return this.#pages[row >>> PAGE_BITS]?.places[row & (PAGE_ROWS - 1)] ?? 0;
  }

  setPlace(row: number, place: number): void {
    const page = this.#pages[row >>> PAGE_BITS];
    if (page !== undefined) page.places[row & (PAGE_ROWS - 1)] = place;
  }

  /** Adds a key, which has no row yet, and whose row is `size`. */
  add(key: string, place: number): void {
    this.#add(byteTextHash(key, this.#key), place);
  }

  /** Takes the key with these bytes, to be added with others. Returns the row that it will have. */
  gather(bytes: Uint8Array, start: number, length: number, place: number): number {
    const { hashes, places, count } = this.#gathered;
    if (count === hashes.length) this.#gathered = { hashes: doubled(hashes), places: doubled(places), count };
    this.#gathered.hashes[count] = bytesHash(bytes, start, length, this.#key);
    this.#gathered.places[count] = place;
    return this.#size + this.#gathered.count++;
  }

  /** Adds the keys that were gathered, up to the first one that has a row already. Returns its place; undefined when none has. */
  addGathered(): number | undefined {
    const { hashes, places, count } = this.#gathered;
    this.#gathered.count = 0;
    // Most of the time is spent waiting for memory: here for that of all keys at once, and then for none.
    for (let index = 0; index < count; index++) {
      const hash = hashes[index] ?? 0;
      const { slots } = this.#partWithRoom(hash);
      this.#seen ^= slots[hash & (slots.length - 1)] ?? 0;
    }
    for (let index = 0; index < count; index++) {
      const [hash, place] = [hashes[index] ?? 0, places[index] ?? 0];
      if (this.#isThere(hash, place)) return place;
      this.#add(hash, place);
    }
    return undefined;
  }

  /** Whether the key of the record at this place has a row. */
  #isThere(hash: number, place: number): boolean {
    const { slots } = this.#partWithRoom(hash);
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const held = slots[slot] ?? 0;
      if (held === 0) return false;
      // Nearly always, a row with this hash is that of the same key.
      if (this.#isOf(held, hash) && this.#keys.isAt(this.place((held & ROW) - 1), this.#keys.keyAt(place))) return true;
    }
  }

  /** Whether the row in a slot has this hash. */
  #isOf(held: number, hash: number): boolean {
    return ((held ^ (hash << TAG_SHIFT)) & ~ROW) === 0 && this.#hash((held & ROW) - 1) === hash;
  }

  /** The part for this hash, which has room for one more. */
  #partWithRoom(hash: number): Part {
    const at = hash >>> (32 - PART_BITS);
    let part = this.#parts[at];
    if (part === undefined) {
      part = { slots: new Uint32Array(this.#partSlots), rows: 0 };
      this.#parts[at] = part;
    }
    if (part.rows + 1 > FULL * part.slots.length) part.slots = this.#grown(part.slots);
    return part;
  }

  #add(hash: number, place: number): void {
    const row = this.#size++;
    let page = this.#pages[row >>> PAGE_BITS];
    if (page === undefined) {
      page = new RowPage();
      this.#pages.push(page);
    }
    page.places[row & (PAGE_ROWS - 1)] = place;
    page.hashes[row & (PAGE_ROWS - 1)] = hash;
    const part = this.#partWithRoom(hash);
    part.rows++;
    insert(part.slots, hash, row);
  }

  #grown(slots: Uint32Array): Uint32Array {
    const grown = new Uint32Array(2 * slots.length);
    for (const held of slots) {
      const row = (held & ROW) - 1;
      if (held !== 0) insert(grown, this.#hash(row), row);
    }
    return grown;
  }

  #hash(row: number): number {
    return this.#pages[row >>> PAGE_BITS]?.hashes[row & (PAGE_ROWS - 1)] ?? 0;
  }
}

function insert(slots: Uint32Array, hash: number, row: number): void {
  const mask = slots.length - 1;
  let slot = hash & mask;
  while (slots[slot] !== 0) slot = (slot + 1) & mask;
  slots[slot] = (row + 1) | ((hash << TAG_SHIFT) & ~ROW);
}

function doubled(numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const all = new Uint32Array(2 * numbers.length);
  all.set(numbers);
  return all;
}
