/**
 * The letters of one hook, in one file beside the journal: `<data>/webhooks/<hash of the id>/letters.ndjson`. When a promise
 * resolves, the change is on disk; when it rejects, the change is not stored (store/append-file.ts). A line that a crash cut short
 * was never acknowledged and is cut off.
 *
 * It keeps WH10 and WH11 (daemon/RULES.md).
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import { AppendFile, type ReadRecord } from '../../../store/append-file.ts';
import { ChunkWriter, type FileSystem, listWithoutLeftovers, type OpenFile, removeIfThere } from '../../../store/file-system.ts';
import { nodeFileSystem } from '../../../store/node-file-system.ts';
import type { RosterLogger } from '../../base/logger.ts';
import { encodeLetterLine, type Letter, type LetterLine, parseLetterLine } from './letter.ts';
import { LetterIndex } from './letter-index.ts';
import { LETTER_LIMITS, type LetterChange, type LetterLimits, type LetterMedium, type LetterPlace, Letters } from './letters.ts';

const FILE = 'letters.ndjson';
const LINE_END = 0x0a;
/** Name that versions before this one gave to the file while they rewrote it. */
const PART = `${FILE}.part`;
/** The file is rewritten when its waste exceeds this, and exceeds the bytes in use. */
const WASTE_BYTES = 16 * 1024 * 1024;

/** Lines of the file that are no letters; the first of them is at byte `offset`. */
export type OnDamage = (lines: number, file: string, offset: number) => void;

export interface LetterFileOptions {
  readonly onDamage: OnDamage;
  readonly limits?: LetterLimits;
  readonly fileSystem?: FileSystem;
}

/** A folder for each hook. */
export class LetterFolders implements LetterPlace {
  readonly #directory: string;
  readonly #logger: RosterLogger;

  constructor(directory: string, logger: RosterLogger) {
    this.#directory = directory;
    this.#logger = logger;
  }

  async begin(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
  }

  open(hookId: string): Promise<Letters> {
    const onDamage = (lines: number, file: string, offset: number) => {
      this.#logger.error(
        { hook: hookId, lines, file, offset },
        'lines in the file of a webhook cannot be read; what they held is lost to it',
      );
    };
    return openLetterFile(join(this.#directory, folderOf(hookId)), { onDamage });
  }

  async removeOthers(hookIds: readonly string[]): Promise<void> {
    const known = new Set(hookIds.map(folderOf));
    for (const name of await readdir(this.#directory)) {
      if (!known.has(name)) await rm(join(this.#directory, name), { recursive: true, force: true });
    }
  }
}

/** Callers choose ids, and must not choose the name of a folder. */
function folderOf(hookId: string): string {
  return createHash('sha256').update(hookId).digest('hex').slice(0, 32);
}

/** Reads the existing letters. Rejects when the directory cannot be used. */
export async function openLetterFile(
  directory: string,
  { onDamage, limits = LETTER_LIMITS, fileSystem = nodeFileSystem }: LetterFileOptions,
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
  return new Letters(new LetterFile(directory, file, index), index, limits);
}

class LetterFile implements LetterMedium {
  readonly #directory: string;
  readonly #index: LetterIndex;
  readonly #file: AppendFile;

  constructor(directory: string, file: AppendFile, index: LetterIndex) {
    this.#directory = directory;
    this.#file = file;
    this.#index = index;
  }

  async write(changes: readonly LetterChange[], isUrgent: boolean): Promise<number> {
    const offset = this.#file.end;
    const bytes = Buffer.concat(changes.map(({ chunk }) => chunk));
    await (isUrgent ? this.#file.appendDurably(bytes) : this.#file.append(bytes));
    return offset;
  }

  async read(letter: Letter): Promise<HookEvent> {
    return (await this.#lineOf(letter)).event;
  }

  /** Rewrites the file when most of it is waste. */
  async tidy(): Promise<void> {
    const waste = this.#file.end - this.#index.bytes;
    if (waste > Math.max(WASTE_BYTES, this.#index.bytes)) await this.#rewrite();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async remove(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #lineOf({ id, place: { offset, bytes } }: Letter): Promise<LetterLine & { readonly op: 'put' }> {
    const buffer = Buffer.alloc(bytes);
    await this.#file.read(buffer, offset);
    const line = parseLetterLine(buffer.toString('utf8').trimEnd());
    if (line?.op !== 'put') throw new Error(`the letter ${id} cannot be read`);
    return line;
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
