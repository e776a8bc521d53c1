/**
 * Letters in a storage that several nodes share, as the node that delivers them has them. A change is on every disk that it must be on when
 * its promise resolves; a node that has lost the job changes nothing.
 *
 * It keeps WH10, WH11 and WH25 (daemon/RULES.md).
 */
import type { HookEvent } from '../../../../protocol/hooks/payload.ts';
import { LeaseLost } from '../../../../store/leases.ts';
import type { LetterRow, LetterRowStatus, LetterTable, LetterTerm, LetterWrite } from '../../../../store/letters.ts';
import type { Letter, LetterLine } from '../letter.ts';
import { LetterIndex } from '../letter-index.ts';
import { LETTER_LIMITS, type LetterChange, type LetterLimits, type LetterMedium, type LetterPlace, Letters } from '../letters.ts';

export interface LetterRowsOptions {
  readonly table: LetterTable;
  readonly term: LetterTerm;
  /** Another node has the job. */
  readonly onLost: () => void;
  readonly limits?: LetterLimits;
}

/** The letters of all hooks, for one term. */
export class SharedLetters implements LetterPlace {
  readonly #options: LetterRowsOptions;

  constructor(options: LetterRowsOptions) {
    this.#options = options;
  }

  async begin(): Promise<void> {}

  async open(hookId: string): Promise<Letters> {
    const { table, term, limits = LETTER_LIMITS } = this.#options;
    const index = new LetterIndex();
    const { letters, lost, number } = await table.load(term, hookId);
    for (const row of letters) index.set(letterOf(row));
    index.apply({ op: 'lost', count: lost }, { offset: 0, bytes: 0 });
    return new Letters(new LetterRows(this.#options, hookId, index, number), index, limits);
  }

  async removeOthers(hookIds: readonly string[]): Promise<void> {
    const { table, term } = this.#options;
    await table.remove(term, 'others', hookIds);
  }
}

class LetterRows implements LetterMedium {
  readonly #options: LetterRowsOptions;
  readonly #hookId: string;
  readonly #index: LetterIndex;
  #number: number;

  constructor(options: LetterRowsOptions, hookId: string, index: LetterIndex, number: number) {
    this.#options = options;
    this.#hookId = hookId;
    this.#index = index;
    this.#number = number;
  }

  async write(changes: readonly LetterChange[], isUrgent: boolean): Promise<number> {
    const { table, term, onLost } = this.#options;
    const sum = new ChangeSum(this.#index);
    for (const change of changes) sum.add(change);
    try {
      await table.write(term, this.#hookId, { ...sum.result, number: ++this.#number, isUrgent });
    } catch (error) {
      if (error instanceof LeaseLost) onLost();
      throw error;
    }
    return 0;
  }

  async read({ id }: Letter): Promise<HookEvent> {
    const { table, term } = this.#options;
    const event = await table.event(term, this.#hookId, id);
    if (event === undefined) throw new Error(`the letter ${id} is no longer there`);
    return JSON.parse(event);
  }

  async replayed(): Promise<readonly Letter[]> {
    const { table, term } = this.#options;
    const rows = await table.replayed(this.#hookId);
    const letters = rows.map(letterOf);
    for (const letter of letters) this.#index.set(letter);
    if (rows.length > 0) await table.takenUp(term, this.#hookId, rows);
    return letters;
  }

  async close(): Promise<void> {}

  async remove(): Promise<void> {
    const { table, term } = this.#options;
    await table.remove(term, 'these', [this.#hookId]);
  }
}

/** What several changes, one after the other, come to. */
class ChangeSum {
  readonly #index: LetterIndex;
  readonly #puts = new Map<string, LetterRow & { readonly event: string }>();
  readonly #moves = new Map<string, LetterRowStatus>();
  readonly #drops = new Set<string>();
  readonly #expired = new Set<string>();
  #lost: number;

  constructor(index: LetterIndex) {
    this.#index = index;
    this.#lost = index.lost;
  }

  get result(): Omit<LetterWrite, 'number' | 'isUrgent'> {
    const [puts, moves, drops, expired] = [[...this.#puts.values()], [...this.#moves.values()], [...this.#drops], [...this.#expired]];
    return { puts, moves, drops, expired, lost: this.#lost };
  }

  add({ line, chunk }: LetterChange): void {
    switch (line.op) {
      case 'put':
        this.#forget(line.id);
        this.#puts.set(line.id, rowOf(line, chunk.length));
        break;
      case 'move': {
        const { id, status } = line;
        const put = this.#puts.get(id);
        if (put !== undefined) this.#puts.set(id, { ...put, ...status });
        else if (this.#index.get(id) !== undefined && !this.#drops.has(id) && !this.#expired.has(id))
          this.#moves.set(id, { id, ...status });
        break;
      }
      case 'drop':
        for (const id of line.ids) {
          this.#forget(id);
          // What another node has asked for meanwhile is no longer dead, and stays.
          (this.#index.get(id)?.state === 'dead' ? this.#expired : this.#drops).add(id);
        }
        break;
      case 'lost':
        this.#lost += line.count;
    }
  }

  #forget(id: string): void {
    for (const changes of [this.#puts, this.#moves, this.#drops, this.#expired]) changes.delete(id);
  }
}

function rowOf({ id, epoch, status, event }: LetterLine & { readonly op: 'put' }, bytes: number): LetterRow & { readonly event: string } {
  const { seq, at, lane, type } = event;
  return { id, epoch, seq, at, lane, type, bytes, ...status, event: JSON.stringify(event) };
}

/** A row has no place in a file; its size counts. */
function letterOf({ bytes, ...row }: LetterRow): Letter {
  return { ...row, place: { offset: 0, bytes } };
}
