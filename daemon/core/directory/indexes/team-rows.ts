/** The rows of the members of each team. Pure. */

import { type HashKey, textHash } from '../keyed-hash.ts';
import { RowSet } from './row-set.ts';

/** The teams are in so many maps, as a map that grows copies everything in it at once. */
const PARTS = 256;

export class TeamRows {
  readonly #hashKey: HashKey;
  readonly #parts: (Map<string, number | RowSet> | undefined)[] = new Array(PARTS).fill(undefined);

  /** `hashKey`: nobody who does not know it can choose teams that share a map. */
  constructor(hashKey: HashKey) {
    this.#hashKey = hashKey;
  }

  #held(team: string): number | RowSet | undefined {
    return this.#parts[this.#partOf(team)]?.get(team);
  }

  add(team: string, row: number): void {
    const at = this.#partOf(team);
    const part = this.#parts[at] ?? new Map<string, number | RowSet>();
    this.#parts[at] = part;
    const held = part.get(team);
    if (held instanceof RowSet) held.add(row);
    else if (held === undefined) part.set(team, row);
    else if (held !== row) {
      const rows = new RowSet();
      rows.add(held);
      rows.add(row);
      part.set(team, rows);
    }
  }

  remove(team: string, row: number): void {
    const held = this.#held(team);
    if (held instanceof RowSet) held.remove(row);
    if (held === row || (held instanceof RowSet && held.count === 0)) this.#parts[this.#partOf(team)]?.delete(team);
  }

  /** How many members a team has. */
  count(team: string): number {
    const held = this.#held(team);
    return held instanceof RowSet ? held.count : held === undefined ? 0 : 1;
  }

  /** Every team that has a member. */
  *keys(): Generator<string, void> {
    for (const part of this.#parts) if (part !== undefined) yield* part.keys();
  }

  /** The members of a team in the order of rows. It meets each that stays, whatever changes meanwhile, and none twice. */
  *rows(team: string): Generator<number, void> {
    const held = this.#held(team);
    if (held instanceof RowSet) for (let row = held.next(0); row !== -1; row = held.next(row + 1)) yield row;
    else if (held !== undefined) yield held;
  }

  #partOf(team: string): number {
    return textHash(team, this.#hashKey) % PARTS;
  }
}
