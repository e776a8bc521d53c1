/** A disk for the history that dies, or refuses, at the operation that a test names. */
import { type HistoryDisk, type HistoryFile, nodeDisk } from '../../../daemon/jobs/history/disk.ts';

export class FaultyDisk implements HistoryDisk {
  /** Operations so far that change the disk. */
  changes = 0;
  /** From this operation on, nothing happens any more: the process is dead. The operation itself happens half. */
  readonly #diesAt: number;
  /** While set, everything that would change the disk is refused with this code. */
  refuses: string | undefined;

  readonly #open = new Set<HistoryFile>();

  constructor(diesAt = Number.POSITIVE_INFINITY) {
    this.#diesAt = diesAt;
  }

  get isDead(): boolean {
    return this.changes >= this.#diesAt;
  }

  async #change<T>(work: () => Promise<T>, half: () => Promise<unknown> = async () => {}): Promise<T> {
    if (this.refuses !== undefined) throw Object.assign(new Error(`${this.refuses}: refused`), { code: this.refuses });
    if (this.isDead) throw new Error('the process is dead');
    this.changes++;
    if (!this.isDead) return await work();
    await half();
    throw new Error('the process dies');
  }

  /** What the kernel does when a process is gone. */
  async end(): Promise<void> {
    for (const file of this.#open) await file.close();
    this.#open.clear();
  }

  #file(file: HistoryFile): HistoryFile {
    this.#open.add(file);
    return {
      read: (...args) => file.read(...args),
      write: (buffer, offset, length, position) =>
        this.#change(
          () => file.write(buffer, offset, length, position),
          () => file.write(buffer, offset, length >> 1, position),
        ),
      truncate: (length) => this.#change(() => file.truncate(length)),
      datasync: () => this.#change(() => file.datasync()),
      stat: () => file.stat(),
      close: () => {
        this.#open.delete(file);
        return file.close();
      },
    };
  }

  makeFolder(path: string): Promise<void> {
    return this.#change(() => nodeDisk.makeFolder(path));
  }

  list(path: string): Promise<string[]> {
    return nodeDisk.list(path);
  }

  async open(path: string): Promise<HistoryFile> {
    return this.#file(await nodeDisk.open(path));
  }

  create(path: string): Promise<HistoryFile> {
    return this.#change(async () => this.#file(await nodeDisk.create(path)));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#change(() => nodeDisk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#change(() => nodeDisk.remove(path));
  }

  syncFolder(path: string): Promise<void> {
    return this.#change(() => nodeDisk.syncFolder(path));
  }
}
