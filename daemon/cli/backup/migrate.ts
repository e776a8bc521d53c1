/**
 * `rosterd migrate`: the history of one daemon goes on in a database, or that of a database in a data directory, under the same epoch, so that
 * whoever has a position resumes from it.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../../../protocol/base/errors.ts';
import { markMoved } from '../../../store/backup/moved.ts';
import { whileFilled } from '../../../store/backup/restore.ts';
import { Journal } from '../../../store/journal/journal.ts';
import { acquireLock } from '../../../store/lock.ts';
import { postgresTargets } from '../../../store/postgres/link/target.ts';
import type { StoredHistory } from '../../../store/postgres/offline/history.ts';
import { replaceHistory, takeHistory } from '../../../store/postgres/offline/replace.ts';
import { encodeSnapshot } from '../../../store/snapshot/codec.ts';
import { SnapshotFiles } from '../../../store/snapshot/file.ts';
import type { SnapshotSource } from '../../../store/snapshot.ts';
import type { ClientSettings } from '../client-options.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { type NamedFact, printFacts } from './facts-text.ts';
import { entriesUpTo, replayDatabase, whileLocked, withReplayed } from './offline.ts';

/** Appends that wait for one another at the most. */
const APPENDS = 500;
const NOT_TAKEN = `rosterd: not taken along: files of exports and imports, the history of users (who changed whom), and events that webhooks could not
  deliver: an unfinished import fails and is started again, webhooks go on from where they were
`;

export interface Migration {
  readonly log: string;
  readonly settings: ClientSettings;
  readonly replaces: boolean;
  readonly json: boolean;
}

/** Resolves with the exit code. Rejects with ConfigError when there is no history in the data directory. */
export async function migrateToDatabase({ log, settings, replaces, json }: Migration, io: CommandIo): Promise<number> {
  const { config, credentials } = settings;
  const { apiKey: app, apiSecret: secret } = credentials;
  return await told(io, json, () =>
    whileLocked(config.data, async () => {
      const facts = await withReplayed(config.data, async ({ directory, log: journal }) => {
        const view = directory.freeze();
        const { position: head } = view;
        await replaceHistory(log, { app, secret, replaces }, async () => ({
          ...{ head, tail: journal.tail, entries: journal.tail < head.seq ? entriesUpTo(journal, journal.tail) : undefined },
          snapshot: (write) => written(view, write),
        }));
        return [
          ['application', app],
          ['position', `${head.epoch}:${head.seq}`],
          ['kept_after', journal.tail],
          ['users', directory.size],
        ] as const;
      });
      await markMoved(
        config.data,
        postgresTargets(log)
          .map(({ name }) => name)
          .join(', '),
      );
      return facts;
    }),
  );
}

/** Resolves with the exit code. */
export async function migrateToDirectory({ log, settings, json }: Omit<Migration, 'replaces'>, io: CommandIo): Promise<number> {
  const { config, credentials } = settings;
  const { apiKey: app, apiSecret: secret } = credentials;
  return await told(io, json, async () => {
    await mkdir(config.data, { recursive: true, mode: 0o700 });
    const lock = await acquireLock(config.data);
    try {
      let facts: readonly NamedFact[] = [];
      // The mark of an unfinished restore goes last, so the history is never in two places.
      await whileFilled(config.data, async () => {
        facts = await takeHistory(log, { app, secret }, (history) => fill(config.data, history));
      });
      return facts;
    } finally {
      await lock.release();
    }
  });
}

async function told(io: CommandIo, json: boolean, work: () => Promise<readonly NamedFact[]>): Promise<number> {
  try {
    printFacts(io, await work(), json);
    io.stderr.write(NOT_TAKEN);
    return EXIT.ok;
  } catch (error) {
    io.stderr.write(`rosterd: the history was not moved: ${errorText(error)}\n`);
    return EXIT.failed;
  }
}

async function written(view: SnapshotSource, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  // The encoder reuses its buffer.
  for await (const chunk of encodeSnapshot(view, () => {})) await write(Buffer.from(chunk));
}

async function fill(data: string, history: StoredHistory): Promise<readonly NamedFact[]> {
  const directory = await replayDatabase(history);
  const { head, tail } = history;
  const journal = await Journal.open({ directory: join(data, 'journal'), begin: { epoch: head.epoch, seq: tail } });
  try {
    let at = tail;
    let waiting: Promise<unknown>[] = [];
    for await (const entry of history.entries(tail)) {
      waiting.push(journal.append(at, entry));
      at += entry.facts.length;
      if (waiting.length < APPENDS) continue;
      await Promise.all(waiting);
      waiting = [];
    }
    await Promise.all(waiting);
    if (journal.head.seq !== head.seq) throw new Error(`the journal ends at ${journal.head.seq}, and the history at ${head.seq}`);
  } finally {
    await journal.close();
  }
  const snapshots = await SnapshotFiles.open({ directory: join(data, 'snapshot') });
  await snapshots.save(directory.freeze());
  return [
    ['data', data],
    ['position', `${head.epoch}:${head.seq}`],
    ['kept_after', tail],
    ['users', directory.size],
  ];
}
