/** Plans a source: the flags that `sync plan` and `sync apply` share, and their way to `makePlan`. */
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { errorText } from '../../../protocol/base/errors.ts';
import { inexactNumbers } from '../../../protocol/base/exact-numbers.ts';
import { utf8Bytes } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Returns } from '../../../protocol/users/upsert.ts';
import { hasCode } from '../../../store/disk-errors.ts';
import { systemClock } from '../../base/clock.ts';
import { MAX_MISSING_COUNT, MAX_SHARE } from '../../sync/plan/brakes.ts';
import { makePlan } from '../../sync/plan/make-plan.ts';
import type { CompiledMapping } from '../../sync/plan/mapping.ts';
import { looksLikePlan, PlanWriter } from '../../sync/plan/plan-file.ts';
import { type PlanSettings, REMOVALS } from '../../sync/plan/plan-lines.ts';
import type { PlanOptions, PlanSummary } from '../../sync/plan/plan-types.ts';
import { FORMATS, type Format, type OpenedSource } from '../../sync/sources/opened-source.ts';
import { checkedCount } from '../client-options.ts';
import { ConfigError } from '../config/config.ts';
import type { Credentials } from '../config/credentials.ts';
import type { CommandIo } from '../io.ts';
import { connectDaemon } from './connection.ts';
import { createPlanProgress } from './plan-progress.ts';
import { mappingOf, openSource } from './sources/open-source.ts';
import { beginningOf } from './sources/own-file.ts';

/** Values of the flags of `addSourceOptions`. */
export interface SourceFlags {
  readonly map?: string;
  readonly format?: Format;
  readonly from?: string;
  readonly query?: string;
  readonly missing: PlanSettings['missing'];
  /** 0 to 1. */
  readonly maxMissing: number;
  /** Undefined when the flag was not given. */
  readonly maxMissingCount?: number;
  /** 0 to 1. */
  readonly maxErrors: number;
  readonly returning: Returns;
  /** The team. */
  readonly scope?: string;
}

export interface PlanContext {
  readonly url: string;
  readonly credentials: Credentials;
  readonly io: CommandIo;
  readonly concurrency: number;
  readonly retryForMs: number;
  readonly timeoutMs: number;
  readonly quiet: boolean;
  /** Absolute path of the plan file; without it the plan is only counted. */
  readonly out?: string;
  /** Aborted by the first Ctrl-C. */
  readonly stop: AbortSignal;
}

/** Adds --map, --format, --from, --query, --missing, --max-missing, --max-missing-count, --max-errors, --returning and --scope. */
export function addSourceOptions(command: Command): Command {
  return command
    .addOption(new Option('--format <format>', 'of the source. Default: by its name, else by its first character').choices(FORMATS))
    .option('--map <map.json>', 'which column fills which field: {"id": "employee_no", "name": "full_name", "custom.dept": "department"}')
    .addOption(new Option('--from <url>', 'read a PostgreSQL database, postgres://user@host/database').argParser(checkedDatabase))
    .option('--query <sql>', 'the SELECT that gives the users; the names of its columns are those of the fields')
    .addOption(
      new Option('--missing <what>', 'what becomes of users of the directory that are not in the source')
        .choices(['ignore', ...REMOVALS])
        .default('ignore'),
    )
    .addOption(
      new Option('--max-missing <percent>', 'refuse to plan when more of the users in scope are missing')
        .argParser(checkedShare)
        .default(MAX_SHARE, '10%'),
    )
    .addOption(
      new Option(
        '--max-missing-count <number>',
        `the same as a number. Default: ${MAX_MISSING_COUNT}; must be given for hard-delete`,
      ).argParser(checkedCount(0, 999_999_999)),
    )
    .addOption(
      new Option('--max-errors <percent>', 'refuse to plan when more of the rows are wrong')
        .argParser(checkedShare)
        .default(MAX_SHARE, '10%'),
    )
    .addOption(returningOption())
    .addOption(new Option('--scope <team=…>', 'only users of this team, in the source and in the directory').argParser(checkedScope));
}

export function returningOption(): Option {
  return new Option(
    '--returning <what>',
    'what becomes of users of the source that an earlier sync took out: reactivate those that it deactivated, restore also those that it soft-deleted',
  )
    .choices(['leave', 'reactivate', 'restore'])
    .default('leave');
}

/**
 * Plans `source` (a path, `-` for stdin, undefined with `--from`). Throws ConfigError for flags and files that cannot work;
 * the summary reports everything else. The plan file exists only when the status is `planned`.
 */
export async function planSource(source: string | undefined, flags: SourceFlags, context: PlanContext): Promise<PlanSummary> {
  const { io, out } = context;
  checkFlags(source, flags);
  if (out !== undefined) await checkOut(out, source, io);
  const map = flags.map === undefined ? undefined : await readMap(resolve(io.cwd, flags.map));
  const opened = await openSource(source, flags, io, context.stop);
  try {
    const mapping = mappingOf(opened, map);
    const summary = await planOpened(opened, mapping, flags, context);
    return { ...summary, notes: [...mapping.notes, ...summary.notes] };
  } finally {
    await opened.close();
  }
}

async function planOpened(opened: OpenedSource, mapping: CompiledMapping, flags: SourceFlags, context: PlanContext): Promise<PlanSummary> {
  const { url, credentials, io, concurrency, timeoutMs, quiet, out, stop } = context;
  const client = connectDaemon(url, credentials, { sockets: concurrency, timeoutMs });
  const view = createPlanProgress({ stderr: io.stderr, quiet, now: io.now, totalBytes: opened.totalBytes });
  const spoolDirectory = await mkdtemp(join(tmpdir(), 'rosterd-plan-'));
  try {
    return await makePlan(planOptions(opened.name, flags, context), {
      rows: opened.chunks,
      mapping,
      server: client,
      ...(out === undefined ? {} : { openSink: (header) => PlanWriter.create(out, header) }),
      spoolDirectory,
      clock: systemClock,
      random: Math.random,
      onProgress: (progress) => view.update(progress),
      onTalk: (text) => view.talk(text),
      stop,
    });
  } finally {
    view.end();
    client.close();
    await rm(spoolDirectory, { recursive: true, force: true });
  }
}

function planOptions(source: string, flags: SourceFlags, { url, concurrency, retryForMs }: PlanContext): PlanOptions {
  const { missing, maxMissing, maxMissingCount = MAX_MISSING_COUNT, maxErrors, returning, scope } = flags;
  const team = scope === undefined ? {} : { team: scope };
  return { url, source, missing, maxMissing, maxMissingCount, maxErrors, returning, concurrency, retryForMs, ...team };
}

/** Throws ConfigError for flags that contradict each other. */
function checkFlags(source: string | undefined, { from, query, format, missing, maxMissingCount }: SourceFlags): void {
  const problems: string[] = [];
  if ((source === undefined) === (from === undefined)) problems.push('give either a file (- for stdin) or --from');
  if ((from === undefined) !== (query === undefined)) problems.push('--from and --query belong together');
  if (from !== undefined && format !== undefined) problems.push('--format is for files, not for --from');
  if (missing === 'hard-delete' && maxMissingCount === undefined) {
    problems.push('--missing hard-delete cannot be undone: say with --max-missing-count how many users it may delete at most');
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

/** A plan may replace a plan, but no other file. */
async function checkOut(out: string, source: string | undefined, io: CommandIo): Promise<void> {
  if (source !== undefined && source !== '-' && resolve(io.cwd, source) === out)
    throw new ConfigError([`the plan would overwrite the source ${out}`]);
  const file = await open(out, 'r').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw new ConfigError([`the plan cannot be written to ${out}: ${errorText(error)}`]);
  });
  if (file === undefined) return;
  try {
    const start = await beginningOf(file, 256).catch((error: unknown) => {
      throw new ConfigError([`the plan cannot be written to ${out}: ${errorText(error)}`]);
    });
    if (start !== '' && !looksLikePlan(start)) throw new ConfigError([`${out} is there already and is no plan; it is not overwritten`]);
  } finally {
    await file.close();
  }
}

async function readMap(path: string): Promise<unknown> {
  try {
    const text = (await readFile(path, 'utf8')).replace(/^\ufeff/, '');
    const map: unknown = JSON.parse(text);
    const [inexact] = inexactNumbers(text);
    if (inexact !== undefined) throw new Error(inexact.text);
    return map;
  } catch (error) {
    throw new ConfigError([`the map ${path} cannot be used: ${errorText(error)}`]);
  }
}

function checkedShare(text: string): number {
  const percent = /^(\d{1,3}(?:\.\d{1,4})?)%$/.exec(text)?.[1];
  if (percent === undefined || Number(percent) > 100) throw new InvalidArgumentError('It must be a percentage such as 10% or 0.5%.');
  return Number(percent) / 100;
}

function checkedScope(text: string): string {
  const team = /^team=(.+)$/.exec(text)?.[1];
  if (team === undefined || utf8Bytes(team) > LIMITS.teamBytes) throw new InvalidArgumentError('It must name a team: team=red.');
  return team;
}

function checkedDatabase(text: string): string {
  if (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError('It must be an address such as postgres://user@host/database.');
}
