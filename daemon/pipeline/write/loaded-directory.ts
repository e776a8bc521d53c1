/** The directory as the snapshot holds it, before the log after it is replayed. */
import { randomInt } from 'node:crypto';
import type { Position } from '../../../protocol/base/position.ts';
import type { Log } from '../../../store/log.ts';
import type { LoadedSnapshot, SnapshotLine } from '../../../store/snapshot.ts';
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
  const directory = await directoryWith({ epoch: log.head.epoch, seq: loaded?.position.seq ?? 0 }, loaded?.chunks());
  // Without a snapshot, nothing says how the names in the log were compared.
  if (loaded === undefined && log.head.seq > 0) directory.nameKeyVersion = 0;
  return directory;
}

/** A directory at this position with these lines of a snapshot. */
export async function directoryWith(position: Position, chunks: AsyncIterable<readonly SnapshotLine[]> | undefined): Promise<Directory> {
  const directory = new Directory(position, randomInt(2 ** 32));
  // A snapshot contains exactly what `FrozenView.lines` produced, because the store keeps each line whole or not at all.
  if (chunks !== undefined) for await (const lines of chunks) directory.load(lines as DirectoryLine[]);
  return directory;
}
