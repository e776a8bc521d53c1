/**
 * The letters of one hook: the index in memory, the limits, and the changes that are gathered for the next write. Where the letters are
 * kept is the matter of a medium: a file (letter-file.ts) or rows (shared/letter-rows.ts).
 *
 * It keeps WH10 and WH11 (daemon/RULES.md).
 */
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import { encodeLetterLine, type Letter, type LetterLine, type LetterState, type LetterStatus } from './letter.ts';
import type { LetterIndex } from './letter-index.ts';

export interface LetterLimits {
  readonly parked: number;
  readonly parkedBytes: number;
  readonly dead: number;
  readonly deadBytes: number;
}

export const LETTER_LIMITS: LetterLimits = {
  parked: 10_000,
  parkedBytes: 64 * 1024 * 1024,
  dead: 100_000,
  deadBytes: 512 * 1024 * 1024,
};

export interface LetterChange {
  readonly line: LetterLine;
  /** The line as it is in the file; its length counts in every medium. */
  readonly chunk: Buffer;
}

/** Where the letters of one hook are kept. One operation runs at a time. */
export interface LetterMedium {
  /**
   * Stores changes, all or none. Resolves with the offset of the first; then they are stored, durably if `isUrgent`. When it rejects, none
   * is stored.
   */
  write(changes: readonly LetterChange[], isUrgent: boolean): Promise<number>;
  read(letter: Letter): Promise<HookEvent>;
  /** Called after a write: gives back space that is no longer used. */
  tidy?(): Promise<void>;
  /** The letters that other nodes have asked to replay, after they were set in the index. */
  replayed?(): Promise<readonly Letter[]>;
  close(): Promise<void>;
  /** Removes what is left of it, after `close`. */
  remove(): Promise<void>;
}

/** The letters of all hooks. */
export interface LetterPlace {
  /** Makes it ready. Rejects when it cannot be used. */
  begin(): Promise<void>;
  open(hookId: string): Promise<Letters>;
  /** Removes the letters of every hook that is not named. */
  removeOthers(hookIds: readonly string[]): Promise<void>;
}

interface Waiting {
  readonly line: LetterLine;
  readonly isUrgent: boolean;
  /** `false`: there is no room. */
  readonly resolve: (isDone: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export class Letters {
  readonly #medium: LetterMedium;
  readonly #limits: LetterLimits;
  readonly #index: LetterIndex;
  #waiting: Waiting[] = [];
  /** Operations on the medium run one after the other. */
  #busy: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** `index`: what the medium holds. */
  constructor(medium: LetterMedium, index: LetterIndex, limits: LetterLimits) {
    this.#medium = medium;
    this.#index = index;
    this.#limits = limits;
  }

  get parked(): number {
    return this.#index.parked.count;
  }

  get dead(): number {
    return this.#index.dead.count;
  }

  /** Positions and events that this hook lost for good. */
  get lost(): number {
    return this.#index.lost;
  }

  /** Number of letters that can still be parked. */
  get room(): number {
    const { count, bytes } = this.#index.parked;
    return bytes >= this.#limits.parkedBytes ? 0 : Math.max(0, this.#limits.parked - count);
  }

  has(id: string): boolean {
    return this.#index.get(id) !== undefined;
  }

  get(id: string): Letter | undefined {
    return this.#index.get(id);
  }

  /** In the order in which the events happened. */
  all(state: LetterState): readonly Letter[] {
    return this.#index.all(state);
  }

  /** Stores an event as a letter. Resolves with false when there is no room (WH10). */
  put(id: string, epoch: string, event: HookEvent, status: LetterStatus): Promise<boolean> {
    return this.#append({ op: 'put', id, epoch, status, event }, true);
  }

  /** Changes the status of a letter. `isUrgent`: the change must be durable. */
  move(id: string, status: LetterStatus, isUrgent = true): Promise<boolean> {
    return this.#append({ op: 'move', id, status }, isUrgent);
  }

  drop(ids: readonly string[]): Promise<boolean> {
    return this.#append({ op: 'drop', ids }, true);
  }

  noteLost(count: number): Promise<boolean> {
    return this.#append({ op: 'lost', count }, true);
  }

  /** The event of a letter. Rejects when the letter does not exist. */
  read(id: string): Promise<HookEvent> {
    return this.#inTurn(async () => {
      const letter = this.#index.get(id);
      if (letter === undefined) throw new Error(`there is no letter ${id}`);
      return await this.#medium.read(letter);
    });
  }

  /** WH26: letters that other nodes have asked to replay since the last time. They are parked by now. */
  replayed(): Promise<readonly Letter[]> {
    return this.#inTurn(async () => (await this.#medium.replayed?.()) ?? []);
  }

  /** Drops dead letters that were given up before this time. */
  async expire(beforeMs: number): Promise<void> {
    const ids = this.all('dead').flatMap((letter) => (letter.whenMs < beforeMs ? [letter.id] : []));
    if (ids.length > 0) await this.drop(ids);
  }

  /** Finishes pending operations. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#inTurn(() => this.#flush()).catch(() => {});
    await this.#medium.close();
  }

  /** Closes it and removes the letters. */
  async remove(): Promise<void> {
    await this.close();
    await this.#medium.remove();
  }

  #append(line: LetterLine, isUrgent: boolean): Promise<boolean> {
    if (this.#isClosed) return Promise.reject(new Error('the letters are closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, isUrgent, resolve, reject });
      // Changes that arrive while the medium is busy share one write and one sync.
      if (this.#waiting.length === 1) void this.#inTurn(() => this.#flush());
    });
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(act);
    this.#busy = done.catch(() => {});
    return done;
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length === 0) return;
    try {
      const { taken, refused } = this.#sort(waiting);
      const isUrgent = waiting.some((one) => one.isUrgent);
      let offset = taken.length > 0 ? await this.#medium.write(taken, isUrgent) : 0;
      for (const { line, chunk, resolve } of taken) {
        this.#index.apply(line, { offset, bytes: chunk.length });
        offset += chunk.length;
        resolve(true);
      }
      for (const { resolve } of refused) resolve(false);
    } catch (error) {
      for (const { reject } of waiting) reject(error);
      return;
    }
    await this.#tidy().catch(() => {});
  }

  /** Encodes the changes, and finds those without room. The limits include the changes of the same write. */
  #sort(waiting: readonly Waiting[]): { readonly taken: (LetterChange & Waiting)[]; readonly refused: Waiting[] } {
    const taken: (LetterChange & Waiting)[] = [];
    const refused: Waiting[] = [];
    const { parked: now } = this.#index;
    const parked = { count: now.count, bytes: now.bytes };
    for (const one of waiting) {
      const { line } = one;
      const chunk = encodeLetterLine(line);
      if (line.op === 'put' && line.status.state === 'parked' && !this.has(line.id)) {
        if (parked.count >= this.#limits.parked || parked.bytes + chunk.length > this.#limits.parkedBytes) {
          refused.push(one);
          continue;
        }
        parked.count++;
        parked.bytes += chunk.length;
      }
      taken.push({ ...one, chunk });
    }
    return { taken, refused };
  }

  /** WH11. Runs after a write, in its turn. */
  async #tidy(): Promise<void> {
    const { dead, deadBytes } = this.#limits;
    const { count, bytes } = this.#index.dead;
    if (count > dead || bytes > deadBytes) {
      // Drops a tenth at once, so that this happens rarely.
      const oldest = this.all('dead').slice(0, Math.max(count - dead, Math.ceil(count / 10)));
      void this.drop(oldest.map(({ id }) => id)).catch(() => {});
      void this.noteLost(oldest.length).catch(() => {});
    }
    await this.#medium.tidy?.();
  }
}
