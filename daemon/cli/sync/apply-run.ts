/** The files and signals around `applyPlan`: finds or makes the plan, and cleans up at the end. */
import { open, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errorText } from '../../../protocol/base/errors.ts';
import { systemClock } from '../../base/clock.ts';
import { applyPlan } from '../../sync/apply/apply-plan.ts';
import type { ApplySummary } from '../../sync/apply/apply-types.ts';
import type { Checkpoint } from '../../sync/apply/checkpoint.ts';
import { sumOf } from '../../sync/counts.ts';
import { looksLikePlan, PlanFile, PlanFileError } from '../../sync/plan/plan-file.ts';
import { changesOf } from '../../sync/plan/plan-lines.ts';
import { type ClientSettings, daemonUrl } from '../client-options.ts';
import { ConfigError } from '../config/config.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { CheckpointFile, readCheckpoint } from './checkpoint-file.ts';
import { connectDaemon, Interrupts } from './connection.ts';
import { planSource, type SourceFlags } from './plan-source.ts';
import { createProgressView } from './progress.ts';
import { openReport } from './report.ts';
import { beginningOf } from './sources/own-file.ts';
import { exitCode, printApplySummary, printFinished } from './summary.ts';

export interface ApplyFlags extends SourceFlags {
  readonly url?: string;
  readonly resume?: true;
  readonly ifUnchanged?: true;
  /** Users per second. */
  readonly rate?: number;
  readonly concurrency: number;
  readonly report?: string;
  readonly checkpoint?: string;
  readonly retryFor: number;
  readonly timeout: number;
  readonly json?: true;
  readonly quiet?: true;
}

interface Context {
  readonly flags: ApplyFlags;
  readonly settings: ClientSettings;
  readonly io: CommandIo;
  readonly url: string;
  readonly interrupts: Interrupts;
  readonly paths: Paths;
}

interface Paths {
  readonly checkpoint: string;
  readonly report: string;
  /** Path of the plan made from a source while it is applied. */
  readonly madePlan: string;
}

/** The plan to apply, or the exit code when there is nothing to apply. */
type Found = { readonly plan: PlanFile; readonly isTemporary: boolean; readonly resume?: Checkpoint } | { readonly code: number };

/** Bytes of a file that show whether it is a plan. */
const PEEK_BYTES = 64;

/** Resolves with the exit code. Throws ConfigError for flags and files that cannot work. */
export async function applyFile(file: string | undefined, flags: ApplyFlags, settings: ClientSettings, io: CommandIo): Promise<number> {
  if (file === undefined && flags.from === undefined) throw new ConfigError(['name a plan or a source, or give --from']);
  const paths = pathsOf(file, flags, io);
  const url = flags.url ?? daemonUrl(settings.config, io.env);
  const interrupts = new Interrupts(io);
  const context: Context = { flags, settings, io, url, interrupts, paths };
  try {
    const found = await findPlan(file, context);
    return 'code' in found ? found.code : await apply(found, context);
  } catch (error) {
    if (!(error instanceof PlanFileError)) throw error;
    io.stderr.write(`rosterd: ${error.message}\n`);
    return EXIT.failed;
  } finally {
    interrupts.end();
  }
}

function pathsOf(file: string | undefined, { checkpoint, report }: ApplyFlags, { cwd }: CommandIo): Paths {
  const base = resolve(cwd, file === undefined || file === '-' ? 'rosterd-sync' : file);
  const paths = {
    checkpoint: resolve(cwd, checkpoint ?? `${base}.progress.json`),
    report: resolve(cwd, report ?? `${base}.report.ndjson`),
  };
  const madePlan = `${paths.checkpoint.replace(/\.json$/, '')}.plan.ndjson`;
  const all = [base, paths.checkpoint, paths.report, madePlan];
  if (new Set(all).size < all.length) throw new ConfigError(['plan or source, checkpoint and report must be different files']);
  return { ...paths, madePlan };
}

async function findPlan(file: string | undefined, context: Context): Promise<Found> {
  const { flags, paths, io } = context;
  const before = await readCheckpoint(paths.checkpoint).catch((error: unknown) => {
    throw new ConfigError([`the checkpoint ${paths.checkpoint} cannot be read: ${errorText(error)}`]);
  });
  if (before === 'foreign') throw new ConfigError([`${paths.checkpoint} is no checkpoint of rosterd; name another file with --checkpoint`]);
  const planPath = await planPathOf(file, context);
  if (planPath !== undefined) refuseSourceFlags(flags);
  if (flags.resume) return await resumed(before, planPath, context);
  if (planPath === undefined) return await planned(file, context);
  const plan = await openPlan(planPath);
  if (before !== 'none' && !before.finished && before.plan === plan.trailer.sha256)
    io.stderr.write(`rosterd: an earlier run of this plan ended at line ${before.at}; --resume would go on there. Starting anew\n`);
  return { plan, isTemporary: false };
}

/** Refuses flags that would have no effect on a finished plan. Throws ConfigError. */
function refuseSourceFlags({ map, format, from, query, scope, missing, maxMissingCount, returning }: SourceFlags): void {
  const given = {
    map,
    format,
    from,
    query,
    scope,
    returning: returning === 'leave' ? undefined : returning,
    missing: missing === 'ignore' ? undefined : missing,
    'max-missing-count': maxMissingCount,
  };
  const names = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`]));
  if (names.length > 0) throw new ConfigError([`${names.join(', ')}: the plan was made already; this is for sources`]);
}

/** Undefined for a source. */
async function planPathOf(file: string | undefined, { io, flags }: Context): Promise<string | undefined> {
  if (file === undefined || file === '-') return undefined;
  const path = resolve(io.cwd, file);
  const handle = await open(path, 'r').catch((error: unknown) => {
    // The source may be gone while its plan still exists.
    if (flags.resume) return undefined;
    throw new ConfigError([`${path} cannot be read: ${errorText(error)}`]);
  });
  if (handle === undefined) return undefined;
  try {
    return looksLikePlan(await beginningOf(handle, PEEK_BYTES)) ? path : undefined;
  } catch (error) {
    throw new ConfigError([`${path} cannot be read: ${errorText(error)}`]);
  } finally {
    await handle.close();
  }
}

async function openPlan(path: string): Promise<PlanFile> {
  try {
    return await PlanFile.open(path);
  } catch (error) {
    if (error instanceof PlanFileError) throw error;
    throw new ConfigError([`the plan ${path} cannot be read: ${errorText(error)}`]);
  }
}

async function resumed(before: Checkpoint | 'none', planPath: string | undefined, { paths, io, flags }: Context): Promise<Found> {
  if (before === 'none')
    throw new ConfigError([
      `there is nothing to resume: there is no checkpoint ${paths.checkpoint}; a run that ended before its first one wrote nothing, so leave out --resume`,
    ]);
  if (planPath === undefined && !before.is_plan_temporary)
    throw new ConfigError([`the checkpoint ${paths.checkpoint} is of the plan ${before.plan_path}; name that`]);
  const plan = await openPlan(planPath ?? before.plan_path);
  if (plan.trailer.sha256 !== before.plan) {
    await plan.close();
    throw new ConfigError([`the checkpoint ${paths.checkpoint} is of another plan (${before.plan_path}); run it without --resume`]);
  }
  if (!before.finished) return { plan, isTemporary: before.is_plan_temporary, resume: before };
  const code = printFinished(before, plan.trailer.counts.errors, flags, io);
  await plan.close();
  return { code };
}

/** Makes a plan of a source beside the checkpoint, so that its brakes are checked before anything is written. */
async function planned(file: string | undefined, { flags, settings, io, url, interrupts, paths }: Context): Promise<Found> {
  const { status, problems, notes } = await planSource(file, flags, {
    url,
    credentials: settings.credentials,
    io,
    concurrency: flags.concurrency,
    retryForMs: flags.retryFor,
    timeoutMs: flags.timeout,
    quiet: flags.quiet === true,
    out: paths.madePlan,
    stop: interrupts.stop,
  });
  for (const note of notes) io.stderr.write(`rosterd: ${note}\n`);
  if (status === 'planned') return { plan: await openPlan(paths.madePlan), isTemporary: true };
  for (const problem of problems) io.stderr.write(`rosterd: ${problem}\n`);
  io.stderr.write(`rosterd: ${status === 'interrupted' ? 'interrupted while it was planned' : 'there is no plan'}; nothing was written\n`);
  return { code: status === 'interrupted' ? EXIT.interrupted : EXIT.failed };
}

async function apply(found: Exclude<Found, { readonly code: number }>, context: Context): Promise<number> {
  const { plan, isTemporary, resume } = found;
  const { flags, settings, io, url, interrupts, paths } = context;
  const keepBytes = resume?.report.path === paths.report ? resume.report.bytes : 0;
  const report = await openReport({ path: paths.report, isFull: flags.report !== undefined, keepBytes });
  const server = connectDaemon(url, settings.credentials, { sockets: flags.concurrency, timeoutMs: flags.timeout });
  const view = createProgressView({ stderr: io.stderr, totalBytes: usersLeft(plan, resume), quiet: flags.quiet === true, now: io.now });
  interrupts.talk = (text) => view.talk(text);
  const options = {
    concurrency: flags.concurrency,
    retryForMs: flags.retryFor,
    ifUnchanged: flags.ifUnchanged === true,
    ...(flags.rate === undefined ? undefined : { usersPerSecond: flags.rate }),
    ...(resume === undefined ? undefined : { resume }),
  };
  const identity = { plan: plan.trailer.sha256, plan_path: plan.path, is_plan_temporary: isTemporary };
  const summary = await applyPlan(options, {
    plan,
    server,
    clock: systemClock,
    random: Math.random,
    report,
    checkpoints: new CheckpointFile(paths.checkpoint, { ...identity, reportPath: paths.report, now: io.now }),
    // The bar counts users, because their number is known.
    onProgress: ({ users, counts }) => view.update({ users, failed: counts.failed, bytes: users }),
    onTalk: interrupts.talk,
    stop: interrupts.stop,
    leave: interrupts.leave,
  });
  view.end();
  server.close();
  await plan.close();
  const reportPath = await report.close();
  if (isTemporary && isOver(summary, resume)) for (const path of [plan.path, paths.checkpoint]) await rm(path, { force: true });
  printApplySummary(summary, reportPath, flags, io);
  return exitCode(summary, flags);
}

/** True when there is nothing that another run could continue. */
function isOver({ status }: ApplySummary, resume: Checkpoint | undefined): boolean {
  return status === 'done' || (status === 'refused' && resume === undefined);
}

function usersLeft({ trailer }: PlanFile, resume: Checkpoint | undefined): number {
  return changesOf(trailer.counts) - (resume === undefined ? 0 : sumOf(resume.counts));
}
