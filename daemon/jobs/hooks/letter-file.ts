/**
 * The letters of one hook, in one file beside the journal: `<data>/webhooks/<hash of the id>/letters.ndjson`. What a promise
 * here resolves for is on the disk. A line that a crash cut short was never promised to anybody and is cut off.
 *
 * It keeps WH10 and WH11 (daemon/RULES.md).
 */
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import { compareLetters, type Letter, type LetterLine, type LetterState, type LetterStatus, parseLetterLine } from './letter.ts';

const FILE = 'letters.ndjson';
const READ_BYTES = 256 * 1024;
/** The file is written anew when this much of it is of no use, and more than what is. */
const WASTE_BYTES = 16 * 1024 * 1024;

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

interface Waiting {
  readonly line: LetterLine;
  readonly isUrgent: boolean;
  /** `false`: there is no room for it. */
  readonly resolve: (isDone: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Letters that could not be read. `lines` of the file were no letters. */
export type OnDamage = (lines: number) => void;

export class Letters {
  readonly #directory: string;
  readonly #limits: LetterLimits;
  readonly #letters = new Map<string, Letter>();
  readonly #counts: Record<LetterState, { count: number; bytes: number }> = {
    parked: { count: 0, bytes: 0 },
    dead: { count: 0, bytes: 0 },
  };
  #file: FileHandle;
  #end = 0;
  #used = 0;
  #lost = 0;
  #waiting: Waiting[] = [];
  /** One thing after the other happens to the file. */
  #busy: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** Reads what is there. Rejects when the directory cannot be used. */
  static async open(directory: string, onDamage: OnDamage, limits: LetterLimits = LETTER_LIMITS): Promise<Letters> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await rm(join(directory, `${FILE}.part`), { force: true });
    const file = await open(join(directory, FILE), 'a+', 0o600);
    const letters = new Letters(directory, file, limits);
    const damaged = await letters.#load();
    await syncFolder(directory);
    if (damaged > 0) onDamage(damaged);
    return letters;
  }

  private constructor(directory: string, file: FileHandle, limits: LetterLimits) {
    this.#directory = directory;
    this.#file = file;
    this.#limits = limits;
  }

  get parked(): number {
    return this.#counts.parked.count;
  }

  get dead(): number {
    return this.#counts.dead.count;
  }

  /** Positions and events that were lost to this hook for good. */
  get lost(): number {
    return this.#lost;
  }

  /** Parked letters that there is room for. */
  get room(): number {
    const { count, bytes } = this.#counts.parked;
    return bytes >= this.#limits.parkedBytes ? 0 : Math.max(0, this.#limits.parked - count);
  }

  has(id: string): boolean {
    return this.#letters.has(id);
  }

  get(id: string): Letter | undefined {
    return this.#letters.get(id);
  }

  /** In the order in which they happened. */
  all(state: LetterState): readonly Letter[] {
    return [...this.#letters.values()].filter((letter) => letter.state === state).sort(compareLetters);
  }

  /** Puts an event aside. Resolves with false when there is no room (WH10). */
  put(id: string, epoch: string, event: HookEvent, status: LetterStatus): Promise<boolean> {
    return this.#append({ op: 'put', id, epoch, status, event }, true);
  }

  /** Says something new of a letter. `isUrgent`: it matters that it is durable. */
  move(id: string, status: LetterStatus, isUrgent = true): Promise<boolean> {
    return this.#append({ op: 'move', id, status }, isUrgent);
  }

  drop(ids: readonly string[]): Promise<boolean> {
    return this.#append({ op: 'drop', ids }, true);
  }

  noteLost(count: number): Promise<boolean> {
    return this.#append({ op: 'lost', count }, true);
  }

  /** The event of a letter. Rejects when the letter is not there. */
  read(id: string): Promise<HookEvent> {
    return this.#inTurn(async () => {
      const letter = this.#letters.get(id);
      if (letter === undefined) throw new Error(`there is no letter ${id}`);
      const line = parseLetterLine(await this.#textAt(letter));
      if (line?.op !== 'put') throw new Error(`the letter ${id} cannot be read`);
      return line.event;
    });
  }

  /** Drops dead letters that were given up before this time. */
  async expire(beforeMs: number): Promise<void> {
    const ids = this.all('dead').flatMap((letter) => (letter.whenMs < beforeMs ? [letter.id] : []));
    if (ids.length > 0) await this.drop(ids);
  }

  /** Finishes what was asked for. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#inTurn(() => this.#flush()).catch(() => {});
    await this.#file.close();
  }

  /** The same, and nothing of it stays. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #append(line: LetterLine, isUrgent: boolean): Promise<boolean> {
    if (this.#isClosed) return Promise.reject(new Error('the letters are closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, isUrgent, resolve, reject });
      // What comes while the file is busy shares its write and its sync.
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
    const before = this.#end;
    try {
      const { chunks, apply } = this.#encode(waiting);
      if (chunks.length > 0) {
        await this.#file.appendFile(Buffer.concat(chunks));
        if (waiting.some(({ isUrgent }) => isUrgent)) await this.#file.datasync();
      }
      for (const act of apply) act();
    } catch (error) {
      // Half a line must not stand before the next one.
      await this.#file.truncate(before).catch(() => {});
      this.#end = before;
      for (const { reject } of waiting) reject(error);
      return;
    }
    await this.#tidy().catch(() => {});
  }

  /** Texts and what they will mean. Rooms are counted with what is written in the same go. */
  #encode(waiting: readonly Waiting[]): { chunks: Buffer[]; apply: (() => void)[] } {
    const chunks: Buffer[] = [];
    const apply: (() => void)[] = [];
    let offset = this.#end;
    const parked = { ...this.#counts.parked };
    for (const { line, resolve } of waiting) {
      const chunk = Buffer.from(`${JSON.stringify(line)}\n`);
      if (line.op === 'put' && line.status.state === 'parked' && !this.#letters.has(line.id)) {
        if (parked.count >= this.#limits.parked || parked.bytes + chunk.length > this.#limits.parkedBytes) {
          apply.push(() => resolve(false));
          continue;
        }
        parked.count++;
        parked.bytes += chunk.length;
      }
      const place = { offset, bytes: chunk.length };
      offset += chunk.length;
      chunks.push(chunk);
      apply.push(() => {
        this.#end = place.offset + place.bytes;
        this.#apply(line, place);
        resolve(true);
      });
    }
    return { chunks, apply };
  }

  #apply(line: LetterLine, place: Letter['place']): void {
    switch (line.op) {
      case 'put': {
        const { seq, at, lane, type } = line.event;
        this.#set({ id: line.id, epoch: line.epoch, seq, at, lane, type, ...line.status, place });
        break;
      }
      case 'move': {
        const letter = this.#letters.get(line.id);
        if (letter !== undefined) this.#set({ ...letter, ...line.status });
        break;
      }
      case 'drop':
        for (const id of line.ids) this.#unset(id);
        break;
      case 'lost':
        this.#lost += line.count;
    }
  }

  #set(letter: Letter): void {
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
    this.#used += sign * place.bytes;
  }

  async #textAt({ place: { offset, bytes } }: Letter): Promise<string> {
    const buffer = Buffer.alloc(bytes);
    await this.#file.read(buffer, 0, bytes, offset);
    return buffer.toString('utf8').trimEnd();
  }

  /** WH11, and the file written anew when most of it is of no use. Runs after a write, in its turn. */
  async #tidy(): Promise<void> {
    const { dead, deadBytes } = this.#limits;
    if (this.#counts.dead.count > dead || this.#counts.dead.bytes > deadBytes) {
      // A tenth at once, so that this is seldom.
      const oldest = this.all('dead').slice(0, Math.max(this.#counts.dead.count - dead, Math.ceil(this.#counts.dead.count / 10)));
      void this.drop(oldest.map(({ id }) => id)).catch(() => {});
      void this.noteLost(oldest.length).catch(() => {});
    }
    if (this.#end - this.#used > Math.max(WASTE_BYTES, this.#used)) await this.#rewrite();
  }

  async #rewrite(): Promise<void> {
    const part = join(this.#directory, `${FILE}.part`);
    const file = await open(part, 'ax+', 0o600);
    const moved: Letter[] = [];
    let end = 0;
    const write = async (line: LetterLine): Promise<Letter['place']> => {
      const chunk = Buffer.from(`${JSON.stringify(line)}\n`);
      await file.appendFile(chunk);
      end += chunk.length;
      return { offset: end - chunk.length, bytes: chunk.length };
    };
    try {
      if (this.#lost > 0) await write({ op: 'lost', count: this.#lost });
      for (const letter of this.#letters.values()) {
        const line = parseLetterLine(await this.#textAt(letter));
        if (line?.op !== 'put') throw new Error(`the letter ${letter.id} cannot be read`);
        const { state, attempts, retries, whenMs, reason, isReplay } = letter;
        moved.push({ ...letter, place: await write({ ...line, status: { state, attempts, retries, whenMs, reason, isReplay } }) });
      }
      await file.sync();
      await rename(part, join(this.#directory, FILE));
    } catch (error) {
      await file.close();
      await rm(part, { force: true });
      throw error;
    }
    await syncFolder(this.#directory);
    await this.#file.close();
    this.#file = file;
    this.#end = end;
    for (const letter of moved) this.#set(letter);
  }

  /** Resolves with the number of lines that were none. A last line without its end is cut off silently: nobody relied on it. */
  async #load(): Promise<number> {
    let damaged = 0;
    let rest = Buffer.alloc(0);
    for (let position = 0; ; ) {
      const { bytesRead, buffer } = await this.#file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      let start = 0;
      for (let end = rest.indexOf(10, start); end !== -1; end = rest.indexOf(10, start)) {
        const line = parseLetterLine(rest.toString('utf8', start, end));
        const bytes = end + 1 - start;
        if (line === undefined) damaged++;
        else this.#apply(line, { offset: this.#end, bytes });
        this.#end += bytes;
        start = end + 1;
      }
      rest = rest.subarray(start);
    }
    if (rest.length > 0) await this.#file.truncate(this.#end);
    return damaged;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}
