/** `rosterd sync plan <source>`: shows what a source would change, without changing it. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { formatDuration } from '../../base/duration.ts';
import { grouped } from '../../base/grouped.ts';
import type { PlanSummary } from '../../sync/plan/plan-types.ts';
import { type ClientCommands, checkedCount, checkedDuration, checkedUrls, daemonUrl } from '../client-options.ts';
import type { CommandIo, Exit } from '../io.ts';
import { addSourceOptions, planSource, type SourceFlags } from './plan-source.ts';
import { describePlan, PLAN_EXIT, planExitCode, planJson } from './plan-summary.ts';

interface PlanFlags extends SourceFlags {
  readonly url?: string;
  readonly out?: string;
  readonly concurrency: number;
  readonly retryFor: number;
  readonly timeout: number;
  readonly json?: true;
  readonly quiet?: true;
}

export function addPlanCommand(sync: Command, io: CommandIo, exit: Exit, { addSettings, load }: ClientCommands): void {
  const plan = sync
    .command('plan')
    .description('say what a source would change, without changing it: users to create, update and, where asked for, remove')
    .argument('[source]', 'file with the users (NDJSON, a JSON list, CSV), - for stdin; or use --from')
    .option('--out <plan.ndjson>', 'write the plan to this file, for rosterd sync apply. Default: it is only printed')
    .addOption(
      new Option('--url <url>', 'address of the daemon, or of several nodes, comma-separated. Default: http://<listen>').argParser(
        checkedUrls,
      ),
    );
  addSourceOptions(plan)
    .addOption(new Option('--concurrency <number>', 'requests on their way at the same time').argParser(checkedCount(1, 64)).default(4))
    .addOption(
      new Option('--retry-for <duration>', 'give up after so long without an answer').argParser(checkedDuration(0)).default(60_000, '1m'),
    )
    .addOption(new Option('--timeout <duration>', 'longest time for one request').argParser(checkedDuration(1)).default(60_000, '1m'))
    .option('--json', 'print the summary as one JSON object')
    .option('--quiet', 'show no progress');
  addSettings(plan);
  plan.addHelpText('after', PLAN_HELP);
  // A script that checks the exit code for changes must not take a misspelt flag for a yes.
  plan.exitOverride((error) => {
    exit.usage = PLAN_EXIT.wrong;
    throw error;
  });
  plan.action(async (source: string | undefined, flags: PlanFlags) => {
    exit.usage = PLAN_EXIT.wrong;
    const { config, credentials } = load(plan);
    const out = flags.out === undefined ? undefined : resolve(io.cwd, flags.out);
    const stop = new AbortController();
    const undo = io.onInterrupt(() => stop.abort(new Error('interrupted')));
    try {
      const summary = await planSource(source, flags, {
        url: flags.url ?? daemonUrl(config, io.env),
        credentials,
        io,
        concurrency: flags.concurrency,
        retryForMs: flags.retryFor,
        timeoutMs: flags.timeout,
        quiet: flags.quiet === true,
        stop: stop.signal,
        ...(out === undefined ? {} : { out }),
      });
      printPlan(summary, flags, out, io);
      exit.code = planExitCode(summary);
    } finally {
      undo();
    }
  });
}

const PLAN_HELP = `
A table (CSV, PostgreSQL) names the fields in its header: id, name, image, role, language, invisible, teams, teams_role,
privacy_settings, custom.<name>; custom.age:number, :boolean, :json and :list say what a column holds. An empty cell is not sent:
name, image and custom data that are not sent are removed, everything else stays as it is; [] empties a list.
Rows whose cells are all empty are no rows. A first line such as sep=; names the separator. A whole number beyond 2^53 in JSON would become
another number, so it is an error: write it as text.

Users that an earlier \`sync apply --missing\` deactivated or soft-deleted, and that the source names again, stay out and are named. With
--returning reactivate, those that were deactivated come back; with restore, those that were deleted too. Users that somebody else took
out stay out.

Accidents are refused before anything is written: a source that is empty or breaks off, rows whose id cannot be read, too many
wrong rows, too many missing users. The message says what would allow it.

Examples:
  $ rosterd sync plan users.csv --out plan.ndjson && echo nothing to do
  $ rosterd sync plan hr.csv --map map.json --missing deactivate --scope team=red --out plan.ndjson
  $ rosterd sync plan --from postgres://hr@db/staff --query 'select no as id, full_name as name, dept as "custom.dept" from staff'

The password of a database comes from PGPASSWORD or ~/.pgpass. Large sources need room in TMPDIR, about as much as they are long.

Exit codes: 0 nothing to do, 2 there are changes, 1 anything wrong (rows with errors, a refusal, wrong usage), 130 interrupted`;

function printPlan(summary: PlanSummary, { json, quiet }: PlanFlags, out: string | undefined, io: CommandIo): void {
  const { status, notes, problems, counts, elapsedMs, trailer } = summary;
  if (json) io.stdout.write(planJson(summary, out));
  else if (status === 'planned') io.stdout.write(`${describePlan(summary)}${trailer === undefined ? '' : `plan         ${out}\n`}`);
  for (const note of notes) io.stderr.write(`rosterd: note: ${note}\n`);
  for (const problem of problems) io.stderr.write(`rosterd: ${problem}\n`);
  if (status === 'interrupted') io.stderr.write('rosterd: interrupted; nothing was planned\n');
  if (status !== 'planned' || quiet) return;
  io.stderr.write(`${grouped(counts.rows)} row${counts.rows === 1 ? '' : 's'} in ${formatDuration(elapsedMs)}\n`);
}
