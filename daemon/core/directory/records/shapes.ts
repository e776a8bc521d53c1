/**
 * Lists of keys by number: most users have the same few, so a record names its list instead of each key. What is remembered is bounded,
 * whatever keys users are given; an object beyond the bounds has no shape. Pure.
 */

/** Keys that are remembered in all, each with those before it. */
const STEPS_MAX = 16_384;
/** Keys of one shape. */
const KEYS_MAX = 128;
const KEY_CHARS_MAX = 128;

/** The number that no shape has. */
export const NO_SHAPE = 0;

/** A key after the keys before it. */
class Step {
  readonly next = new Map<string, Step>();
  readonly keys: readonly string[];
  shape = NO_SHAPE;

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }
}

export class Shapes {
  readonly #first = new Step([]);
  readonly #keys: (readonly string[])[] = [[]];
  #steps = 0;

  /** The shape of an object; `NO_SHAPE` where it has none. Keys of undefined values are none, as in JSON. */
  shapeOf(object: object): number {
    let step: Step | undefined = this.#first;
    for (const key in object) {
      if ((object as Readonly<Record<string, unknown>>)[key] === undefined) continue;
      step = step.next.get(key) ?? this.#grow(step, key);
      if (step === undefined) return NO_SHAPE;
    }
    if (step.shape === NO_SHAPE) step.shape = this.#keys.push(step.keys) - 1;
    return step.shape;
  }

  /** Number of shapes. */
  get size(): number {
    return this.#keys.length - 1;
  }

  /** The shapes with numbers above `from`, up to `to`. */
  defined(from: number, to: number): readonly (readonly string[])[] {
    return this.#keys.slice(from + 1, to + 1);
  }

  /** Gives a list of keys the next number; false when it cannot have it. */
  define(keys: readonly string[]): boolean {
    if (new Set(keys).size < keys.length) return false;
    let step: Step | undefined = this.#first;
    for (const key of keys) {
      step = step.next.get(key) ?? this.#grow(step, key);
      if (step === undefined) return false;
    }
    if (step.shape !== NO_SHAPE) return false;
    step.shape = this.#keys.push(step.keys) - 1;
    return true;
  }

  keys(shape: number): readonly string[] {
    return this.#keys[shape] ?? [];
  }

  #grow(step: Step, key: string): Step | undefined {
    // An assignment to `__proto__` makes no key.
    if (this.#steps >= STEPS_MAX || step.keys.length >= KEYS_MAX || key.length > KEY_CHARS_MAX || key === '__proto__') return undefined;
    this.#steps++;
    const next = new Step([...step.keys, key]);
    step.next.set(key, next);
    return next;
  }
}
