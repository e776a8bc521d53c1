/** `rosterd sync <users.ndjson>`: its flags and its help, and the files around `syncUsers`. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { Returns } from '../../../protocol/users/upsert.ts';
import { systemClock } from '../../base/clock.ts';
import type { Report } from '../../sync/report.ts';
import { rowCheck } from '../../sync/source-user.ts';
import type { OpenedSource } from '../../sync/sources/opened-source.ts';
import { type SyncSummary, syncUsers } from '../../sync/sync-users.ts';
import { upsertRequest } from '../../sync/upserter.ts';
import { type ClientCommands, type ClientSettings, checkedCount, checkedDuration, checkedUrls, daemonUrl } from '../client-options.ts';
import { ConfigError } from '../config/config.ts';
import type { CommandIo, Exit } from '../io.ts';
import { addApplyCommand } from './apply-command.ts';
import { connectDaemon, Interrupts } from './connection.ts';
import { addPlanCommand } from './plan-command.ts';
import { returningOption } from './plan-source.ts';
import { PLAN_EXIT } from './plan-summary.ts';
import { createProgressView } from './progress.ts';
import { openReport } from './report.ts';
import { mappingOf, openSource } from './sources/open-source.ts';
import { exitCode, printSyncSummary } from './summary.ts';

interface SyncFlags {
  readonly url?: string;
  readonly concurrency: number;
  readonly retryFor: number;
  readonly timeout: number;
  readonly report?: string;
  readonly returning: Returns;
  readonly json?: true;
  readonly quiet?: true;
}

export function addSyncCommand(program: Command, io: CommandIo, exit: Exit, client: ClientCommands): void {
  const { addSettings, load } = client;
  const sync = program
    .command('sync')
    .description('bring users into the directory: one JSON object per line, each replaces the user of that id')
    .argument('<users.ndjson>', 'file with the users, - for stdin')
    .addOption(
      new Option('--url <url>', 'address of the daemon, or of several nodes, comma-separated. Default: http://<listen>').argParser(
        checkedUrls,
      ),
    )
    .addOption(
      new Option('--concurrency <number>', 'batches of 100 users on their way at the same time').argParser(checkedCount(1, 64)).default(4),
    )
    .addOption(
      new Option('--retry-for <duration>', 'give up after so long without a single batch getting through')
        .argParser(checkedDuration(0))
        .default(300_000, '5m'),
    )
    .addOption(new Option('--timeout <duration>', 'longest time for one request').argParser(checkedDuration(1)).default(60_000, '1m'))
    .option('--report <path>', 'file that names every failed user. Default: <users.ndjson>.report.ndjson; only made when one failed')
    .addOption(returningOption())
    .option('--json', 'print the counts as one JSON object')
    .option('--quiet', 'show no progress');
  addSettings(sync);
  // Flags after the name of a subcommand belong to the subcommand.
  program.enablePositionalOptions();
  sync.enablePositionalOptions();
  sync.addHelpText(
    'after',
    `
Users are written as the chat API shows them: id, name, image, role, teams, …, and custom data beside them.
Name, image and custom data that are not given are removed; role, teams and the like stay as they are.
A JSON list and CSV are read too, CSV with the header that sync plan --help describes.
Running it again is always safe: users that would not change are left alone.

Users that an earlier \`sync apply --missing\` took out stay out, and are named; --returning brings them back.

rosterd sync plan and rosterd sync apply show first what would change, read PostgreSQL, and remove users.

Examples:
  $ rosterd sync users.ndjson
  $ zcat users.ndjson.gz | rosterd sync - --url https://roster.example.com --report failed.ndjson
  $ rosterd sync users.ndjson --json --quiet

Exit codes: 0 all users are in, 1 some failed, there were none, or it gave up, 2 wrong usage or settings, 130 interrupted`,
  );
  sync.action(async (file: string, flags: SyncFlags) => {
    exit.code = await syncFile(file, flags, load(sync), io);
  });
  addPlanCommand(sync, io, exit, client);
  addApplyCommand(sync, io, exit, client);
  sync.hook('preSubcommand', (_, subcommand) => {
    // Such a flag would have no effect: the command would silently use the wrong directory.
    const lost = sync.options.filter((option) => sync.getOptionValueSource(option.attributeName()) === 'cli').map(({ long }) => long);
    if (lost.length === 0) return;
    if (subcommand.name() === 'plan') exit.usage = PLAN_EXIT.wrong;
    throw new ConfigError([`${lost.join(' and ')} must come after ${subcommand.name()}`]);
  });
}

async function syncFile(file: string, flags: SyncFlags, settings: ClientSettings, io: CommandIo): Promise<number> {
  const path = resolve(io.cwd, flags.report ?? (file === '-' ? 'rosterd-sync.report.ndjson' : `${file}.report.ndjson`));
  if (file !== '-' && resolve(io.cwd, file) === path) throw new ConfigError([`the report would overwrite the source ${path}`]);
  const interrupts = new Interrupts(io);
  try {
    const source = await openSource(file, {}, io, interrupts.stop);
    try {
      const report = await openReport({ path, isFull: false });
      const summary = await syncSource(source, report, flags, settings, interrupts, io);
      printSyncSummary(summary, source.name, await report.close(), flags, io);
      return exitCode(summary, flags);
    } finally {
      await source.close();
    }
  } finally {
    interrupts.end();
  }
}

async function syncSource(
  source: OpenedSource,
  report: Report,
  flags: SyncFlags,
  { config, credentials }: ClientSettings,
  interrupts: Interrupts,
  io: CommandIo,
): Promise<SyncSummary> {
  const { concurrency, retryFor, timeout, quiet, returning } = flags;
  const mapping = mappingOf(source);
  for (const note of mapping.notes) io.stderr.write(`rosterd: note: ${note}\n`);
  const client = connectDaemon(flags.url ?? daemonUrl(config, io.env), credentials, { sockets: concurrency, timeoutMs: timeout });
  const view = createProgressView({ stderr: io.stderr, totalBytes: source.totalBytes, quiet: quiet === true, now: io.now });
  interrupts.talk = (text) => view.talk(text);
  const summary = await syncUsers(
    { concurrency, retryForMs: retryFor },
    {
      source: source.chunks,
      check: rowCheck(mapping),
      send: (users, signal) => client.ask(upsertRequest(users, returning), signal),
      clock: systemClock,
      random: Math.random,
      report,
      onProgress: ({ users, counts, bytes }) => view.update({ users, failed: counts.failed, bytes }),
      onTalk: interrupts.talk,
      stop: interrupts.stop,
      leave: interrupts.leave,
    },
  );
  view.end();
  client.close();
  return summary;
}
