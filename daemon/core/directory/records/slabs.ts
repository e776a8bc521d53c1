/**
 * Stretches of memory outside of the heap of objects, to which records are only appended. The room of dead records is won back a little
 * with each write: live ones move out of the emptiest slab, which is then let go. Pure.
 */

/** Of a slab for many records, which begin within so many bytes of any slab. */
export const SLAB_BYTES = 1 << 20;
/** The first slab of a directory, most of which in tests hold a few users. Each is twice as big as the one before. */
const FIRST_BYTES = 1 << 14;
/** Records begin at multiples of this. */
export const UNIT_BYTES = 8;
const UNITS = SLAB_BYTES / UNIT_BYTES;
const UNIT_BITS = Math.log2(UNITS);
/** The share of dead bytes from which on room is won back. */
const DEAD_MAX = 0.15;
/** Records that move with one write. */
const MOVED_PER_WRITE = 4;

/** The methods by which `toString` of Node reads text: a look at the name of the encoding takes as long as a short text. */
export interface Bytes extends Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
}

/** Through which bytes go on their way into a slab. */
const passage = Buffer.allocUnsafeSlow(1 << 16);

export class Slab {
  readonly bytes: Bytes;
  readonly view: DataView;
  readonly index: number;
  used = 0;
  dead = 0;

  /** `isLasting`: see `Slabs.reserve`. */
  constructor(index: number, size: number, isLasting = false) {
    this.index = index;
    // Shared memory, which is shared with nobody: the garbage collector does not count it.
    this.bytes = (isLasting ? Buffer.from(new SharedArrayBuffer(size)) : Buffer.allocUnsafeSlow(size)) as Bytes;
    this.view = new DataView(this.bytes.buffer);
  }

  /** The place of what begins at this offset: a number below 2^32 for each record of up to 32 GiB. */
  place(at: number): number {
    return this.index * UNITS + at / UNIT_BYTES;
  }

  /** Copies these bytes to the place of a record. Into shared memory, V8 copies byte by byte what does not begin at a multiple of eight. */
  fill(bytes: Uint8Array, at: number): void {
    for (let done = 0; done < bytes.length; done += passage.length) {
      const part = bytes.subarray(done, done + passage.length);
      passage.set(part);
      this.bytes.set(passage.subarray(0, part.length), at + done);
    }
  }
}

/** What the slabs ask about records when they move them. */
export interface Movable {
  /** Bytes of the record that begins there, live or dead. */
  sizeOf(slab: Slab, at: number): number;
  isLive(slab: Slab, at: number): boolean;
  moved(slab: Slab, at: number): void;
}

export class Slabs {
  readonly #records: Movable;
  readonly #slabs: (Slab | undefined)[] = [];
  /** Numbers of slabs that were let go. */
  readonly #free: number[] = [];
  #active: Slab | undefined;
  #nextBytes = FIRST_BYTES;
  /** The slab that is being emptied, up to an offset. */
  #emptied: Slab | undefined;
  #emptiedTo = 0;
  #usedBytes = 0;
  #deadBytes = 0;

  constructor(records: Movable) {
    this.#records = records;
  }

  /** Bytes of memory that the slabs take. */
  get bytes(): number {
    return this.#slabs.reduce((sum, slab) => sum + (slab?.bytes.length ?? 0), 0);
  }

  at(place: number): Slab {
    const slab = this.#slabs[place >>> UNIT_BITS];
    if (slab === undefined) throw new Error(`there is no slab at place ${place}`);
    return slab;
  }

  offset(place: number): number {
    return (place & (UNITS - 1)) * UNIT_BYTES;
  }

  /**
   * A slab with room for so many bytes, a multiple of `UNIT_BYTES`, which count as used from then on: they end at its `used`. `isLasting`: many
   * such come in a row, and none of it is garbage. A new slab is then no reason to collect garbage, as another one is for each 32 MiB or so;
   * once it is let go, the ones that take its place are.
   */
  reserve(size: number, isLasting = false): Slab {
    const slab = this.#withRoom(size, isLasting);
    slab.used += size;
    this.#usedBytes += size;
    return slab;
  }

  #withRoom(size: number, isLasting: boolean): Slab {
    if (size > SLAB_BYTES) return this.#open(size, isLasting);
    if (this.#active !== undefined && this.#active.used + size <= this.#active.bytes.length) return this.#active;
    while (this.#nextBytes < size) this.#nextBytes *= 2;
    const last = this.#active;
    // While it was the active one, it was kept.
    if (last !== undefined && last.dead === last.used) this.#letGo(last);
    this.#active = this.#open(this.#nextBytes, isLasting);
    this.#nextBytes = Math.min(2 * this.#nextBytes, SLAB_BYTES);
    return this.#active;
  }

  #open(size: number, isLasting: boolean): Slab {
    const slab = new Slab(this.#free.pop() ?? this.#slabs.length, size, isLasting);
    this.#slabs[slab.index] = slab;
    return slab;
  }

  /** The record that begins there is dead. */
  kill(place: number): void {
    const slab = this.at(place);
    const size = this.#records.sizeOf(slab, this.offset(place));
    slab.dead += size;
    this.#deadBytes += size;
    if (slab.dead === slab.used && slab !== this.#active) this.#letGo(slab);
  }

  #letGo(slab: Slab): void {
    this.#slabs[slab.index] = undefined;
    this.#free.push(slab.index);
    this.#usedBytes -= slab.used;
    this.#deadBytes -= slab.dead;
    if (this.#emptied === slab) this.#emptied = undefined;
  }

  /** Moves a few live records out of the emptiest slab, as long as too much is dead. */
  compact(): void {
    const slab = this.#emptied ?? this.#emptiest();
    if (slab === undefined) return;
    let moved = 0;
    // Once all of it is dead, it is let go, and its number may be that of another one.
    while (moved < MOVED_PER_WRITE && slab.dead < slab.used) {
      const at = this.#emptiedTo;
      const size = this.#records.sizeOf(slab, at);
      this.#emptiedTo += size;
      if (!this.#records.isLive(slab, at)) continue;
      moved++;
      const to = this.reserve(size);
      slab.bytes.copy(to.bytes, to.used - size, at, at + size);
      this.#records.moved(to, to.used - size);
      this.kill(slab.place(at));
    }
  }

  #emptiest(): Slab | undefined {
    if (this.#deadBytes <= DEAD_MAX * this.#usedBytes) return undefined;
    let best: Slab | undefined;
    let bestLive = 1;
    for (const slab of this.#slabs) {
      if (slab === undefined || slab === this.#active || slab.dead === 0) continue;
      const live = 1 - slab.dead / slab.used;
      if (live >= bestLive) continue;
      best = slab;
      bestLive = live;
    }
    this.#emptied = best;
    this.#emptiedTo = 0;
    return best;
  }
}
