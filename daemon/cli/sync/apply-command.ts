/** `rosterd sync apply <plan | source>`: its flags and its help. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ClientCommands, checkedCount, checkedDuration, checkedUrls } from '../client-options.ts';
import type { CommandIo, Exit } from '../io.ts';
import { type ApplyFlags, applyFile } from './apply-run.ts';
import { addSourceOptions } from './plan-source.ts';

const RATE_MAX = 1_000_000;

/** `sync` is the parent command. */
export function addApplyCommand(sync: Command, io: CommandIo, exit: Exit, { addSettings, load }: ClientCommands): void {
  const apply = sync
    .command('apply')
    .description('carry out a plan, or plan a source and carry that out')
    .argument('[plan | source]', 'file that `sync plan --out` wrote, or a source of users; - for a source on stdin')
    .option('--resume', 'go on where an earlier run of the same plan ended')
    .option('--if-unchanged', 'keep users that changed since the plan was made as they are, and apply the rest')
    .addOption(new Option('--rate <users>', 'users per second at most, such as 500 or 500/s').argParser(checkedRate))
    .addOption(
      new Option('--concurrency <number>', 'batches of 100 users on their way at the same time').argParser(checkedCount(1, 64)).default(4),
    )
    .option('--report <path>', 'file with a line for every user that is not as it was: what was done, or why not')
    .option('--checkpoint <path>', 'file that says how far it is. Default: <plan | source>.progress.json')
    .addOption(
      new Option('--url <url>', 'address of the daemon, or of several nodes, comma-separated. Default: http://<listen>').argParser(
        checkedUrls,
      ),
    )
    .addOption(
      new Option('--retry-for <duration>', 'give up after so long without a single request getting through')
        .argParser(checkedDuration(0))
        .default(300_000, '5m'),
    )
    .addOption(new Option('--timeout <duration>', 'longest time for one request').argParser(checkedDuration(1)).default(60_000, '1m'))
    .option('--json', 'print the counts as one JSON object')
    .option('--quiet', 'show no progress');
  addSourceOptions(apply);
  addSettings(apply);
  apply.addHelpText('after', HELP);
  apply.action(async (file: string | undefined, flags: ApplyFlags) => {
    exit.code = await applyFile(file, flags, load(apply), io);
  });
}

const HELP = `
A plan is checked as a whole before anything is written: that it is complete, that it was made for this directory, and that
its users still are as they were. Each write names the revision that its user had then, so a user that changes meanwhile
keeps the newer state. A source is planned first, with all brakes of \`sync plan\`, and nothing is written when one is exceeded.

Users are removed last, and only when every other user of the plan was written, or kept because it is newer.
Without --report, <plan | source>.report.ndjson names those that were not applied; it is only made when there are any.

Applying a plan again is always safe: users that are as it wants them are left alone. The first Ctrl-C lets finish what is on
its way, the second leaves at once; --resume goes on from either, and from a crash.

Examples:
  $ rosterd sync plan users.csv --missing deactivate --out plan.ndjson
  $ rosterd sync apply plan.ndjson --report applied.ndjson
  $ rosterd sync apply plan.ndjson --resume
  $ rosterd sync apply users.csv --missing deactivate --if-unchanged --rate 500/s --json --quiet

Exit codes: 0 everything is as the plan wants it (or, with --if-unchanged, newer), 1 something failed or was refused, was changed
meanwhile, or was an error in the source, 2 wrong usage or settings, or nothing to resume, 130 interrupted`;

function checkedRate(text: string): number {
  const value = /^(\d{1,7})(\/s)?$/.exec(text)?.[1];
  const rate = value === undefined ? Number.NaN : Number(value);
  if (!(rate >= 1 && rate <= RATE_MAX)) throw new InvalidArgumentError(`It must be a whole number from 1 to ${RATE_MAX}.`);
  return rate;
}
