/**
 * Snapshots in a directory (LG11): a lowdb database whose adapter streams.
 *
 * lowdb gives the shape, `db.data = …; await db.write()` and `await db.read()`; the adapter gives what lowdb's own do not: the
 * document never exists in one piece, the event loop is not held for more than a few milliseconds, and a file has its name
 * only when it is whole and durable. The newest two snapshots are kept, so that damage to one is not the end.
 */
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { type Adapter, Low } from 'lowdb';
import type { OnStoreEvent } from '../events.ts';
import {
  type FileSystem,
  listWithoutLeftovers,
  nodeFileSystem,
  type OpenFile,
  publishWhole,
  removeIfThere,
  TEMPORARY_SUFFIX,
  writeFully,
} from '../file-system.ts';
import type { LoadedSnapshot, SnapshotSource, SnapshotStore } from '../snapshot.ts';
import { type CheckedFile, checkFile, encodeHeader, encodeTrailer, parseLines, SnapshotDamaged } from './codec.ts';

const KEPT = 2;
const NAME = /^(\d{12})-\d{16}\.ndjson$/;
const CHUNK_BYTES = 256 * 1024;
const SLICE_MS = 4;
/** The clock is looked at every so many lines. */
const LINES_PER_LOOK = 32;
/** Synced every so often, so that the journal's small syncs never wait behind one big one. */
const SYNC_BYTES = 16 * 1024 * 1024;

/** Generations grow: the newest snapshot has the highest one. */
export function snapshotName(generation: number, seq: number): string {
  return `${String(generation).padStart(12, '0')}-${String(seq).padStart(16, '0')}.ndjson`;
}

export function isSnapshotName(name: string): boolean {
  return NAME.test(name);
}

export interface SnapshotStoreOptions {
  /** Holds the snapshots and nothing else. Created when missing. */
  readonly directory: string;
  readonly fileSystem?: FileSystem;
  readonly onEvent?: OnStoreEvent;
}

export interface SavedSnapshot {
  readonly bytes: number;
  readonly lines: number;
}

/** What the database holds: what is to be written, what was written, what was read, or nothing. */
type SnapshotDocument =
  | { readonly state: 'empty' }
  | { readonly state: 'to-save'; readonly source: SnapshotSource }
  | { readonly state: 'loaded'; readonly snapshot: LoadedSnapshot };

const EMPTY: SnapshotDocument = { state: 'empty' };

export class SnapshotFiles implements SnapshotStore {
  readonly #adapter: SnapshotAdapter;
  readonly #db: Low<SnapshotDocument>;
  #saving = false;

  /** Creates the directory where it is missing and removes what an interrupted save has left. */
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

  /** One at a time: a second call while one is at work is a programmer's error. */
  async save(source: SnapshotSource): Promise<SavedSnapshot> {
    if (this.#saving) throw new Error('a snapshot is being saved already');
    this.#saving = true;
    try {
      this.#db.data = { state: 'to-save', source };
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
    const names = await this.#names();
    let newest: SnapshotDamaged | undefined;
    for (const name of names) {
      try {
        return { state: 'loaded', snapshot: this.#loaded(await this.#check(join(this.#directory, name))) };
      } catch (error) {
        if (!(error instanceof SnapshotDamaged)) throw error;
        this.#damaged.add(name);
        this.#onEvent({ type: 'snapshot-damaged', file: error.file, reason: error.reason });
        newest ??= error;
      }
    }
    if (newest === undefined) return null;
    throw new SnapshotDamaged(newest.file, `${newest.reason}; no other snapshot in ${this.#directory} is whole`);
  }

  async write(document: SnapshotDocument): Promise<void> {
    if (document.state !== 'to-save') return;
    const before = await this.#names();
    const generation = Number(before[0]?.slice(0, 12) ?? 0) + 1;
    const name = snapshotName(generation, document.source.position.seq);
    const temporary = join(this.#directory, name + TEMPORARY_SUFFIX);
    const file = await this.#fs.create('snapshot-create', temporary);
    try {
      this.saved = await writeLines(file, document.source);
      await publishWhole(this.#fs, 'snapshot', file, this.#directory, name);
    } catch (error) {
      for (const path of [temporary, join(this.#directory, name)]) await removeIfThere(this.#fs, 'leftover-remove', path);
      throw error;
    } finally {
      await file.close();
    }
    let kept = 1;
    for (const old of before) {
      if (!this.#damaged.has(old) && ++kept <= KEPT) continue;
      await removeIfThere(this.#fs, 'snapshot-remove', join(this.#directory, old));
    }
  }

  /** Newest first. */
  async #names(): Promise<string[]> {
    return (await this.#fs.list(this.#directory)).filter((name) => NAME.test(name)).sort((a, b) => (a < b ? 1 : -1));
  }

  async #check(path: string): Promise<CheckedFile> {
    const file = await this.#fs.openRead(path);
    return checkFile(file, path).finally(() => file.close());
  }

  #loaded(checked: CheckedFile): LoadedSnapshot {
    const fs = this.#fs;
    return {
      position: checked.position,
      async *chunks() {
        const file = await fs.openRead(checked.path);
        try {
          yield* parseLines(file, checked);
        } finally {
          await file.close();
        }
      },
    };
  }
}

/** Header, lines and trailer, in slices of a few milliseconds; waits for the disk rather than queue what it does not take. */
async function writeLines(file: OpenFile, source: SnapshotSource): Promise<SavedSnapshot> {
  const sink = new ChunkedFile(file);
  await sink.add(encodeHeader(source.position));
  let lines = 0;
  let sliceEnd = performance.now() + SLICE_MS;
  for (const line of source.lines()) {
    const written = sink.add(`${JSON.stringify(line)}\n`);
    lines++;
    if (written !== undefined) {
      await written;
      sliceEnd = performance.now() + SLICE_MS;
    } else if (lines % LINES_PER_LOOK === 0 && performance.now() >= sliceEnd) {
      await nextTurn();
      sliceEnd = performance.now() + SLICE_MS;
    }
  }
  await sink.flush();
  await sink.add(encodeTrailer(lines, sink.bytes, sink.crc));
  await sink.flush();
  return { bytes: sink.bytes, lines };
}

class ChunkedFile {
  readonly #file: OpenFile;
  #buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  #used = 0;
  #unsynced = 0;
  /** Of what was flushed. */
  bytes = 0;
  crc = 0;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  /** Returns a promise only when the disk has to be waited for. */
  add(text: string): Promise<void> | undefined {
    // Three bytes per unit of UTF-16 are always enough, and cheaper to know than the exact number.
    if (this.#used + text.length * 3 <= this.#buffer.length) {
      this.#used += this.#buffer.write(text, this.#used);
      return undefined;
    }
    return this.#flushAndAdd(text);
  }

  async #flushAndAdd(text: string): Promise<void> {
    await this.flush();
    const enough = text.length * 3;
    if (enough > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(enough);
    this.#used = this.#buffer.write(text, 0);
  }

  async flush(): Promise<void> {
    const used = this.#used;
    this.crc = crc32(this.#buffer.subarray(0, used), this.crc);
    await writeFully(this.#file, 'snapshot-write', this.#buffer, used, this.bytes);
    this.bytes += used;
    this.#used = 0;
    this.#unsynced += used;
    if (this.#unsynced < SYNC_BYTES) return;
    this.#unsynced = 0;
    await this.#file.datasync('snapshot-sync');
  }
}
