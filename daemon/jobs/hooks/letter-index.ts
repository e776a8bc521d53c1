/** The part of one hook's letters that is in memory: everything but the events. Pure. */
import { compareLetters, type Letter, type LetterLine, type LetterState } from './letter.ts';

/** Number of letters, and bytes of their events in the file. */
export interface LetterCount {
  readonly count: number;
  readonly bytes: number;
}

export class LetterIndex {
  readonly #letters = new Map<string, Letter>();
  readonly #counts: Record<LetterState, { count: number; bytes: number }> = {
    parked: { count: 0, bytes: 0 },
    dead: { count: 0, bytes: 0 },
  };
  #lost = 0;

  get parked(): LetterCount {
    return this.#counts.parked;
  }

  get dead(): LetterCount {
    return this.#counts.dead;
  }

  get lost(): number {
    return this.#lost;
  }

  /** Bytes of the file that are still in use. */
  get bytes(): number {
    return this.#counts.parked.bytes + this.#counts.dead.bytes;
  }

  get(id: string): Letter | undefined {
    return this.#letters.get(id);
  }

  /** In no particular order. */
  values(): Iterable<Letter> {
    return this.#letters.values();
  }

  /** In the order in which the events happened. */
  all(state: LetterState): readonly Letter[] {
    return [...this.#letters.values()].filter((letter) => letter.state === state).sort(compareLetters);
  }

  /** Applies a line of the file. `place` is the place of the line. */
  apply(line: LetterLine, place: Letter['place']): void {
    switch (line.op) {
      case 'put': {
        const { seq, at, lane, type } = line.event;
        this.set({ id: line.id, epoch: line.epoch, seq, at, lane, type, ...line.status, place });
        break;
      }
      case 'move': {
        const letter = this.#letters.get(line.id);
        if (letter !== undefined) this.set({ ...letter, ...line.status });
        break;
      }
      case 'drop':
        for (const id of line.ids) this.#unset(id);
        break;
      case 'lost':
        this.#lost += line.count;
    }
  }

  set(letter: Letter): void {
    this.#unset(letter.id);
    this.#letters.set(letter.id, letter);
    this.#count(letter, 1);
  }

  #unset(id: string): void {
    const letter = this.#letters.get(id);
    if (letter === undefined) return;
    this.#letters.delete(id);
    this.#count(letter, -1);
  }

  #count({ state, place }: Letter, sign: 1 | -1): void {
    const counts = this.#counts[state];
    counts.count += sign;
    counts.bytes += sign * place.bytes;
  }
}
