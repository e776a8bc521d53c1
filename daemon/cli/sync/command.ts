/** `rosterd sync <users.ndjson>`: the flags, the files and the signals around `runSync`. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { type Command, Option } from 'commander';
import { errorText } from '../../../protocol/base/errors.ts';
import { systemClock } from '../../base/clock.ts';
import { formatDuration } from '../../base/duration.ts';
import { runSync, type SyncSummary } from '../../sync/bring.ts';
import { type ClientCommands, type ClientSettings, checkedCount, checkedDuration, checkedUrl, daemonUrl } from '../client-options.ts';
import type { Exit } from '../commands.ts';
import { ConfigError } from '../config/config.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { serverToken } from '../token.ts';
import { packageVersion } from '../version.ts';
import { addApplyCommand } from './apply-command.ts';
import { createHttpSender } from './http-sender.ts';
import { addPlanCommand } from './plan-command.ts';
import { PLAN_EXIT } from './plan-summary.ts';
import { createProgressView, type ProgressView } from './progress.ts';
import { ReportFile } from './report.ts';

interface SyncFlags {
  readonly url?: string;
  readonly concurrency: number;
  readonly retryFor: number;
  readonly timeout: number;
  readonly report?: string;
  readonly json?: true;
  readonly quiet?: true;
}

export function addSyncCommand(program: Command, io: CommandIo, exit: Exit, client: ClientCommands): void {
  const { addSettings, load } = client;
  const sync = program
    .command('sync')
    .description('bring users into the directory: one JSON object per line, each replaces the user of that id')
    .argument('<users.ndjson>', 'file with the users, - for stdin')
    .addOption(new Option('--url <url>', 'address of the daemon. Default: http://<listen>').argParser(checkedUrl))
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
    .option('--json', 'print the counts as one JSON object')
    .option('--quiet', 'show no progress');
  addSettings(sync);
  // What stands behind the name of a command below this one is that command's.
  program.enablePositionalOptions();
  sync.enablePositionalOptions();
  sync.addHelpText(
    'after',
    `
Users are written as the chat API shows them: id, name, image, role, teams, …, and custom data beside them.
Name, image and custom data that are not given are removed; role, teams and the like stay as they are.
Running it again is always safe: users that would not change are left alone.

To see first what would change, and for CSV, PostgreSQL and users who are to be removed: rosterd sync plan, rosterd sync apply.

Examples:
  $ rosterd sync users.ndjson
  $ zcat users.ndjson.gz | rosterd sync - --url https://roster.example.com --report failed.ndjson
  $ rosterd sync users.ndjson --json --quiet

Exit codes: 0 all users are in, 1 some failed or it gave up, 2 wrong usage or settings, 130 interrupted`,
  );
  sync.action(async (file: string, flags: SyncFlags) => {
    exit.code = await syncFile(file, flags, load(sync), io);
  });
  addPlanCommand(sync, io, exit, client);
  addApplyCommand(sync, io, exit, client);
  sync.hook('preSubcommand', (_, subcommand) => {
    // It would be read, and then have no effect: on the wrong directory, without a word.
    const lost = sync.options.filter((option) => sync.getOptionValueSource(option.attributeName()) === 'cli').map(({ long }) => long);
    if (lost.length === 0) return;
    if (subcommand.name() === 'plan') exit.usage = PLAN_EXIT.wrong;
    throw new ConfigError([`${lost.join(' and ')} must stand behind ${subcommand.name()}`]);
  });
}

async function syncFile(file: string, flags: SyncFlags, { config, credentials }: ClientSettings, io: CommandIo): Promise<number> {
  const url = flags.url ?? daemonUrl(config);
  const reportPath = resolve(io.cwd, flags.report ?? (file === '-' ? 'rosterd-sync.report.ndjson' : `${file}.report.ndjson`));
  const { stream, totalBytes } = await openSource(file, reportPath, io);
  const report = new ReportFile(reportPath);
  await report.check().catch((error: unknown) => {
    throw new ConfigError([`the report cannot be written to ${reportPath}: ${errorText(error)}`]);
  });
  const sender = createHttpSender({
    url,
    apiKey: credentials.apiKey,
    token: serverToken(credentials.apiSecret),
    client: `rosterd-sync/${packageVersion()}`,
    sockets: flags.concurrency,
    timeoutMs: flags.timeout,
  });
  const view = createProgressView({ stderr: io.stderr, totalBytes, quiet: flags.quiet === true, now: io.now });
  const stop = new AbortController();
  const leave = new AbortController();
  const undo = io.onInterrupt(() => onInterrupt(stop, leave, view));
  const summary = await runSync(
    { concurrency: flags.concurrency, retryForMs: flags.retryFor },
    {
      source: stream,
      send: sender.send,
      clock: systemClock,
      random: Math.random,
      report,
      onProgress: (progress) => view.update(progress),
      onTalk: (text) => view.talk(text),
      stop: stop.signal,
      leave: leave.signal,
    },
  );
  undo();
  view.end();
  sender.close();
  stream.destroy();
  printSummary(summary, flags, io);
  return exitCode(summary);
}

function onInterrupt(stop: AbortController, leave: AbortController, view: ProgressView): void {
  if (stop.signal.aborted) leave.abort(new Error('left'));
  else {
    view.talk('stopping; what is on its way may finish. Ctrl-C again leaves at once');
    stop.abort();
  }
}

/** Throws ConfigError for a source that cannot be read or that the report would overwrite. */
async function openSource(file: string, reportPath: string, io: CommandIo): Promise<{ stream: Readable; totalBytes: number | undefined }> {
  if (file === '-') return { stream: io.stdin, totalBytes: undefined };
  const path = resolve(io.cwd, file);
  if (path === reportPath) throw new ConfigError([`the report would overwrite the source ${path}`]);
  try {
    const info = await stat(path);
    if (info.isDirectory()) throw new Error('it is a directory');
    return { stream: createReadStream(path, { highWaterMark: 256 * 1024 }), totalBytes: info.isFile() ? info.size : undefined };
  } catch (error) {
    throw new ConfigError([`${path} cannot be read: ${errorText(error)}`]);
  }
}

function printSummary(summary: SyncSummary, { json, quiet }: SyncFlags, io: CommandIo): void {
  const { status, reason, elapsedMs, reportPath, created, updated, unchanged, sent, failed, notSent } = summary;
  if (json) {
    const counts = { created, updated, unchanged, sent, failed, not_sent: notSent };
    io.stdout.write(
      `${JSON.stringify({ status, ...counts, seconds: elapsedMs / 1_000, report: reportPath ?? null, reason: reason ?? null })}\n`,
    );
  } else {
    const rows: [string, number][] = [
      ['created', created],
      ['updated', updated],
      ['unchanged', unchanged],
      ['failed', failed],
    ];
    // Only a server that is not rosterd leaves it open what became of a user.
    if (sent > 0) rows.splice(3, 0, ['sent', sent]);
    if (notSent > 0) rows.push(['not sent', notSent]);
    const width = Math.max(...rows.map(([, count]) => count.toLocaleString('en-US').length));
    for (const [name, count] of rows) io.stdout.write(`${name.padEnd(9)}  ${count.toLocaleString('en-US').padStart(width)}\n`);
    if (reportPath !== undefined) io.stdout.write(`report     ${reportPath}\n`);
  }
  const done = created + updated + unchanged + sent + failed;
  const perSecond = Math.round((done * 1_000) / Math.max(1, elapsedMs)).toLocaleString('en-US');
  const users = `${done.toLocaleString('en-US')} user${done === 1 ? '' : 's'}`;
  if (status === 'done' && quiet) return;
  if (status === 'done') io.stderr.write(`${users} in ${formatDuration(elapsedMs)} (${perSecond}/s)\n`);
  else if (status === 'interrupted') io.stderr.write('rosterd: interrupted; run it again to finish\n');
  else io.stderr.write(`rosterd: gave up: ${reason}\nrosterd: run it again to finish\n`);
}

function exitCode({ status, failed }: SyncSummary): number {
  if (status === 'interrupted') return EXIT.interrupted;
  return status === 'gave-up' || failed > 0 ? EXIT.failed : EXIT.ok;
}
