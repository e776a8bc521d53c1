/**
 * `rosterd emulator`: starts the emulator, seeds it, and serves until it is interrupted, or until the command that it runs has ended.
 *
 * It keeps EM1 and EM25–EM28 (README.md).
 */
import { pino } from 'pino';
import type { ListenAddress } from '../cli/config/setting-kinds.ts';
import type { Config } from '../cli/config/settings.ts';
import { type CommandIo, EXIT } from '../cli/io.ts';
import { LogDestination } from '../cli/serve/log-destination.ts';
import { lineForm } from '../cli/serve/log-text.ts';
import type { EmulatedApp } from './app.ts';
import { Emulator } from './emulator.ts';
import { ExecutedCommand } from './exec.ts';
import { seedFile } from './seed.ts';
import { emulatorVariables } from './settings.ts';

const STDERR = 2;

export interface EmulatorFlags {
  /** A loopback address. */
  readonly listen: ListenAddress;
  /** A file of users. */
  readonly seed?: string | undefined;
  /** A command for the shell. */
  readonly exec?: string | undefined;
}

/** Resolves with the exit code. Rejects with ConfigError for variables that are not usable, and when the address cannot be used. */
export async function runEmulator({ listen, seed, exec }: EmulatorFlags, io: CommandIo): Promise<number> {
  let command: ExecutedCommand | undefined;
  let finish: (code: number) => void = () => {};
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  let isInterrupted = false;
  const undo = io.onInterrupt((signal = 'SIGTERM') => {
    isInterrupted = true;
    if (command === undefined) finish(exec === undefined ? EXIT.ok : EXIT.interrupted);
    else command.signal(signal);
  });
  const log = new LogDestination(STDERR, lineForm('auto', io.stderr.isTTY));
  const logger = (level: Config['logLevel']) => pino({ level }, log);
  const onFatal = (): void => finish(EXIT.failed);
  let emulator: Emulator | undefined;
  try {
    emulator = await Emulator.start({ listen, env: emulatorVariables(io.env), logger, onFatal });
    if (seed !== undefined && !(await seeded(emulator.first, seed, io))) return EXIT.failed;
    // A command owns stdout.
    (exec === undefined ? io.stdout : io.stderr).write(greeting(emulator.first, exec));
    if (isInterrupted || exec === undefined) return await finished;
    command = new ExecutedCommand(exec, { ...io.env, ...variablesOf(emulator.first) }, io.cwd);
    return await Promise.race([command.ended, finished]);
  } finally {
    command?.signal('SIGTERM');
    await emulator?.stop();
    log.flushNow();
    undo();
  }
}

/** False, with the reasons, when a user was refused or the file is not whole. */
async function seeded({ roster }: EmulatedApp, file: string, io: CommandIo): Promise<boolean> {
  const { created, updated, failed, problems } = await seedFile(roster, file, io);
  for (const problem of problems) io.stderr.write(`rosterd: ${file}: ${problem}\n`);
  if (failed === 0 && problems.length === 0) io.stderr.write(`rosterd: ${created + updated} users of ${file} are in\n`);
  else io.stderr.write(`rosterd: ${failed} users of ${file} were refused; correct them and start again\n`);
  return failed === 0 && problems.length === 0;
}

function variablesOf({ url, credentials }: EmulatedApp): Readonly<Record<string, string>> {
  return {
    ROSTERD_URL: url,
    ROSTERD_API_KEY: credentials.apiKey,
    ROSTERD_API_SECRET: credentials.apiSecret,
    ROSTERD_EMULATOR_URL: `${url}/emulator`,
  };
}

function greeting(app: EmulatedApp, exec: string | undefined): string {
  const variables = Object.entries(variablesOf(app));
  const live = app.url.replace(/^http/, 'ws');
  return [
    `rosterd emulator: ${app.url} (live: ${live}/live, ${live}/connect), ${app.roster.directory.size} users, all in memory`,
    ...variables.map(([name, value]) => `${exec === undefined ? 'export ' : '  '}${name}=${value}`),
    exec === undefined ? `what it can do: curl ${app.url}/emulator` : `running: ${exec}`,
    '',
  ].join('\n');
}
