/**
 * The records of the directory by id, as bytes outside of the heap of objects (slabs.ts): a million users are nothing that the garbage
 * collector has to walk through, and a record is an object only while it is in use. Pure.
 */
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { NO_KEY } from '../keyed-hash.ts';
import type { Tombstone } from '../record.ts';
import { BlockDamaged, type PackedRecords } from './definitions.ts';
import { IdTable } from './id-table.ts';
import { type OldForm, packedRecords, takeBlock } from './packed-records.ts';
import { HEADER, STATE } from './record-bytes.ts';
import { idKey, RecordCodec } from './record-codec.ts';
import { RecordFields } from './record-fields.ts';
import { Slabs } from './slabs.ts';
import { UserView } from './user-view.ts';

/** Records that are kept as objects, too: the same one is read to decide a command, to apply it and to answer. A power of two. */
const RECENT_MAX = 1_024;
/** Ids whose rows are kept in a map, too, for the same reason. */
const RECENT_IDS_MAX = 4_096;

/** What queries need of it. */
export type RecordViews = Pick<RecordStore, 'views' | 'viewsOf' | 'view' | 'viewOf' | 'shown' | 'fields'>;

export class RecordStore {
  readonly #codec = new RecordCodec();
  /** How filters and sorts read the users of walks. */
  readonly fields = new RecordFields(this.#codec);
  readonly #slabs: Slabs;
  readonly #ids: IdTable;
  /** Those read or written last, by the end of the number of their row. */
  readonly #recent: ({ readonly row: number; readonly record: StoredUser | Tombstone } | undefined)[] = new Array(RECENT_MAX).fill(
    undefined,
  );
  /** The rows of records that were read last, by their ids. A row never changes. */
  readonly #recentRows = new Map<string, number>();

  /** `hashKey`: for the places of ids in tables. */
  constructor(hashKey = NO_KEY) {
    const codec = this.#codec;
    this.#slabs = new Slabs({
      sizeOf: (slab, at) => codec.sizeOf(slab, at),
      isLive: (slab, at) => this.#ids.place(codec.row(slab, at)) === slab.place(at),
      moved: (slab, at) => this.#ids.setPlace(codec.row(slab, at), slab.place(at)),
    });
    this.#ids = new IdTable(
      {
        keyAt: (place) => codec.key(this.#slabs.at(place), this.#slabs.offset(place)),
        isAt: (place, key) => codec.hasKey(this.#slabs.at(place), this.#slabs.offset(place), key),
      },
      hashKey,
    );
  }

  /** Bytes of the records and of the room for more. */
  get bytes(): number {
    return this.#slabs.bytes;
  }

  /** Number of records. Their rows are the numbers below it. */
  get size(): number {
    return this.#ids.size;
  }

  /** The id of a row. */
  id(row: number): string {
    const place = this.#ids.place(row);
    return this.#codec.id(this.#slabs.at(place), this.#slabs.offset(place));
  }

  get(id: string): StoredUser | Tombstone | undefined {
    const recent = this.#recentRows.get(id);
    if (recent !== undefined) return this.#get(recent);
    const row = this.#ids.row(idKey(id));
    if (row === -1) return undefined;
    const record = this.#get(row);
    if (this.#recentRows.size >= RECENT_IDS_MAX) this.#recentRows.clear();
    // Its own id: the given one may be a part of a longer text, which would be kept with it.
    this.#recentRows.set(record.id, row);
    return record;
  }

  /** The row of an id; -1 when it has none. */
  #row(id: string): number {
    return this.#recentRows.get(id) ?? this.#ids.row(idKey(id));
  }

  #get(row: number): StoredUser | Tombstone {
    const slot = row & (RECENT_MAX - 1);
    const recent = this.#recent[slot];
    if (recent?.row === row) return recent.record;
    const record = this.#read(row);
    this.#recent[slot] = { row, record };
    return record;
  }

  /** Keeps the record under its id, in place of the one that is there, and returns its row. `isRecent`: it is about to be read. */
  set(record: StoredUser | Tombstone, isRecent = true): number {
    const key = idKey(record.id);
    const known = this.#row(record.id);
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
      return row;
    }
    const before = this.#ids.place(row);
    this.#ids.setPlace(row, slab.place(at));
    this.#slabs.kill(before);
    this.#slabs.compact();
    return row;
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
    for (const user of this.views()) {
      // It has all that a user may have.
      yield (user.state & STATE.gone) === 0 ? (user as unknown as StoredUser) : user.whole();
    }
  }

  /** Like `scan`, for the fastest walks: a copy of a view is to be kept; tombstones come as views too. */
  views(): Iterable<UserView> {
    return { [Symbol.iterator]: () => new Walk(this.#ids, this.#slabs, this.#codec) };
  }

  /** Like `views`, of these rows, each as it is when its turn comes. */
  *viewsOf(rows: Iterable<number>): Generator<UserView, void> {
    let view: UserView | undefined;
    for (const row of rows) {
      view = this.viewOf(row, view);
      yield view;
    }
  }

  /** A view of the record under this id. */
  view(id: string): UserView | undefined {
    const row = this.#row(id);
    return row === -1 ? undefined : this.viewOf(row);
  }

  /** A view of the record of this row: the given one, moved to it, or a new one. */
  viewOf(row: number, view?: UserView): UserView {
    const place = this.#ids.place(row);
    const slab = this.#slabs.at(place);
    return (view ?? new UserView(this.#codec, slab)).movedTo(slab, this.#slabs.offset(place));
  }

  /** The user that a view shows: one that is kept as an object, where it is still the current one. */
  shown({ slab, at }: UserView): StoredUser {
    const row = slab.view.getUint32(at + HEADER.row, true);
    const place = this.#ids.place(row);
    // A view may be of a slab that was let go, the number of which is another one's by now.
    const isCurrent = place === slab.place(at) && this.#slabs.at(place) === slab;
    return (isCurrent ? this.#get(row) : this.#codec.read(slab, at)) as StoredUser;
  }

  /** All records for a snapshot: see `packedRecords`. */
  packed(oldForm: OldForm): Iterable<PackedRecords> {
    return packedRecords(this.#codec, this.views(), this.size, oldForm);
  }

  /**
   * Adds the records of a block, and calls back with a view of each in turn. Throws BlockDamaged when it is none, or when a record of this
   * id is there.
   */
  load(packed: PackedRecords, added: (user: UserView) => void): void {
    takeBlock(this.#codec, packed);
    const { bytes, records = 0 } = packed;
    this.#ids.expect(records);
    if (bytes.length === 0) return;
    const slab = this.#slabs.reserve(bytes.length, true);
    const from = slab.used - bytes.length;
    slab.fill(bytes, from);
    for (let at = from; at < slab.used; at += this.#codec.sizeOf(slab, at)) {
      const length = slab.view.getUint16(at + HEADER.idBytes, true);
      const row = this.#ids.gather(slab.bytes, this.#codec.keyAt(slab.view, at), length, slab.place(at));
      slab.view.setUint32(at + HEADER.row, row, true);
    }
    const twice = this.#ids.addGathered();
    if (twice !== undefined) throw new BlockDamaged(`has two records of the user "${this.#codec.id(slab, this.#slabs.offset(twice))}"`);
    const view = new UserView(this.#codec, slab);
    for (let at = from; at < slab.used; at += this.#codec.sizeOf(slab, at)) added(view.movedTo(slab, at));
  }

  #read(row: number): StoredUser | Tombstone {
    const place = this.#ids.place(row);
    return this.#codec.read(this.#slabs.at(place), this.#slabs.offset(place));
  }
}

/** Goes from record to record. Its steps are made by hand: those of a generator take longer than a look at a user. */
class Walk implements Iterator<UserView, undefined> {
  readonly #ids: IdTable;
  readonly #slabs: Slabs;
  readonly #codec: RecordCodec;
  #step: IteratorYieldResult<UserView> | undefined;
  #row = 0;

  constructor(ids: IdTable, slabs: Slabs, codec: RecordCodec) {
    this.#ids = ids;
    this.#slabs = slabs;
    this.#codec = codec;
  }

  next(): IteratorResult<UserView, undefined> {
    if (this.#row >= this.#ids.size) return { done: true, value: undefined };
    const place = this.#ids.place(this.#row++);
    const slab = this.#slabs.at(place);
    this.#step ??= { done: false, value: new UserView(this.#codec, slab) };
    this.#step.value.movedTo(slab, this.#slabs.offset(place));
    return this.#step;
  }
}
