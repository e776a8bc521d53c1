/** A directory that is written to while no daemon serves it: what a daemon that was killed may leave behind. */
import { randomUUID } from 'node:crypto';
import type { DocChange } from '../../protocol/log/documents.ts';
import type { Fact } from '../../protocol/log/entry.ts';
import { openDataDirectory } from '../../store/data-dir.ts';

/** Appends the facts to the log in the data directory, which nobody else may have open. No job runs. */
export async function writeFacts(path: string, facts: readonly Fact[]): Promise<void> {
  const data = await openDataDirectory(path);
  await data.log.append(data.log.head.seq, { id: randomUUID(), time: Date.now() * 1_000, facts });
  await data.close();
}

export async function writeDocs(path: string, changes: readonly DocChange[]): Promise<void> {
  await writeFacts(
    path,
    changes.map((change) => ({ t: 'doc' as const, ...change })),
  );
}
