/** `rosterd serve`: runs the daemon until it is interrupted, prints its addresses, and stops it with a deadline. */
import { setFlagsFromString } from 'node:v8';
import { pino } from 'pino';
import { postgresTargets } from '../../../store/postgres/link/target.ts';
import type { LoadedSettings } from '../config/config.ts';
import type { Credentials } from '../config/credentials.ts';
import type { Config } from '../config/settings.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { ownName } from '../own-command.ts';
import { type OpenStore, type RunningDaemon, startDaemon } from './daemon.ts';
import { LogDestination } from './log-destination.ts';
import { lineForm } from './log-text.ts';

/**
 * How much bytecode a function runs before V8 compiles it, in bytes, instead of 67,584. All clients come back at once after a restart, to
 * code that has hardly run: the first 10,000 connects take some 7 % less CPU time, and what comes later no more. Half as much would save
 * 4 % more there, and cost a fifth in short bursts of other work, such as the resume of some subscribers.
 */
const INTERRUPT_BUDGET = 36_000;
const STDERR = 2;
/** A shutdown that takes longer than this beyond the drain is cut off: the journal needs no clean end. */
const SHUTDOWN_MS = 60_000;

/** Resolves with the exit code. */
export async function serve(
  { config, origins }: LoadedSettings,
  credentials: Credentials,
  openStore: OpenStore,
  io: CommandIo,
): Promise<number> {
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
  const log = new LogDestination(STDERR, lineForm(config.logFormat, io.stderr.isTTY));
  // On a terminal, the greeting comes first.
  if (io.stderr.isTTY) log.hold();
  process.once('exit', () => log.flushNow());
  const logger = pino({ level: config.logLevel }, log);
  let finish: (code: number) => void = () => {};
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  let interrupts = 0;
  io.onInterrupt(() => {
    // A second signal means that its sender does not want to wait.
    if (++interrupts > 1) process.exit(EXIT.interrupted);
    finish(EXIT.ok);
  });
  const starting = startDaemon({ config, origins, credentials, openStore, logger, onFatal: () => finish(EXIT.failed) });
  // A database may be waited for long, and nothing of a start has to be taken back there. A data directory is opened and closed whole.
  const daemon = await (config.log === undefined ? starting : Promise.race([starting, finished]));
  if (typeof daemon === 'number') {
    io.stderr.write('rosterd: stopped before it had started\n');
    return daemon;
  }
  io.stdout.write(greeting(daemon, config, credentials));
  log.release();
  const code = await finished;
  setTimeout(() => process.exit(EXIT.failed), config.drainMs + SHUTDOWN_MS).unref();
  await daemon.stop();
  return code;
}

/** At most six lines: the addresses, the data directory, and the next steps. */
function greeting({ url, roster }: RunningDaemon, config: Config, credentials: Credentials): string {
  const live = url.replace(/^http/, 'ws');
  const dataFlag = config.data === `${process.cwd()}/rosterd-data` ? '' : ` --data ${config.data}`;
  return [
    `rosterd listens on ${url} (live: ${live}/live, ${live}/connect)`,
    config.log === undefined
      ? `data directory: ${config.data}, ${roster.directory.size} users`
      : `database: ${databaseOf(config.log)}, ${roster.directory.size} users`,
    `API key: ${credentials.apiKey} (secret: ${secretPlace(config, credentials)})`,
    'next, in another terminal: see every change as it happens, and bring in users',
    `  ${ownName()} watch --url ${url}${dataFlag}`,
    `  echo '{"id":"ann","name":"Ann"}' | ${ownName()} sync - --url ${url}${dataFlag}`,
    '',
  ].join('\n');
}

/** Without user and password. */
function databaseOf(url: string): string {
  return postgresTargets(url)
    .map(({ name }) => name)
    .join(', ');
}

function secretPlace(config: Config, { origin }: Credentials): string {
  return origin === 'configured' ? 'as configured' : `in ${config.data}/credentials.json`;
}
