/** Applies a sync plan, as `rosterd sync apply` does: the same checks, conditional writes and counts. It goes on where an earlier run ended. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { shortened } from '../../../protocol/base/shortened.ts';
import type { SyncPlan } from '../../../protocol/transfer/plans.ts';
import { applyPlan } from '../../sync/apply/apply-plan.ts';
import type { ApplyReport, ApplySummary } from '../../sync/apply/apply-types.ts';
import { NO_RESULTS, type SyncCounts } from '../../sync/counts.ts';
import { PlanFile, PlanFileError } from '../../sync/plan/plan-file.ts';
import { changesOf } from '../../sync/plan/plan-lines.ts';
import type { ReportEntry } from '../../sync/report.ts';
import type { RunDeps } from '../../sync/run.ts';
import type { SyncServer } from '../../sync/transport.ts';
import type { Files } from './files.ts';
import { inWorkFolder } from './work-folder.ts';

const PATIENCE_MS = 24 * 3_600_000;
const REASON_CHARS_MAX = 300;

/** What is written into the document of the plan. */
export type PlanFields = Partial<Pick<SyncPlan, 'state' | 'problems' | 'report' | 'progress' | 'checkpoint'>>;

export interface PlanApplierDeps extends Pick<RunDeps, 'clock' | 'random' | 'onTalk'> {
  readonly files: Pick<Files, 'openPlan'>;
  readonly workFolder: string;
  readonly server: SyncServer;
  /** Resolves when the fields are durable. */
  readonly note: (fields: PlanFields) => Promise<void>;
  readonly onProgress: (progress: { readonly done: number; readonly total: number }) => void;
  readonly stop: AbortSignal;
}

/** Resolves with what becomes of the plan; undefined when it was stopped. Rejects as `Blobs.open`, and with errors of the system. */
export async function applyUploadedPlan(doc: SyncPlan, deps: PlanApplierDeps): Promise<PlanFields | undefined> {
  try {
    return await inWorkFolder(deps.workFolder, async (folder) => {
      const plan = await fetched(doc, join(folder, 'plan.ndjson'), deps.files);
      if (plan === undefined) return { state: 'failed', problems: ['the file of the plan is no longer there: plan again'] };
      try {
        return await applied(doc, plan, deps);
      } finally {
        await plan.close();
      }
    });
  } catch (error) {
    if (error instanceof PlanFileError)
      return { state: 'failed', problems: ['the stored plan is not the one that was approved: plan again'] };
    throw error;
  }
}

/** PA5: the file is the one whose digest was approved. */
async function fetched({ id, digest }: SyncPlan, path: string, files: PlanApplierDeps['files']): Promise<PlanFile | undefined> {
  const blob = await files.openPlan(id);
  if (blob === undefined) return undefined;
  await pipeline(blob.stream, createWriteStream(path, { mode: 0o600 }));
  const plan = await PlanFile.open(path);
  if (plan.trailer.sha256 === digest) return plan;
  await plan.close();
  throw new PlanFileError(path, 'its digest is another one');
}

async function applied(doc: SyncPlan, plan: PlanFile, deps: PlanApplierDeps): Promise<PlanFields | undefined> {
  const { server, clock, random, note, onProgress, onTalk, stop } = deps;
  const { checkpoint, if_unchanged: ifUnchanged = false } = doc;
  const exceptions = new Exceptions(doc.report);
  const total = changesOf(plan.trailer.counts);
  const resume = checkpoint === undefined ? {} : { resume: { at: checkpoint.at, counts: { ...NO_RESULTS, ...checkpoint.counts } } };
  const summary = await applyPlan(
    { concurrency: 1, retryForMs: PATIENCE_MS, ifUnchanged, ...resume },
    {
      ...{ plan, server, clock, random, report: exceptions, stop },
      ...(onTalk === undefined ? {} : { onTalk }),
      checkpoints: {
        write: async ({ at, counts }) => await note({ checkpoint: { at, counts: { ...counts } }, report: exceptions.told(counts, total) }),
      },
      onProgress: ({ counts }) => onProgress({ done: sumOfAll(counts), total }),
    },
  );
  return endOf(summary, exceptions, checkpoint !== undefined);
}

function endOf(summary: ApplySummary, exceptions: Exceptions, isResumed: boolean): PlanFields | undefined {
  const { status, counts, total, stale, left, heldBack } = summary;
  const problems = [...summary.problems];
  const report = { ...exceptions.told(counts, total), left, held_back: heldBack };
  switch (status) {
    case 'done':
      return { state: 'applied', problems, report };
    case 'refused':
      if (stale.count > 0) problems.push(changedSince(stale.count));
      // Nothing was written by this run, so the plan stays what it was.
      return {
        state: isResumed ? 'stopped' : 'approved',
        problems,
        report: { ...report, stale: { count: stale.count, first: stale.first.map((user) => ({ ...user })) } },
      };
    case 'gave-up':
      return { state: 'stopped', problems, report };
    case 'interrupted':
      return undefined;
  }
}

function changedSince(count: number): string {
  const [users, have] = count === 1 ? ['user', 'has'] : ['users', 'have'];
  return `${count} ${users} ${have} changed since the plan was made; nothing was written. Plan again, or apply the rest with if_unchanged, which leaves such users as they are`;
}

function sumOfAll(counts: SyncCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

type Exception = { readonly id?: string; readonly result: string; readonly reason: string };

/** The first users that were not applied, and their number. Everybody else of the plan is as it says. */
class Exceptions implements ApplyReport {
  readonly isFull = false;
  readonly #list: Exception[];

  /** `report`: of an earlier run of the same plan. */
  constructor(report: SyncPlan['report']) {
    const list = report?.exceptions;
    this.#list = Array.isArray(list) ? (list as unknown as Exception[]).slice() : [];
  }

  async add(entries: readonly ReportEntry[]): Promise<void> {
    for (const entry of entries) {
      // The plan itself lists the rows that are wrong.
      const isAside = entry.result === 'not_applied' || entry.result === 'error';
      if (isAside || !('reason' in entry) || this.#list.length >= LIMITS.importErrorsKept) continue;
      const reason = shortened(entry.reason, REASON_CHARS_MAX);
      this.#list.push({ ...('id' in entry && entry.id !== undefined ? { id: entry.id } : undefined), result: entry.result, reason });
    }
  }

  /** The lines are in the document of the plan, which is durable when the checkpoint is. */
  async sync(): Promise<number> {
    return 0;
  }

  told(counts: SyncCounts, total: number): NonNullable<SyncPlan['report']> {
    return { counts: { ...counts }, total, exceptions: this.#list.map((one) => ({ ...one })) };
  }
}
