/**
 * Snapshots in a directory (LG11): a lowdb database whose adapter streams.
 *
 * lowdb gives the form, `db.data = …; await db.write()` and `await db.read()`; the adapter adds what lowdb's own adapters lack: the
 * document never exists in one piece, the event loop is blocked for at most a few milliseconds, and a file has its name
 * only when it is whole and durable. The newest two snapshots are kept, so that damage to one is not fatal.
 */
import { basename, join } from 'node:path';
import { type Adapter, Low } from 'lowdb';
import type { OnStoreEvent } from '../events.ts';
import {
  ChunkWriter,
  createWhole,
  type FileSystem,
  fileChunks,
  listWithoutLeftovers,
  type OpenFile,
  removeIfThere,
} from '../file-system.ts';
import { nodeFileSystem } from '../node-file-system.ts';
import type { LoadedSnapshot, Rest, SnapshotDamaged, SnapshotLine, SnapshotSource, SnapshotStore } from '../snapshot.ts';
import { type CheckedSnapshot, encodeSnapshot, readSnapshot, SnapshotReader } from './codec.ts';
import { newestWhole } from './newest.ts';

const KEPT = 2;
const NAME = /^\d{12}-\d{16}\.ndjson$/;

/** Generations increase: the newest snapshot has the highest one. */
export function snapshotName(generation: number, seq: number): string {
  return `${String(generation).padStart(12, '0')}-${String(seq).padStart(16, '0')}.ndjson`;
}

export function isSnapshotName(name: string): boolean {
  return NAME.test(name);
}

export interface SnapshotStoreOptions {
  /** Holds only the snapshots. Created when missing. */
  readonly directory: string;
  readonly fileSystem?: FileSystem;
  readonly onEvent?: OnStoreEvent;
}

export interface SavedSnapshot {
  readonly bytes: number;
  readonly lines: number;
}

interface ToSave {
  readonly state: 'to-save';
  readonly source: SnapshotSource;
  readonly rest: Rest | undefined;
}

/** The state of the database: a document to write, written or read, or nothing. */
type SnapshotDocument = { readonly state: 'empty' } | ToSave | { readonly state: 'loaded'; readonly snapshot: LoadedSnapshot };

const EMPTY: SnapshotDocument = { state: 'empty' };

export class SnapshotFiles implements SnapshotStore {
  readonly #adapter: SnapshotAdapter;
  readonly #db: Low<SnapshotDocument>;
  #saving = false;

  /** Creates the directory when it is missing and removes the remains of an interrupted save. */
  static async open(options: SnapshotStoreOptions): Promise<SnapshotFiles> {
    const fs = options.fileSystem ?? nodeFileSystem;
    await fs.makeDirectory(options.directory);
    await listWithoutLeftovers(fs, options.directory);
    return new SnapshotFiles(new SnapshotAdapter(fs, options.directory, options.onEvent ?? (() => {})));
  }

  private constructor(adapter: SnapshotAdapter) {
    this.#adapter = adapter;
    this.#db = new Low<SnapshotDocument>(adapter, EMPTY);
  }

  /** One call at a time: a concurrent second call is a programming error. */
  async save(source: SnapshotSource, rest?: Rest): Promise<SavedSnapshot> {
    if (this.#saving) throw new Error('a snapshot is being saved already');
    this.#saving = true;
    try {
      this.#db.data = { state: 'to-save', source: source.packed?.() ?? source, rest };
      await this.#db.write();
      return this.#adapter.saved;
    } finally {
      this.#db.data = EMPTY;
      this.#saving = false;
    }
  }

  /** Rejects with SnapshotDamaged when there are snapshots but none is whole: the directory never silently starts empty. */
  async load(): Promise<LoadedSnapshot | undefined> {
    await this.#db.read();
    const { data } = this.#db;
    this.#db.data = EMPTY;
    return data.state === 'loaded' ? data.snapshot : undefined;
  }
}

class SnapshotAdapter implements Adapter<SnapshotDocument> {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #onEvent: OnStoreEvent;
  /** Names of files that failed their checks: they do not count among the newest two. */
  readonly #damaged = new Set<string>();
  saved: SavedSnapshot = { bytes: 0, lines: 0 };

  constructor(fs: FileSystem, directory: string, onEvent: OnStoreEvent) {
    this.#fs = fs;
    this.#directory = directory;
    this.#onEvent = onEvent;
  }

  async read(): Promise<SnapshotDocument | null> {
    const fs = this.#fs;
    const stored = (await this.#names()).map((name) => {
      const file = join(this.#directory, name);
      return { file, check: async () => (await checkSnapshot(fs, file)).position, chunks: () => snapshotLines(fs, file) };
    });
    const onDamage = ({ file, reason }: SnapshotDamaged): void => {
      this.#damaged.add(basename(file));
      this.#onEvent({ type: 'snapshot-damaged', file, reason });
    };
    const snapshot = await newestWhole({ stored, place: this.#directory, onDamage });
    return snapshot === undefined ? null : { state: 'loaded', snapshot };
  }

  async write(document: SnapshotDocument): Promise<void> {
    if (document.state !== 'to-save') return;
    const before = await this.#names();
    const generation = Number.parseInt(before[0] ?? '0', 10) + 1;
    const name = snapshotName(generation, document.source.position.seq);
    try {
      await (await createWhole(this.#fs, 'snapshot', this.#directory, name, (file) => this.#fill(file, document))).close();
    } catch (error) {
      await removeIfThere(this.#fs, 'leftover-remove', join(this.#directory, name));
      throw error;
    }
    let kept = 1;
    for (const old of before) {
      if (!this.#damaged.has(old) && ++kept <= KEPT) continue;
      await removeIfThere(this.#fs, 'snapshot-remove', join(this.#directory, old));
    }
  }

  async #fill(file: OpenFile, { source, rest }: ToSave): Promise<void> {
    const writer = new ChunkWriter(file, 'snapshot');
    let lines = 0;
    const onLines = (count: number): void => {
      lines = count;
    };
    for await (const chunk of encodeSnapshot(source, onLines, rest)) await writer.add(chunk);
    this.saved = { bytes: writer.bytes, lines };
  }

  /** Newest first. */
  async #names(): Promise<string[]> {
    return (await this.#fs.list(this.#directory)).filter(isSnapshotName).sort().reverse();
  }
}

/** Reads the whole file once. Rejects with SnapshotDamaged, or StoreVersionMismatch. */
export async function checkSnapshot(fs: FileSystem, path: string): Promise<CheckedSnapshot> {
  const reader = new SnapshotReader(path);
  for await (const chunk of fileChunks(path, fs, { reusesBuffers: true })) reader.push(chunk);
  return reader.end();
}

/** The lines of a snapshot, parsed in chunks of about a millisecond. A damaged one rejects with SnapshotDamaged by the end. */
export function snapshotLines(fs: FileSystem, path: string): AsyncGenerator<readonly SnapshotLine[], void, undefined> {
  return readSnapshot(path, fileChunks(path, fs, { reusesBuffers: true }));
}
