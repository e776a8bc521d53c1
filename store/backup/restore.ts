/**
 * Restores a backup into an empty data directory. Checks the whole file before the first write, and again during the write.
 *
 * The directory is either unchanged, or holds the restored directory: a snapshot, which has its name only when it is whole. During
 * the write a marker exists beside it; a daemon that finds the marker does not start, so that after a crash it never serves an
 * empty directory instead of a restored one. Another restore first removes the remains of an interrupted one.
 *
 * There is no journal afterwards: the first start begins a new epoch at the position of the backup (LG8).
 */
import { join } from 'node:path';
import type { Position } from '../../protocol/base/position.ts';
import { hasCode } from '../disk-errors.ts';
import { ChunkWriter, createWhole, type FileSystem, fileChunks, isTemporary, type OpenFile } from '../file-system.ts';
import { nodeFileSystem } from '../node-file-system.ts';
import { snapshotHeader, snapshotTrailer } from '../snapshot/codec.ts';
import { snapshotName } from '../snapshot/file.ts';
import { Sums } from '../snapshot/lines.ts';
import type { BackupSummary } from './codec.ts';
import { checkBackup } from './file.ts';

export const RESTORING = 'restoring';

/** Names that a data directory may contain and still count as empty. Folders count when they are empty. */
const HARMLESS: ReadonlySet<string> = new Set(['credentials.json', 'rosterd.json', 'lock', 'lost+found', RESTORING]);

/** The directory holds data that restoring would replace, or mix with. */
export class NotEmpty extends Error {
  constructor(directory: string, found: string) {
    super(`${directory} is not empty: there is ${found}. Restore into an empty directory (credentials.json may be in it)`);
    this.name = 'NotEmpty';
  }
}

/**
 * Restores `backup` into an existing directory whose lock is held. Rejects with NotEmpty, BackupDamaged,
 * StoreVersionMismatch, or an error of the disk; then the directory is unchanged.
 */
export async function restoreBackup(backup: string, directory: string, fileSystem: FileSystem = nodeFileSystem): Promise<BackupSummary> {
  const isInterrupted = await refuseData(fileSystem, directory);
  const checked = await checkBackup(fileChunks(backup, fileSystem), backup);
  const place = join(directory, 'snapshot');
  await mark(fileSystem, directory);
  if (isInterrupted) await clear(fileSystem, place);
  try {
    await fileSystem.makeDirectory(place);
    await writeSnapshot(fileSystem, backup, place, checked);
    await fileSystem.syncDirectory('restore-directory-sync', directory);
  } catch (error) {
    // Removes the published snapshot, so that a daemon may start in the empty directory. If even that fails, the marker stays.
    const takenBack = clear(fileSystem, place).then(() => unmark(fileSystem, directory));
    await takenBack.catch(() => {});
    throw error;
  }
  await unmark(fileSystem, directory);
  return checked;
}

/** Whether an earlier restore was interrupted. Rejects with NotEmpty. */
async function refuseData(fileSystem: FileSystem, directory: string): Promise<boolean> {
  const names = await fileSystem.list(directory);
  const isInterrupted = names.includes(RESTORING);
  for (const name of names) {
    if (HARMLESS.has(name) || isTemporary(name)) continue;
    const inside = await filesIn(fileSystem, join(directory, name));
    if (inside === undefined) throw new NotEmpty(directory, name);
    // Under the marker, a snapshot can only be from the interrupted restore, since no daemon starts there.
    const isOurs = name === 'snapshot' && isInterrupted;
    const left = inside.filter((file) => !isTemporary(file));
    if (left[0] !== undefined && !isOurs) throw new NotEmpty(directory, join(name, left[0]));
  }
  return isInterrupted;
}

/** undefined: the path is a file. */
async function filesIn(fileSystem: FileSystem, path: string): Promise<string[] | undefined> {
  try {
    return await fileSystem.list(path);
  } catch (error) {
    if (hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

async function mark(fileSystem: FileSystem, directory: string): Promise<void> {
  const text = 'a restore was begun and not finished\n';
  await (await createWhole(fileSystem, 'restoring', directory, RESTORING, Buffer.from(text))).close();
}

async function unmark(fileSystem: FileSystem, directory: string): Promise<void> {
  await fileSystem.remove('restoring-remove', join(directory, RESTORING));
  await fileSystem.syncDirectory('restoring-remove-sync', directory);
}

async function clear(fileSystem: FileSystem, place: string): Promise<void> {
  const names = await fileSystem.list(place).catch(noneIfMissing);
  if (names.length === 0) return;
  for (const name of names) await fileSystem.remove('restore-clear', join(place, name));
  await fileSystem.syncDirectory('restore-clear-sync', place);
}

function noneIfMissing(error: unknown): string[] {
  if (hasCode(error, 'ENOENT')) return [];
  throw error;
}

async function writeSnapshot(fileSystem: FileSystem, backup: string, place: string, checked: BackupSummary): Promise<void> {
  const name = snapshotName(1, checked.position.seq);
  const content = async (file: OpenFile): Promise<void> => {
    const writer = new ChunkWriter(file, 'snapshot');
    await snapshotOfBackup(backup, checked, checked.position, (chunk) => writer.add(chunk), fileSystem);
  };
  await (await createWhole(fileSystem, 'snapshot', place, name, content)).close();
}

/** Writes the snapshot, at `position`, that holds what a backup holds. Rejects when the backup is no longer as it was checked. */
export async function snapshotOfBackup(
  backup: string,
  checked: BackupSummary,
  position: Position,
  write: (chunk: Buffer) => Promise<void>,
  fileSystem: FileSystem = nodeFileSystem,
): Promise<void> {
  const sums = new Sums({ hasSha: false });
  const add = (chunk: Buffer): Promise<void> => {
    sums.add(chunk);
    return write(chunk);
  };
  await add(Buffer.from(snapshotHeader(position)));
  const again = await checkBackup(fileChunks(backup, fileSystem), backup, add);
  if (again.sha256 !== checked.sha256) throw new Error(`${backup} was changed while it was read`);
  await write(Buffer.from(snapshotTrailer(checked.lines, sums)));
}

/** Holds the place of an empty directory while `work` fills it: until then it does not open. When `work` fails, it is empty again. Rejects with NotEmpty. */
export async function whileFilled(directory: string, work: () => Promise<void>): Promise<void> {
  if (await refuseData(nodeFileSystem, directory)) throw new NotEmpty(directory, RESTORING);
  await mark(nodeFileSystem, directory);
  try {
    await work();
  } catch (error) {
    for (const place of ['journal', 'snapshot']) await clear(nodeFileSystem, join(directory, place));
    await unmark(nodeFileSystem, directory);
    throw error;
  }
  await unmark(nodeFileSystem, directory);
}
