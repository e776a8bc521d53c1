/** The directory as the snapshot holds it, before the log after it is replayed. */
import { randomInt } from 'node:crypto';
import type { Log } from '../../../store/log.ts';
import { type LoadedSnapshot, SnapshotDamaged } from '../../../store/snapshot.ts';
import { Directory } from '../../core/directory/directory.ts';
import type { DirectoryLine } from '../../core/directory/record.ts';
import { BlockDamaged } from '../../core/directory/records/definitions.ts';

export async function loadedDirectory({
  log,
  loaded,
}: {
  readonly log: Log;
  readonly loaded: LoadedSnapshot | undefined;
}): Promise<Directory> {
  // The epoch is the log's: a snapshot whose log was lost continues under a new epoch.
  const directory = await directoryWith(log.head.epoch, loaded);
  // The log after it may hold as many users again.
  directory.indexLater();
  // Without a snapshot, nothing says how the names in the log were compared.
  if (loaded === undefined && log.head.seq > 0) directory.nameKeyVersion = 0;
  // An older one was loaded: what comes after it is still needed when the next one is saved.
  if (loaded !== undefined && directory.seq < loaded.position.seq) await log.snapshotSaved(directory.seq);
  return directory;
}

/** A directory of this epoch with what the snapshot holds; where that cannot be loaded, with what the one before it holds. Rejects with SnapshotDamaged. */
export async function directoryWith(epoch: string, loaded: LoadedSnapshot | undefined): Promise<Directory> {
  for (let snapshot = loaded; ; ) {
    const made = await madeOf(epoch, snapshot);
    if (made instanceof Directory) return made;
    if (snapshot?.instead === undefined) throw made;
    snapshot = await snapshot.instead(made instanceof SnapshotDamaged ? made.reason : made.message);
  }
}

async function madeOf(epoch: string, snapshot: LoadedSnapshot | undefined): Promise<Directory | BlockDamaged | SnapshotDamaged> {
  const directory = new Directory({ epoch, seq: snapshot?.position.seq ?? 0 }, [randomInt(2 ** 32), randomInt(2 ** 32)]);
  try {
    // A snapshot contains exactly what `FrozenView.packed` produced, because the store keeps each line whole or not at all.
    for await (const lines of snapshot?.chunks() ?? []) directory.load(lines as DirectoryLine[]);
    return directory;
  } catch (error) {
    if (error instanceof BlockDamaged || error instanceof SnapshotDamaged) return error;
    throw error;
  }
}
