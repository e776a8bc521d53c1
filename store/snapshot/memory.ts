/** The reference `SnapshotStore`, in memory, for the emulator and for tests. Lines pass through JSON, as they would on a disk. */
import type { LoadedSnapshot, SnapshotLine, SnapshotSource, SnapshotStore } from '../snapshot.ts';

export class MemorySnapshots implements SnapshotStore {
  #newest: LoadedSnapshot | undefined;
  #failure: Error | undefined;

  /** The next save rejects with `error` after it has taken the lines. */
  failNext(error: Error): void {
    this.#failure = error;
  }

  async save(source: SnapshotSource): Promise<{ readonly bytes: number; readonly lines: number }> {
    const texts: string[] = [];
    for (const line of (source.packed?.() ?? source).lines()) texts.push(JSON.stringify(line));
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    this.#newest = { position: source.position, chunks: () => parsed(texts) };
    return { bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0), lines: texts.length };
  }

  async load(): Promise<LoadedSnapshot | undefined> {
    return this.#newest;
  }
}

async function* parsed(texts: readonly string[]): AsyncGenerator<readonly SnapshotLine[], void, undefined> {
  if (texts.length > 0) yield texts.map((text): SnapshotLine => JSON.parse(text));
}
