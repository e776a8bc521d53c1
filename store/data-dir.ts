/**
 * A data directory as one unit: the lock, the newest whole snapshot, and the journal after it.
 *
 *   <data>/lock/      the processes that have it open
 *   <data>/snapshot/  the newest two snapshots
 *   <data>/journal/   the segments
 *   <data>/exports/, <data>/uploads/  files beside the log
 *
 * Nothing is read before the lock is held, and the lock is released last.
 */
import { access, constants, mkdir, open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { MOVED } from './backup/moved.ts';
import { RESTORING } from './backup/restore.ts';
import { BlobFiles } from './blob-files.ts';
import { hasCode, isNoSpace } from './disk-errors.ts';
import type { OnStoreEvent } from './events.ts';
import { type FileSystem, toError } from './file-system.ts';
import { Journal } from './journal/journal.ts';
import type { JournalOptions } from './journal/options.ts';
import { acquireLock } from './lock.ts';
import { nodeFileSystem } from './node-file-system.ts';
import { SnapshotFiles } from './snapshot/file.ts';
import { SpaceProbe } from './space-probe.ts';
import type { Store } from './store.ts';

export interface DataDirectoryOptions {
  /** Sizes and retention of the journal; all have defaults. */
  readonly journal?: Pick<JournalOptions, 'segmentBytes' | 'retention' | 'heldBytes' | 'recentBytes' | 'blockBytes' | 'now' | 'onStored'>;
  readonly fileSystem?: FileSystem;
  readonly onEvent?: OnStoreEvent;
}

/** The directory cannot be used, for a reason outside its content. */
export class DataDirectoryUnusable extends Error {
  readonly directory: string;

  constructor(directory: string, reason: string, options?: ErrorOptions) {
    super(`the data directory ${directory} cannot be used: ${reason}`, options);
    this.name = 'DataDirectoryUnusable';
    this.directory = directory;
  }
}

/**
 * Opens the directory, creating it with mode 0700 when it is missing. Rejects with DataDirectoryUnusable,
 * DataDirectoryLocked, LogDamaged, SnapshotDamaged or StoreVersionMismatch; in every case the lock is released.
 */
export async function openDataDirectory(path: string, options: DataDirectoryOptions = {}): Promise<Store> {
  const directory = resolve(path);
  const onEvent = options.onEvent ?? (() => {});
  await makeUsable(directory);
  const lock = await acquireLock(directory, onEvent).catch((error: unknown) => {
    throw unusable(directory, error);
  });
  try {
    if ((await (options.fileSystem ?? nodeFileSystem).list(directory)).includes(MOVED))
      throw new DataDirectoryUnusable(
        directory,
        `its history goes on in a database (rosterd migrate): serve with --log. To go back to what was here then, and lose what came after, remove ${join(directory, MOVED)}`,
      );
    const opened = await openLocked(directory, options);
    const blobs = await BlobFiles.open(directory, options.fileSystem);
    const probe = new SpaceProbe(options.fileSystem ?? nodeFileSystem, join(directory, 'journal'));
    const close = () => opened.log.close().finally(() => lock.release());
    return { ...opened, blobs, writeRefusal: () => probe.refusal(), close };
  } catch (error) {
    await lock.release();
    throw unusable(directory, error);
  }
}

/** An error of the system, with the directory that it makes unusable; other errors say enough by themselves. */
function unusable(directory: string, error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return error;
  const place = 'path' in error && typeof error.path === 'string' ? error.path : directory;
  const reason = isNoSpace(error) ? `${place} cannot be written: no space is left on the disk` : error.message;
  return new DataDirectoryUnusable(directory, reason, { cause: error });
}

/** Opens the content of a directory whose lock is held: first the snapshot, then the journal, which must continue from its end. */
export async function openLocked(directory: string, options: DataDirectoryOptions): Promise<Omit<Store, 'blobs' | 'close'>> {
  const fileSystem = options.fileSystem ?? nodeFileSystem;
  const onEvent = options.onEvent ?? (() => {});
  if ((await fileSystem.list(directory)).includes(RESTORING)) {
    throw new DataDirectoryUnusable(directory, 'a restore was begun in it and not finished; run "rosterd restore" again');
  }
  const snapshots = await SnapshotFiles.open({ directory: join(directory, 'snapshot'), fileSystem, onEvent });
  const loaded = await snapshots.load();
  const place = join(directory, 'journal');
  const log = await Journal.open({ ...options.journal, directory: place, fileSystem, snapshot: loaded?.position, onEvent });
  // The names of the two directories must survive a power loss as surely as their content.
  await fileSystem.syncDirectory('recovery-directory-sync', directory);
  return { log, snapshots, loaded, journal: log.trimmer };
}

async function makeUsable(directory: string): Promise<void> {
  try {
    const created = await mkdir(directory, { recursive: true, mode: 0o700 });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    if (created !== undefined) await syncDirectory(dirname(created));
  } catch (error) {
    throw new DataDirectoryUnusable(directory, describe(error), { cause: error });
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}

function describe(error: unknown): string {
  if (hasCode(error, 'EACCES') || hasCode(error, 'EPERM')) return `user ${process.getuid?.() ?? '?'} may not read and write it`;
  if (isNoSpace(error)) return 'it cannot be made: no space is left on the disk';
  if (hasCode(error, 'EROFS')) return 'it lies on a read-only file system';
  if (hasCode(error, 'EEXIST') || hasCode(error, 'ENOTDIR')) return 'a part of its path is a file';
  return toError(error).message;
}
