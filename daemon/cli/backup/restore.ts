/** `rosterd restore`: a backup into an empty data directory, or into a database. */
import { mkdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errorText } from '../../../protocol/base/errors.ts';
import { checkBackup } from '../../../store/backup/file.ts';
import { restoreBackup, snapshotOfBackup } from '../../../store/backup/restore.ts';
import { fileChunks } from '../../../store/file-system.ts';
import { acquireLock } from '../../../store/lock.ts';
import { nodeFileSystem } from '../../../store/node-file-system.ts';
import { newEpoch } from '../../../store/postgres/log/head.ts';
import { replaceHistory } from '../../../store/postgres/offline/replace.ts';
import type { ClientSettings } from '../client-options.ts';
import { ConfigError } from '../config/config.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { backupFacts, printFacts } from './facts-text.ts';
import type { PlaceFlags } from './place.ts';

export interface RestoreFlags extends PlaceFlags {
  readonly json?: true;
  readonly replace?: true;
}

const NOT_IN_IT = `rosterd: not in a backup, and so not restored:
  the API key and secret: put credentials.json of the old directory here, or all tokens are invalid
  files of exports and imports, events that webhooks could not deliver, and the history of events
rosterd: a new history begins: subscribers and durable consumers with earlier positions start over
`;

/** Resolves with the exit code. Rejects with ConfigError when the file cannot be read. */
export async function restore(file: string, data: string, json: boolean, io: CommandIo): Promise<number> {
  const path = resolve(io.cwd, file);
  await checkSource(path);
  try {
    await mkdir(data, { recursive: true, mode: 0o700 });
    const lock = await acquireLock(data);
    const restored = await restoreBackup(path, data).finally(() => lock.release());
    printFacts(io, [['data', data], ...backupFacts(restored)], json);
    io.stderr.write(NOT_IN_IT);
    return EXIT.ok;
  } catch (error) {
    io.stderr.write(`rosterd: nothing was restored: ${errorText(error)}\n`);
    return EXIT.failed;
  }
}

/**
 * Into a database: whole, in one transaction, under a new epoch. Resolves with the exit code. Rejects with ConfigError and CredentialsError before
 * anything is done.
 */
export async function restoreToDatabase(
  file: string,
  log: string,
  { config, credentials }: ClientSettings,
  flags: RestoreFlags,
  io: CommandIo,
) {
  const path = resolve(io.cwd, file);
  await checkSource(path);
  const { apiKey: app, apiSecret: secret } = credentials;
  try {
    const checked = await checkBackup(fileChunks(path, nodeFileSystem), path);
    const head = { epoch: newEpoch(), seq: checked.position.seq };
    await replaceHistory(log, { app, secret, replaces: flags.replace === true }, async () => ({
      ...{ head, tail: head.seq, entries: undefined },
      snapshot: (write) => snapshotOfBackup(path, checked, head, (chunk) => write(Buffer.from(chunk))),
    }));
    printFacts(io, [['application', app], ...backupFacts({ ...checked, position: head })], flags.json === true);
    io.stderr.write(NOT_IN_IT.replace(/^.*API key.*\n/m, ''));
    if (config.apiKey === undefined) io.stderr.write(`rosterd: daemons on the database need --api-key ${app} and its secret\n`);
    return EXIT.ok;
  } catch (error) {
    io.stderr.write(`rosterd: nothing was restored: ${errorText(error)}\n`);
    return EXIT.failed;
  }
}

/** Throws ConfigError. */
export async function checkSource(path: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) throw new Error('it is a directory');
  } catch (error) {
    throw new ConfigError([`${path} cannot be read: ${errorText(error)}`]);
  }
}
