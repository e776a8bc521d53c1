/** Numbers in order, each once, in a typed array that grows and shrinks with them. For short lists, as each change moves what comes behind. Pure. */
type Kind = Uint16ArrayConstructor | Uint32ArrayConstructor | Float64ArrayConstructor;

const ROOM_MIN = 4;

export class NumberList {
  readonly #kind: Kind;
  #values: InstanceType<Kind>;
  #count = 0;

  /** `kind`: it must be able to hold all numbers that are added. */
  constructor(kind: Kind) {
    this.#kind = kind;
    this.#values = new kind(ROOM_MIN);
  }

  /** How many numbers there are. */
  get count(): number {
    return this.#count;
  }

  /** Whether it was not there. */
  add(value: number): boolean {
    const place = this.placeOf(value);
    if (place < this.#count && this.#values[place] === value) return false;
    if (this.#count === this.#values.length) this.#resize(2 * this.#count);
    this.#values.copyWithin(place + 1, place, this.#count++);
    this.#values[place] = value;
    return true;
  }

  /** Whether it was there. */
  remove(value: number): boolean {
    const place = this.placeOf(value);
    if (place === this.#count || this.#values[place] !== value) return false;
    this.#values.copyWithin(place, place + 1, this.#count--);
    if (4 * this.#count <= this.#values.length && this.#values.length > ROOM_MIN) this.#resize(this.#values.length / 2);
    return true;
  }

  #resize(room: number): void {
    const values = new this.#kind(room);
    values.set(this.#values.subarray(0, this.#count));
    this.#values = values;
  }

  /** How many numbers are below this one. */
  placeOf(value: number): number {
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#values[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first number from this one on; -1 when there is none. */
  next(from: number): number {
    const place = this.placeOf(from);
    return place === this.#count ? -1 : (this.#values[place] ?? -1);
  }

  /** Takes the upper half out, as a list of its own. */
  split(): NumberList {
    const upper = new NumberList(this.#kind);
    const half = this.#count >>> 1;
    upper.#values = this.#values.slice(half, this.#count);
    upper.#count = this.#count - half;
    this.#count = half;
    return upper;
  }

  *[Symbol.iterator](): Generator<number, void> {
    for (let place = 0; place < this.#count; place++) yield this.#values[place] ?? 0;
  }
}
