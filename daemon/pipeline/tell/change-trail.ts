/**
 * The users that changed lately, in their records or their presence. Whoever gathers something about many users over several turns then
 * looks again at those that changed meanwhile.
 */

/** Users remembered. Whoever takes longer than that many changes begins anew. */
const KEPT_MAX = 50_000;

export class ChangeTrail {
  #ids: string[] = [];
  /** Number of changes before the first one that is kept. */
  #dropped = 0;

  /** The place after the last change. */
  get mark(): number {
    return this.#dropped + this.#ids.length;
  }

  add(id: string): void {
    this.#ids.push(id);
    if (this.#ids.length <= 2 * KEPT_MAX) return;
    this.#dropped += this.#ids.length - KEPT_MAX;
    this.#ids = this.#ids.slice(-KEPT_MAX);
  }

  /** Called when nobody needs what was kept. */
  clear(): void {
    this.#dropped = this.mark;
    this.#ids = [];
  }

  /** The users that changed after `mark`; undefined when that is too long ago. */
  since(mark: number): ReadonlySet<string> | undefined {
    return mark < this.#dropped ? undefined : new Set(this.#ids.slice(mark - this.#dropped));
  }
}
