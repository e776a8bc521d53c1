/** The reference `SnapshotStore`, in memory, for the emulator and for tests. Snapshots pass through their format, as they would on a disk. */
import type { LoadedSnapshot, Rest, SnapshotSource, SnapshotStore } from '../snapshot.ts';
import { encodeSnapshot, readSnapshot } from './codec.ts';

export class MemorySnapshots implements SnapshotStore {
  #newest: LoadedSnapshot | undefined;
  #failure: Error | undefined;

  /** The next save rejects with `error` after it has taken the lines. */
  failNext(error: Error): void {
    this.#failure = error;
  }

  async save(source: SnapshotSource, rest?: Rest): Promise<{ readonly bytes: number; readonly lines: number }> {
    const file: Buffer[] = [];
    let lines = 0;
    const onLines = (count: number): void => {
      lines = count;
    };
    for await (const chunk of encodeSnapshot(source.packed?.() ?? source, onLines, rest)) file.push(Buffer.from(chunk));
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    this.#newest = { position: source.position, chunks: () => readSnapshot('the snapshot in memory', file) };
    return { bytes: file.reduce((sum, { length }) => sum + length, 0), lines };
  }

  async load(): Promise<LoadedSnapshot | undefined> {
    return this.#newest;
  }
}
