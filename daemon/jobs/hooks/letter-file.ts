/**
 * The letters of one hook, in one file beside the journal: `<data>/webhooks/<hash of the id>/letters.ndjson`. When a promise
 * resolves, the change is on disk; when it rejects, the change is not stored (store/append-file.ts). A line that a crash cut short
 * was never acknowledged and is cut off.
 *
 * It keeps WH10 and WH11 (daemon/RULES.md).
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import { AppendFile, type ReadRecord } from '../../../store/append-file.ts';
import {
  ChunkWriter,
  type FileSystem,
  listWithoutLeftovers,
  nodeFileSystem,
  type OpenFile,
  removeIfThere,
} from '../../../store/file-system.ts';
import { encodeLetterLine, type Letter, type LetterLine, type LetterState, type LetterStatus, parseLetterLine } from './letter.ts';
import { LetterIndex } from './letter-index.ts';

const FILE = 'letters.ndjson';
const LINE_END = 0x0a;
/** Name that versions before this one gave to the file while they rewrote it. */
const PART = `${FILE}.part`;
/** The file is rewritten when its waste exceeds this, and exceeds the bytes in use. */
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
  /** `false`: there is no room. */
  readonly resolve: (isDone: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Lines of the file that are no letters; the first of them is at byte `offset`. */
export type OnDamage = (lines: number, file: string, offset: number) => void;

export interface LettersOptions {
  readonly onDamage: OnDamage;
  readonly limits?: LetterLimits;
  readonly fileSystem?: FileSystem;
}

export class Letters {
  readonly #directory: string;
  readonly #limits: LetterLimits;
  readonly #index: LetterIndex;
  readonly #file: AppendFile;
  #waiting: Waiting[] = [];
  /** Operations on the file run one after the other. */
  #busy: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** Reads the existing letters. Rejects when the directory cannot be used. */
  static async open(
    directory: string,
    { onDamage, limits = LETTER_LIMITS, fileSystem = nodeFileSystem }: LettersOptions,
  ): Promise<Letters> {
    await fileSystem.makeDirectory(directory);
    const names = await listWithoutLeftovers(fileSystem, directory);
    if (names.includes(PART)) await removeIfThere(fileSystem, 'leftover-remove', join(directory, PART));
    const path = join(directory, FILE);
    const index = new LetterIndex();
    const damaged: number[] = [];
    const read = readLetters(index, (offset) => damaged.push(offset));
    const file = names.includes(FILE)
      ? await AppendFile.open(fileSystem, path, { start: 0, read })
      : await AppendFile.create(fileSystem, directory, FILE, new Uint8Array());
    if (damaged[0] !== undefined) onDamage(damaged.length, path, damaged[0]);
    return new Letters(directory, file, index, limits);
  }

  private constructor(directory: string, file: AppendFile, index: LetterIndex, limits: LetterLimits) {
    this.#directory = directory;
    this.#file = file;
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
      return (await this.#lineOf(letter)).event;
    });
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
    await this.#file.close();
  }

  /** Closes the file and removes it. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #append(line: LetterLine, isUrgent: boolean): Promise<boolean> {
    if (this.#isClosed) return Promise.reject(new Error('the letters are closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, isUrgent, resolve, reject });
      // Lines that arrive while the file is busy share one write and one sync.
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
      const { chunks, apply } = this.#encode(waiting);
      const isUrgent = waiting.some((one) => one.isUrgent);
      if (chunks.length > 0) await (isUrgent ? this.#file.appendDurably(Buffer.concat(chunks)) : this.#file.append(Buffer.concat(chunks)));
      for (const act of apply) act();
    } catch (error) {
      for (const { reject } of waiting) reject(error);
      return;
    }
    await this.#tidy().catch(() => {});
  }

  /** Encodes lines, and the effects to apply once they are written. The limits include the lines of the same write. */
  #encode(waiting: readonly Waiting[]): { chunks: Buffer[]; apply: (() => void)[] } {
    const chunks: Buffer[] = [];
    const apply: (() => void)[] = [];
    let offset = this.#file.end;
    const { parked: now } = this.#index;
    const parked = { count: now.count, bytes: now.bytes };
    for (const { line, resolve } of waiting) {
      const chunk = encodeLetterLine(line);
      if (line.op === 'put' && line.status.state === 'parked' && !this.has(line.id)) {
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
        this.#index.apply(line, place);
        resolve(true);
      });
    }
    return { chunks, apply };
  }

  async #lineOf({ id, place: { offset, bytes } }: Letter): Promise<LetterLine & { readonly op: 'put' }> {
    const buffer = Buffer.alloc(bytes);
    await this.#file.read(buffer, offset);
    const line = parseLetterLine(buffer.toString('utf8').trimEnd());
    if (line?.op !== 'put') throw new Error(`the letter ${id} cannot be read`);
    return line;
  }

  /** WH11, and rewrites the file when most of it is waste. Runs after a write, in its turn. */
  async #tidy(): Promise<void> {
    const { dead, deadBytes } = this.#limits;
    const { count, bytes } = this.#index.dead;
    if (count > dead || bytes > deadBytes) {
      // Drops a tenth at once, so that this happens rarely.
      const oldest = this.all('dead').slice(0, Math.max(count - dead, Math.ceil(count / 10)));
      void this.drop(oldest.map(({ id }) => id)).catch(() => {});
      void this.noteLost(oldest.length).catch(() => {});
    }
    const waste = this.#file.end - this.#index.bytes;
    if (waste > Math.max(WASTE_BYTES, this.#index.bytes)) await this.#rewrite();
  }

  async #rewrite(): Promise<void> {
    const moved: Letter[] = [];
    const { lost } = this.#index;
    await this.#file.replace(async (file: OpenFile) => {
      const writer = new ChunkWriter(file, 'segment');
      const write = async (line: LetterLine): Promise<Letter['place']> => {
        const offset = writer.bytes;
        await writer.add(encodeLetterLine(line));
        return { offset, bytes: writer.bytes - offset };
      };
      if (lost > 0) await write({ op: 'lost', count: lost });
      for (const letter of this.#index.values()) {
        const { state, attempts, retries, whenMs, reason, isReplay } = letter;
        const line = { ...(await this.#lineOf(letter)), status: { state, attempts, retries, whenMs, reason, isReplay } };
        moved.push({ ...letter, place: await write(line) });
      }
      return writer.bytes;
    });
    for (const letter of moved) this.#index.set(letter);
  }
}

function readLetters(index: LetterIndex, damaged: (offset: number) => void): ReadRecord {
  return (view, at) => {
    const end = view.indexOf(LINE_END);
    if (end === -1) return { kind: 'more', bytes: view.length * 2, reason: 'the last line has no end' };
    const line = parseLetterLine(view.toString('utf8', 0, end));
    if (line === undefined) damaged(at);
    else index.apply(line, { offset: at, bytes: end + 1 });
    return { kind: 'whole', bytes: end + 1 };
  };
}
