/**
 * The records of the directory by id, as bytes outside of the heap of objects (slabs.ts): a million users are nothing that the garbage
 * collector has to walk through, and a record is an object only while it is in use. Pure.
 */
import type { StoredUser } from '../../../../protocol/users/user.ts';
import type { Tombstone } from '../record.ts';
import { IdTable } from './id-table.ts';
import { idKey, RecordCodec } from './record-codec.ts';
import { Slabs } from './slabs.ts';
import { UserView } from './user-view.ts';

/** Records that are kept as objects, too: the same one is read to decide a command, to apply it and to answer. A power of two. */
const RECENT_MAX = 4_096;

export class RecordStore {
  readonly #codec = new RecordCodec();
  readonly #slabs: Slabs;
  readonly #ids: IdTable;
  /** Those read or written last, by the end of the number of their row. */
  readonly #recent: ({ readonly row: number; readonly record: StoredUser | Tombstone } | undefined)[] = new Array(RECENT_MAX).fill(
    undefined,
  );

  /** `seed`: for the places of ids in tables. */
  constructor(seed = 0) {
    const codec = this.#codec;
    this.#slabs = new Slabs({
      sizeOf: (slab, at) => codec.sizeOf(slab, at),
      isLive: (slab, at) => this.#ids.place(codec.row(slab, at)) === slab.place(at),
      moved: (slab, at) => this.#ids.setPlace(codec.row(slab, at), slab.place(at)),
    });
    this.#ids = new IdTable((place, key) => codec.hasKey(this.#slabs.at(place), this.#slabs.offset(place), key), seed);
  }

  /** Bytes of the records and of the room for more. */
  get bytes(): number {
    return this.#slabs.bytes;
  }

  get(id: string): StoredUser | Tombstone | undefined {
    const row = this.#ids.row(idKey(id));
    if (row === -1) return undefined;
    const slot = row & (RECENT_MAX - 1);
    const recent = this.#recent[slot];
    if (recent?.row === row) return recent.record;
    const record = this.#read(row);
    this.#recent[slot] = { row, record };
    return record;
  }

  /** Keeps the record under its id, in place of the one that is there. `isRecent`: it is about to be read. */
  set(record: StoredUser | Tombstone, isRecent = true): void {
    const key = idKey(record.id);
    const known = this.#ids.row(key);
    const row = known === -1 ? this.#ids.size : known;
    const packed = this.#codec.pack(record, key);
    const slab = this.#slabs.reserve(packed.size);
    const at = slab.used - packed.size;
    this.#codec.write(packed, slab, at, row);
    const slot = row & (RECENT_MAX - 1);
    if (isRecent) this.#recent[slot] = { row, record };
    else if (this.#recent[slot]?.row === row) this.#recent[slot] = undefined;
    if (known === -1) {
      this.#ids.add(key, slab.place(at));
      return;
    }
    const before = this.#ids.place(row);
    this.#ids.setPlace(row, slab.place(at));
    this.#slabs.kill(before);
    this.#slabs.compact();
  }

  /**
   * Each record, in the order in which their ids came. It is read when its turn comes, also where it was added or changed meanwhile, and
   * nothing keeps it alive.
   */
  *values(): Generator<StoredUser | Tombstone, void> {
    for (let row = 0; row < this.#ids.size; row++) yield this.#read(row);
  }

  /** Like `values`, for walks: a user is to be read, with `wholeUser` to be kept, before the next one is asked for. */
  *scan(): Generator<StoredUser | Tombstone, void> {
    let user: UserView | undefined;
    for (let row = 0; row < this.#ids.size; row++) {
      const place = this.#ids.place(row);
      const slab = this.#slabs.at(place);
      const at = this.#slabs.offset(place);
      if (!this.#codec.isTabled(slab, at)) yield this.#codec.read(slab, at);
      else {
        user ??= new UserView(this.#codec, slab);
        yield user.movedTo(slab, at);
      }
    }
  }

  #read(row: number): StoredUser | Tombstone {
    const place = this.#ids.place(row);
    return this.#codec.read(this.#slabs.at(place), this.#slabs.offset(place));
  }
}
