/** Who is in the directory and not in the source, found a part at a time: memory does not grow with either. */
import { isUserId } from '../../../protocol/base/ids.ts';
import { parseObject } from '../../../protocol/base/json.ts';
import { LineSplitter } from '../line-reader.ts';
import type { PlanRemoval, Removal } from './plan-lines.ts';
import type { StreamedAnswer } from './plan-types.ts';
import { PARTITIONS, type Partitions, type SpoolFile } from './spool.ts';

/** The list of the directory's users is not what it should be. */
export class BrokenList extends Error {
  constructor(reason: string) {
    super(`the list of the directory's users (GET /sync/users) cannot be used: ${reason}`);
    this.name = 'BrokenList';
  }
}

const LIST_LINE_BYTES = 4 * 1024;

/** Puts every user of the list into its partition; resolves with their number. Rejects with BrokenList, TransportError. */
export async function listDirectory({ chunks }: Pick<StreamedAnswer, 'chunks'>, into: Partitions): Promise<number> {
  const splitter = new LineSplitter(LIST_LINE_BYTES);
  const list = new DirectoryList(into);
  for await (const chunk of chunks) for (const { content } of splitter.push(chunk)) list.add(content);
  for (const { content } of splitter.end()) list.add(content);
  return list.end();
}

class DirectoryList {
  readonly #into: Partitions;
  #promised: number | undefined;
  #count = 0;
  #isEnded = false;

  constructor(into: Partitions) {
    this.#into = into;
  }

  add(content: Buffer | undefined): void {
    const line = content === undefined ? undefined : parseObject(content.toString('utf8'));
    if (line === undefined) throw new BrokenList(`line ${this.#count + 2} is no JSON object`);
    if (this.#isEnded) throw new BrokenList('something follows its end');
    if (this.#promised === undefined) this.#promised = countIn(line);
    else if (line.end === true) {
      this.#isEnded = true;
      if (countIn(line) !== this.#count) throw new BrokenList(`its end counts ${countIn(line)} users, but it holds ${this.#count}`);
    } else this.#user(line);
  }

  end(): number {
    if (!this.#isEnded || this.#promised !== this.#count) throw new BrokenList(`it broke off after ${this.#count} users`);
    return this.#count;
  }

  #user({ id, rev, deactivated }: Record<string, unknown>): void {
    if (typeof id !== 'string' || !isUserId(id) || typeof rev !== 'number') throw new BrokenList(`line ${this.#count + 2} names no user`);
    this.#count++;
    this.#into.add(id, `${rev} ${deactivated === true ? 1 : 0} ${id}`);
  }
}

function countIn(line: Record<string, unknown>): number {
  if (typeof line.count !== 'number') throw new BrokenList('it does not say how many users it holds');
  return line.count;
}

export interface Duplicate {
  readonly line: number;
  readonly id: string;
  /** Of the first row with this id that is not wrong. */
  readonly firstLine: number;
}

export interface Comparison {
  /** All who are in the directory and not in the source. */
  readonly missing: number;
  /** Those of them to whom something would happen; they are in the spool. */
  readonly removed: number;
  /** Users of the directory that were looked at. */
  readonly living: number;
  /** Those of them to whom it could happen: all, or those who are not deactivated already. */
  readonly inScope: number;
  /** In the source, and deactivated. */
  readonly deactivated: number;
}

export interface CompareOptions {
  /** `<line> <id>`, the line negative where the row is wrong: it is in the source all the same. */
  readonly source: Partitions;
  /** Absent when nobody is to be found missing. */
  readonly directory?: Partitions;
  readonly removal?: Removal;
  readonly removals: SpoolFile;
  readonly onDuplicates: (found: readonly Duplicate[]) => Promise<void>;
  readonly onMissing: (id: string) => void;
  readonly stop: AbortSignal;
}

/** Both questions need the ids of a partition, so they are asked together. */
export async function compareIds(options: CompareOptions): Promise<Comparison> {
  const total = { missing: 0, removed: 0, living: 0, inScope: 0, deactivated: 0 };
  for (let index = 0; index < PARTITIONS && !options.stop.aborted; index++) {
    const { ids, duplicates } = readIds(await options.source.load(index));
    if (duplicates.length > 0) await options.onDuplicates(duplicates);
    for (const line of (await options.directory?.load(index)) ?? []) {
      const [rev = '', flag, id = ''] = line.split(' ');
      const isDeactivated = flag === '1';
      const isActedOn = !(isDeactivated && options.removal === 'deactivate');
      total.living++;
      if (isActedOn) total.inScope++;
      if (ids.has(id)) {
        if (isDeactivated) total.deactivated++;
        continue;
      }
      total.missing++;
      if (!isActedOn || options.removal === undefined) continue;
      total.removed++;
      options.onMissing(id);
      const removal: PlanRemoval = { do: options.removal, id, rev: Number(rev) };
      options.removals.add(JSON.stringify(removal));
    }
  }
  return total;
}

/** A row that is wrong does not claim its id: the next one with it may count. */
function readIds(lines: readonly string[]): { readonly ids: ReadonlyMap<string, number>; readonly duplicates: readonly Duplicate[] } {
  const ids = new Map<string, number>();
  const duplicates: Duplicate[] = [];
  for (const entry of lines) {
    const cut = entry.indexOf(' ');
    const line = Number(entry.slice(0, cut));
    const id = entry.slice(cut + 1);
    const before = ids.get(id) ?? 0;
    if (line < 0) ids.set(id, before);
    else if (before === 0) ids.set(id, line);
    else duplicates.push({ line, id, firstLine: before });
  }
  return { ids, duplicates };
}
