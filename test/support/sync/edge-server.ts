/** The HTTP edge over a directory in memory, as a server to reconcile with; and a plan from its source to its end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { applyPlan } from '../../../daemon/sync/apply/apply-plan.ts';
import type { ApplyOptions, ApplySummary } from '../../../daemon/sync/apply/apply-types.ts';
import type { Checkpoint } from '../../../daemon/sync/apply/checkpoint.ts';
import { PlanFile, PlanWriter } from '../../../daemon/sync/plan/plan-file.ts';
import type { PlanLine } from '../../../daemon/sync/plan/plan-lines.ts';
import type { PlanOptions } from '../../../daemon/sync/plan/plan-types.ts';
import type { ReportEntry } from '../../../daemon/sync/report.ts';
import { type AskRequest, type Reply, replyOf, type StreamedReply, type SyncServer } from '../../../daemon/sync/transport.ts';
import { httpWorld } from '../http/fake-backend.ts';
import { FakeClock } from './fake-server.ts';
import { ndjson, type Planned, planOf } from './plan-kit.ts';

export class EdgeServer implements SyncServer {
  readonly world = httpWorld();
  /** Requests that write, as `method path`. */
  readonly writes: string[] = [];
  /** Called before each request that writes; what it throws is thrown to the caller. */
  beforeWrite: (request: AskRequest) => Promise<void> | void = () => {};

  async ask(request: AskRequest): Promise<Reply> {
    const { method, path, query = {}, body } = request;
    if (method === 'POST' && query.dry_run !== 'true') {
      await this.beforeWrite(request);
      this.writes.push(`${method} ${path}`);
    }
    const { status, text, headers } = await this.world.send(method, path, { query, ...(body === undefined ? {} : { payload: body }) });
    return replyOf(status, text, (name) => headers[name]);
  }

  async stream({ method, path, query = {} }: AskRequest): Promise<StreamedReply> {
    const { status, text } = await this.world.send(method, path, { query });
    async function* chunks(): AsyncGenerator<Buffer> {
      yield Buffer.from(text);
    }
    return { status, chunks: chunks() };
  }
}

/** Ample, so that no brake is in the way. */
const GENEROUS: Partial<PlanOptions> = { maxMissing: 1, maxMissingCount: 1_000_000, maxErrors: 1 };

export function planned(
  t: TestContext,
  server: SyncServer,
  users: readonly object[],
  options: Partial<PlanOptions> = {},
): Promise<Planned> {
  return planOf(t, ndjson(users), server, { ...GENEROUS, ...options });
}

export interface Applied {
  readonly summary: ApplySummary;
  readonly report: readonly ReportEntry[];
  /** As they were written, oldest first. */
  readonly checkpoints: readonly Checkpoint[];
  readonly talk: readonly string[];
}

/** Applies these lines as the plan that `plan` is; `stop` ends the run early. */
export async function appliedTo(
  t: TestContext,
  server: SyncServer,
  { header, summary }: Pick<Planned, 'header' | 'summary'>,
  lines: readonly PlanLine[],
  options: Partial<ApplyOptions> & { readonly stop?: AbortSignal } = {},
): Promise<Applied> {
  if (header === undefined) throw new Error('there is no plan');
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-plan-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'plan.ndjson');
  const writer = await PlanWriter.create(path, header);
  await writer.add(lines);
  await writer.finish(summary.counts, summary.takenOut);
  const plan = await PlanFile.open(path);
  const report: ReportEntry[] = [];
  const checkpoints: Checkpoint[] = [];
  const talk: string[] = [];
  const never = new AbortController().signal;
  const { stop = never, ...more } = options;
  const done = await applyPlan(
    { concurrency: 2, retryForMs: 60_000, ifUnchanged: false, ...more },
    {
      ...{ plan, server, clock: new FakeClock(), random: () => 0.5, stop, leave: never, onProgress: () => {} },
      onTalk: (text) => talk.push(text),
      report: { isFull: true, add: async (entries) => void report.push(...entries), sync: async () => report.length },
      checkpoints: { write: async (progress, bytes) => void checkpoints.push(checkpointOf(progress, bytes)) },
    },
  );
  await plan.close();
  return { summary: done, report, checkpoints, talk };
}

/** As the command would write it. */
function checkpointOf(progress: Pick<Checkpoint, 'at' | 'counts' | 'finished'>, bytes: number): Checkpoint {
  const place = { plan: '', plan_path: '', is_plan_temporary: false, report: { path: '', bytes }, updated_at: '' };
  return { rosterd_checkpoint: 1, ...place, ...progress };
}
