/** `rosterd restore`: a backup into an empty data directory. */
import { mkdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { restoreBackup } from '../../../store/backup/restore.ts';
import { acquireLock } from '../../../store/lock.ts';
import { ConfigError } from '../config/config.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { backupFacts, printFacts } from './facts-text.ts';

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
    io.stderr.write(`rosterd: nothing was restored: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT.failed;
  }
}

/** Throws ConfigError. */
export async function checkSource(path: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) throw new Error('it is a directory');
  } catch (error) {
    throw new ConfigError([`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`]);
  }
}
