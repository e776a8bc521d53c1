/** The directory as the snapshot holds it, before the log after it is replayed. */
import type { Log } from '../../../store/log.ts';
import type { LoadedSnapshot } from '../../../store/snapshot.ts';
import { Directory } from '../../core/directory/directory.ts';
import type { DirectoryLine } from '../../core/directory/record.ts';

export async function loadedDirectory({
  log,
  loaded,
}: {
  readonly log: Log;
  readonly loaded: LoadedSnapshot | undefined;
}): Promise<Directory> {
  // The epoch is the log's: a snapshot whose log was lost continues under a new epoch.
  const directory = new Directory({ epoch: log.head.epoch, seq: loaded?.position.seq ?? 0 });
  // Without a snapshot, nothing says how the names in the log were compared.
  if (loaded === undefined && log.head.seq > 0) directory.nameKeyVersion = 0;
  if (loaded !== undefined) {
    // A snapshot contains exactly what `FrozenView.lines` produced, because the store keeps each line whole or not at all.
    for await (const lines of loaded.chunks()) directory.load(lines as DirectoryLine[]);
  }
  return directory;
}
