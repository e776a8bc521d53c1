/**
 * The old forms of what changes while views are open. Each is kept once, however many views show it, so a change costs the same with one
 * open view and with thousands. Deterministic.
 *
 * It keeps SN4 (daemon/RULES.md).
 */

/** Old forms that are let go with each change, and with each view that ends: never all of a million at once. */
const FREED_PER_CHANGE = 4;
const FREED_PER_VIEW = 256;

/** A form that was current for the views up to `lastView`, except for those that an older one is for. */
interface Old<T> {
  readonly id: string;
  readonly lastView: number;
  readonly form: T;
}

export class OldForms<T> {
  /** Under each id, oldest first. */
  readonly #byId = new Map<string, Old<T>[]>();
  /** All of them, oldest first; those before `#start` were let go. */
  #all: Old<T>[] = [];
  #start = 0;
  /** The open views, oldest first. */
  readonly #open: number[] = [];
  #lastView = 0;

  /** Old forms that are kept. */
  get size(): number {
    return this.#all.length - this.#start;
  }

  /** Begins a view, and returns its number. It shows everything as it is now, until it is closed. */
  open(): number {
    this.#open.push(++this.#lastView);
    return this.#lastView;
  }

  close(view: number): void {
    const at = this.#open.indexOf(view);
    if (at === -1) return;
    this.#open.splice(at, 1);
    if (this.#open.length > 0) this.#free(FREED_PER_VIEW);
    else {
      this.#byId.clear();
      this.#all = [];
      this.#start = 0;
    }
  }

  /** Call this with the current form before each change. */
  keep(id: string, form: T): void {
    const newest = this.#open.at(-1);
    if (newest === undefined) return;
    const held = this.#byId.get(id);
    // No view was opened since its last change.
    if ((held?.at(-1)?.lastView ?? 0) >= newest) return;
    const old = { id, lastView: this.#lastView, form };
    if (held === undefined) this.#byId.set(id, [old]);
    else held.push(old);
    this.#all.push(old);
    this.#free(FREED_PER_CHANGE);
  }

  /** The form that a view shows, when it is not the current one. */
  find(view: number, id: string): { readonly form: T } | undefined {
    return this.#byId.get(id)?.find(({ lastView }) => lastView >= view);
  }

  /** Everything that a view does not show as it is now. */
  *changed(view: number): Iterable<readonly [string, T]> {
    for (const id of this.#byId.keys()) {
      const old = this.find(view, id);
      if (old !== undefined) yield [id, old.form];
    }
  }

  /** Lets go what no open view shows. */
  #free(most: number): void {
    const oldest = this.#open[0] ?? 0;
    for (let freed = 0; freed < most; freed++) {
      const old = this.#all[this.#start];
      if (old === undefined || old.lastView >= oldest) break;
      this.#start++;
      const held = this.#byId.get(old.id);
      held?.shift();
      if (held?.length === 0) this.#byId.delete(old.id);
    }
    if (this.#start * 2 <= this.#all.length) return;
    this.#all = this.#all.slice(this.#start);
    this.#start = 0;
  }
}
