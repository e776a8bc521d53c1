/**
 * The command line of rosterd: the commands, their flags, and their exit codes.
 *
 * stdout is for results, stderr for messages. Exit codes: 0 fine, 1 something failed, 2 wrong usage or settings, 130 interrupted.
 * Nothing here touches the process: everything goes through CommandIo, so that tests run the same program.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { errorText } from '../../protocol/base/errors.ts';
import { userIdProblem } from '../../protocol/base/ids.ts';
import { parseDuration } from '../base/duration.ts';
import { addBackupCommands } from './backup/commands.ts';
import { addCallCommand } from './call/command.ts';
import type { ClientCommands, ClientSettings } from './client-options.ts';
import { addClusterCommand } from './cluster/command.ts';
import { addCompareCommand } from './compare/command.ts';
import { ConfigError, type ConfigSources, type LoadedSettings, loadConfig, readSettings } from './config/config.ts';
import { assertSafeToListen, type Credentials, CredentialsError, findCredentials, resolveCredentials } from './config/credentials.ts';
import { describeConfig } from './config/describe.ts';
import { fallbackText, flagName, type Setting } from './config/setting.ts';
import { ALL_SETTINGS } from './config/settings.ts';
import { addConsoleCommand } from './console/command.ts';
import { addDemoCommand } from './demo/command.ts';
import { addDoctorCommand } from './doctor/command.ts';
import { addEmulatorCommand } from './emulator/command.ts';
import { type CommandIo, EXIT, type Exit } from './io.ts';
import { addNodesCommand } from './nodes/command.ts';
import { addSyncCommand } from './sync/command.ts';
import { serverToken, userToken } from './token.ts';
import { packageVersion } from './version.ts';
import { addWatchCommand } from './watch/command.ts';

/** The functions that the commands need from the daemon. */
export interface CommandHooks {
  /** Runs the daemon until it has stopped. Resolves with the exit code. */
  serve(settings: LoadedSettings, credentials: Credentials): Promise<number>;
}

const DEFAULT_LIFETIME_MS = 24 * 3_600_000;

/** Settings that the commands talking to a daemon take as flags. */
const CLIENT_KEYS: ReadonlySet<string> = new Set(['data', 'api_key', 'api_secret']);
/** Settings that the commands on a database take as flags. */
const DATABASE_KEYS: ReadonlySet<string> = new Set([...CLIENT_KEYS, 'log']);

/** Runs one command line (without node and script). Resolves with the exit code; never rejects. */
export async function runCli(args: readonly string[], io: CommandIo, hooks: CommandHooks): Promise<number> {
  const exit: Exit = { code: EXIT.ok };
  try {
    await buildProgram(io, hooks, exit).parseAsync([...args], { from: 'user' });
    return exit.code;
  } catch (error) {
    const usage = exit.usage ?? EXIT.usage;
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : usage;
    if (error instanceof ConfigError || error instanceof CredentialsError) {
      const problems = error instanceof ConfigError ? error.problems : [error.message];
      for (const problem of problems) io.stderr.write(`rosterd: ${problem}\n`);
      return usage;
    }
    io.stderr.write(`rosterd: ${errorText(error)}\n`);
    return EXIT.failed;
  }
}

/** The commander program. `exit.code` is the exit code of the process after `parseAsync` resolved. */
export function buildProgram(io: CommandIo, hooks: CommandHooks, exit: Exit): Command {
  const program = new Command('rosterd');
  program
    .description('Self-hosted, real-time user directory.')
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => 120,
      getErrHelpWidth: () => 120,
    })
    .showHelpAfterError('(rosterd <command> --help tells more)')
    .addHelpText('after', PROGRAM_EXAMPLES);
  addServe(program, io, hooks, exit);
  addToken(program, io);
  const client: ClientCommands = {
    addSettings: addClientOptions,
    addDatabase: (command) => addSettingOptions(command, (setting) => DATABASE_KEYS.has(setting.key)),
    load: (command) => loadClientSettings(command, io),
    settings: (command) => loadSettings(command, io, false).config,
  };
  addSyncCommand(program, io, exit, client);
  addWatchCommand(program, io, exit, client);
  addBackupCommands(program, io, exit, client);
  addNodesCommand(program, io, client);
  addCompareCommand(program, io, exit, client);
  addConsoleCommand(program, io, exit, client);
  addCallCommand(program, io, exit, client);
  addConfig(program, io);
  addDoctorCommand(program, io, exit, {
    addSettings: (command) => addSettingOptions(command, () => true),
    load: (command) => loadSettings(command, io),
  });
  addDemoCommand(program, io, exit);
  addClusterCommand(program, io, exit);
  addEmulatorCommand(program, io, exit);
  return program;
}

const PROGRAM_EXAMPLES = `
Settings come from flags, then ROSTERD_… variables, then the configuration file, then defaults.

Examples:
  $ rosterd demo                           see in a few seconds what it does
  $ rosterd serve                          start on 127.0.0.1:8800 with data in ./rosterd-data
  $ rosterd token ann                      a token with which the client of ann connects
  $ rosterd sync users.ndjson              bring in the users of a file, one JSON object per line
  $ rosterd watch                          print every change as it happens
  $ rosterd console                        print a link to the console in the browser
  $ rosterd backup roster.ndjson.gz        back up the directory while the daemon runs
  $ rosterd compare copy.ndjson            prove whether a copy of the users is stale, and name the users that differ
  $ rosterd nodes                          show the daemons that share a database
  $ rosterd cluster                        try several nodes on one PostgreSQL, and see parts die
  $ rosterd emulator --exec "npm test"     run tests against a directory in memory, with a clock and faults
  $ rosterd doctor                         check whether a daemon can run here
  $ rosterd config print                   show every setting and where it came from

Exit codes: 0 fine, 1 something failed, 2 wrong usage or settings, 130 interrupted`;

function addServe(program: Command, io: CommandIo, hooks: CommandHooks, exit: Exit): void {
  const serve = program.command('serve').description('run the daemon');
  addSettingOptions(serve, () => true);
  serve.addHelpText(
    'after',
    `
Examples:
  $ rosterd serve --listen 127.0.0.1:0 --data /var/lib/rosterd
  $ ROSTERD_LISTEN=0.0.0.0:8800 rosterd serve --config /etc/rosterd.json`,
  );
  serve.action(async () => {
    const loaded = loadSettings(serve, io);
    const { config } = loaded;
    const credentials = resolveCredentials(config, (text) => io.stderr.write(`rosterd: ${text}\n`));
    assertSafeToListen(config.listen.host, credentials);
    exit.code = await hooks.serve(loaded, credentials);
  });
}

function addToken(program: Command, io: CommandIo): void {
  const token = program
    .command('token')
    .description('print a token on stdout')
    .argument('[user]', 'id of the user the token is for', checkedUserId)
    .option('--server', 'a server token, which may do everything, in place of a user token')
    .addOption(
      new Option('--exp <duration>', 'how long it is valid: 90s, 15m, 24h, 30d, or "never"')
        .argParser(checkedLifetime)
        .default(DEFAULT_LIFETIME_MS, '24h'),
    );
  addClientOptions(token);
  token.addHelpText(
    'after',
    `
Examples:
  $ rosterd token ann
  $ rosterd token ann --exp 30d
  $ TOKEN=$(rosterd token --server --exp never)`,
  );
  token.action((user: string | undefined, { server, exp }: { server?: true; exp: number }) => {
    if ((user === undefined) !== (server === true)) token.error('error: give either a user or --server', { exitCode: EXIT.usage });
    const { credentials } = loadClientSettings(token, io);
    const times = exp === Number.POSITIVE_INFINITY ? { nowMs: io.now() } : { nowMs: io.now(), lifetimeMs: exp };
    io.stdout.write(`${user === undefined ? serverToken(credentials.apiSecret, times) : userToken(user, credentials.apiSecret, times)}\n`);
    // Only for a person at a terminal; a script that captures both streams wants only the token.
    if (io.stderr.isTTY)
      io.stderr.write('lifetimeMs' in times ? `(expires ${new Date(io.now() + exp).toISOString()})\n` : '(never expires)\n');
  });
}

function addConfig(program: Command, io: CommandIo): void {
  const config = program.command('config').description('look at the settings');
  const print = config
    .command('print')
    .description('show the value and the origin of every setting')
    .option('--json', 'as one JSON object');
  addSettingOptions(print, () => true);
  print.action((options: { json?: true }) => {
    const read = readSettings(sourcesOf(print, io));
    printRows(describeConfig(read), options.json === true, io);
    // Somebody who looks for a mistake wants to see all settings, and a script whether they would do.
    if (read.problems.length > 0) throw new ConfigError(read.problems);
  });
}

function printRows(rows: ReturnType<typeof describeConfig>, isJson: boolean, io: CommandIo): void {
  if (isJson) {
    io.stdout.write(`${JSON.stringify(Object.fromEntries(rows.map(({ key, value, origin }) => [key, { value, origin }])))}\n`);
    return;
  }
  const keyWidth = Math.max(...rows.map(({ key }) => key.length));
  const valueWidth = Math.max(...rows.map(({ value }) => value.length));
  for (const { key, value, origin } of rows) io.stdout.write(`${key.padEnd(keyWidth)}  ${value.padEnd(valueWidth)}  ${origin}\n`);
}

/** One flag for every setting that `wanted` accepts, and `--config`. */
function addSettingOptions(command: Command, wanted: (setting: Setting<unknown>) => boolean): void {
  for (const [, setting] of ALL_SETTINGS) {
    if (!wanted(setting)) continue;
    const doc = `${setting.doc.replaceAll('`', '')} Default: ${fallbackText(setting)}`;
    command.addOption(new Option(`--${flagName(setting)} ${setting.kind.placeholder}`, doc));
  }
  command.option('--config <path>', 'configuration file (JSON). Default: ./rosterd.json when it exists');
}

function addClientOptions(command: Command): void {
  addSettingOptions(command, (setting) => CLIENT_KEYS.has(setting.key));
}

/** The settings from the flags of this command, the environment and the file. Throws ConfigError. `isDaemon`: they are those of a daemon. */
function loadSettings(command: Command, io: CommandIo, isDaemon = true): LoadedSettings {
  return loadConfig({ ...sourcesOf(command, io), isDaemon });
}

function sourcesOf(command: Command, io: CommandIo): ConfigSources {
  const names = new Set(['config', ...ALL_SETTINGS.map(([, setting]) => flagName(setting))]);
  const flags: Record<string, string | true> = {};
  for (const option of command.options) {
    const name = option.name();
    const value: unknown = command.getOptionValue(option.attributeName());
    if (names.has(name) && (typeof value === 'string' || value === true)) flags[name] = value;
  }
  return { flags, env: io.env, cwd: io.cwd };
}

/** Throws ConfigError, CredentialsError. */
function loadClientSettings(command: Command, io: CommandIo): ClientSettings {
  const { config } = loadSettings(command, io, false);
  return { config, credentials: findCredentials(config, (text) => io.stderr.write(`rosterd: ${text}\n`)) };
}

function checkedUserId(text: string): string {
  const problem = userIdProblem(text);
  if (problem !== undefined) throw new InvalidArgumentError(`A user id ${problem}.`);
  return text;
}

/** Milliseconds; Infinity for "never". */
function checkedLifetime(text: string): number {
  if (text === 'never') return Number.POSITIVE_INFINITY;
  const ms = parseDuration(text);
  if (ms === undefined || ms < 1_000)
    throw new InvalidArgumentError('It must be a duration of at least 1s such as 90s, 15m, 24h or 30d, or "never".');
  return ms;
}
