/** `rosterd backup`, `restore`, `verify` and `migrate`: their flags. */
import { Argument, type Command, Option } from 'commander';
import { type ClientCommands, checkedDuration, checkedUrl } from '../client-options.ts';
import { ConfigError } from '../config/config.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { type BackupFlags, backUp } from './backup.ts';
import { migrateToDatabase, migrateToDirectory } from './migrate.ts';
import { placeOf } from './place.ts';
import { type RestoreFlags, restore, restoreToDatabase } from './restore.ts';
import { type VerifyFlags, verify } from './verify.ts';

interface Exit {
  code: number;
}

export function addBackupCommands(program: Command, io: CommandIo, exit: Exit, client: ClientCommands): void {
  addBackup(program, io, exit, client);
  addRestore(program, io, exit, client);
  addVerify(program, io, exit, client);
  addMigrate(program, io, exit, client);
}

function addUrl(command: Command): void {
  command
    .addOption(new Option('--url <url>', 'address of the daemon. Default: http://<listen>').argParser(checkedUrl))
    .addOption(new Option('--timeout <duration>', 'longest time without a byte').argParser(checkedDuration(1)).default(60_000, '1m'));
}

function addBackup(program: Command, io: CommandIo, exit: Exit, { addDatabase, load, settings }: ClientCommands): void {
  const command = program
    .command('backup')
    .description('write the whole directory, as it is at one moment, into one file; the daemon goes on serving meanwhile')
    .argument('<file>', 'file to write, compressed when its name ends in .gz; - for stdout')
    .option('--offline', 'read the data directory itself, while no daemon runs, or the database that the settings name, at any time')
    .option('--force', 'replace the file if there is one')
    .option('--json', 'print what was written as one JSON object');
  addUrl(command);
  addDatabase(command);
  command.addHelpText(
    'after',
    `
The file appears under its name only when it is whole, checked and on the disk; until then it is <file>.<pid>.part.
It holds users, deleted ids, settings, roles, groups, tasks, activities and usage. It does not hold the API key and secret
(credentials.json: keep a copy of it), files of exports and imports, and the history of events.

Examples:
  $ rosterd backup roster-$(date +%F).ndjson.gz
  $ rosterd backup - --url https://roster.example.com | gzip | ssh vault 'cat > roster.ndjson.gz'
  $ rosterd backup roster.ndjson.gz --offline --data /var/lib/rosterd
  $ rosterd backup roster.ndjson.gz --log postgres://roster@db/roster

Exit codes: 0 the backup is there, 1 it is not, 2 wrong usage or settings, 130 interrupted`,
  );
  command.action(async (file: string, flags: BackupFlags) => {
    const source = flags.offline || flags.log !== undefined ? settings(command) : load(command);
    exit.code = await backUp(file, flags, source, io);
  });
}

function addRestore(program: Command, io: CommandIo, exit: Exit, { addDatabase, load, settings }: ClientCommands): void {
  const command = program
    .command('restore')
    .description('put a backup into an empty data directory, or into a database')
    .argument('<file>', 'the backup, compressed or not')
    .option('--replace', 'remove what the database holds of the application')
    .option('--json', 'print what was restored as one JSON object');
  addDatabase(command);
  command.addHelpText(
    'after',
    `
The whole file is checked first. A directory that holds data is never touched; credentials.json may be in it, and is kept.
A database gets all of it in one transaction, and never while daemons run on it.
A new history begins: subscribers and durable consumers with earlier positions are told to start over.

Examples:
  $ rosterd restore roster.ndjson.gz --data /var/lib/rosterd
  $ rosterd serve --data /var/lib/rosterd
  $ rosterd restore roster.ndjson.gz --log postgres://roster@db/roster --replace

Exit codes: 0 restored, 1 not restored and nothing changed, 2 wrong usage or settings`,
  );
  command.action(async (file: string, flags: RestoreFlags) => {
    const place = placeOf(flags, settings(command));
    if (place.kind === 'log') exit.code = await restoreToDatabase(file, place.log, load(command), flags, io);
    else if (flags.replace) command.error('error: --replace is for a database: a data directory must be empty', { exitCode: EXIT.usage });
    else exit.code = await restore(file, place.data, flags.json === true, io);
  });
}

function addVerify(program: Command, io: CommandIo, exit: Exit, { addDatabase, load, settings }: ClientCommands): void {
  const command = program
    .command('verify')
    .description(
      'check a backup, a data directory (--data), a database (--log), or the directory of a running daemon (--url), and say what it holds',
    )
    .argument('[file]', 'a backup, compressed or not; - for stdin')
    .option('--json', 'print what was found as one JSON object');
  addUrl(command);
  addDatabase(command);
  command.addHelpText(
    'after',
    `
Two directories whose users are the same have the same "content", whatever their history; with the same history they also
have the same "revisions", which is also what digest() of the client library gives.

Examples:
  $ rosterd verify roster.ndjson.gz
  $ rosterd verify --data /var/lib/rosterd         while no daemon runs
  $ rosterd verify --log postgres://roster@db/roster
  $ rosterd verify --url https://roster.example.com --data .

Exit codes: 0 all is well, 1 something is damaged or cannot be reached, 2 wrong usage or settings`,
  );
  command.action(async (file: string | undefined, flags: VerifyFlags) => {
    const named = [file, flags.url].filter((one) => one !== undefined).length;
    if (named > 1) command.error('error: give either a file or --url', { exitCode: EXIT.usage });
    const isPlace = flags.data !== undefined || flags.log !== undefined;
    if (named === 0 && !isPlace) command.error('error: give a file, --data, --log or --url', { exitCode: EXIT.usage });
    if (flags.url !== undefined) exit.code = await verify({ kind: 'daemon', url: flags.url, settings: load(command) }, flags, io);
    else if (file !== undefined) exit.code = await verify({ kind: 'file', file }, flags, io);
    else {
      const config = settings(command);
      const place = placeOf(flags, config);
      exit.code = await verify(place.kind === 'log' ? { ...place, app: config.apiKey } : place, flags, io);
    }
  });
}

function addMigrate(program: Command, io: CommandIo, exit: Exit, { addDatabase, load, settings }: ClientCommands): void {
  const command = program
    .command('migrate')
    .description('move the history of a data directory to a database, or back, so that clients resume where they are')
    .addArgument(new Argument('<where>', 'where it goes').choices(['to-database', 'to-directory']))
    .option('--replace', 'to-database: remove what the database holds of the application')
    .option('--json', 'print what was moved as one JSON object');
  addDatabase(command);
  command.addHelpText(
    'after',
    `
Stop all daemons first. The place that it comes from keeps a copy, and no daemon goes on from there under the same positions.
Files of exports and imports, the history of users (who changed whom), parked events of webhooks and dead letters are not taken along: before the
stop, wait until GET /hooks shows nothing parked, replay or note the dead letters, and let imports end.

Examples:
  $ rosterd migrate to-database --data /var/lib/rosterd --log postgres://roster@db/roster
  $ rosterd migrate to-directory --log postgres://roster@db/roster --data /var/lib/rosterd-alone

Exit codes: 0 moved, 1 not moved and nothing changed, 2 wrong usage or settings`,
  );
  command.action(async (where: string, { json = false, replace = false }: { json?: boolean; replace?: boolean }) => {
    const { log } = settings(command);
    if (log === undefined) throw new ConfigError(['log is not set: give the database with --log, ROSTERD_LOG or the configuration file']);
    const migration = { log, settings: load(command), json, replaces: replace };
    exit.code = where === 'to-database' ? await migrateToDatabase(migration, io) : await migrateToDirectory(migration, io);
  });
}
