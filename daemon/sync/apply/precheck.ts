/**
 * The check before anything is written: is this the directory that the plan was made for, and are its users unchanged?
 * The check only prevents half-applied plans: every write still names its revision.
 */
import { errorText } from '../../../protocol/base/errors.ts';
import { isObject } from '../../../protocol/base/json.ts';
import type { Position } from '../../../protocol/base/position.ts';
import { inOrder } from '../in-order.ts';
import type { Pacer } from '../pacer.ts';
import type { PlanFile } from '../plan/plan-file.ts';
import { type PlanWrite, type Removal, removalsOf } from '../plan/plan-lines.ts';
import { briefOf, isPrecondition } from '../refusal.ts';
import type { Retrier } from '../retrier.ts';
import type { SourceUser } from '../source-user.ts';
import type { Reply, SyncServer } from '../transport.ts';
import { dryRunRequest } from '../upserter.ts';
import type { StaleUser } from './apply-types.ts';
import { Revisions, readRevisions } from './revisions.ts';

/** Largest number of changed users that are named. */
const NAMED_MAX = 10;
const BATCH_USERS = 100;

export interface PrecheckOptions {
  readonly plan: PlanFile;
  /** The lines up to this one are done. */
  readonly afterAt: number;
  /** Changed users do not refuse the plan. */
  readonly ifUnchanged: boolean;
  readonly server: SyncServer;
  readonly retrier: Retrier;
  readonly concurrency: number;
  readonly writes: Pacer;
  readonly reads: Pacer;
  readonly stopping: AbortSignal;
  readonly onTalk: (text: string) => void;
}

export type Prechecked =
  /** `removed`: users that the plan removes and that are already removed or deactivated. */
  | { readonly kind: 'fine'; readonly removed: ReadonlySet<string> }
  /** `stale` is empty unless changed users are the reason. */
  | { readonly kind: 'refused'; readonly problems: readonly string[]; readonly staleCount: number; readonly stale: readonly StaleUser[] }
  /** The run was stopped or gave up before there was an answer. */
  | { readonly kind: 'ended' };

const FINE: Prechecked = { kind: 'fine', removed: new Set() };
const ENDED: Prechecked = { kind: 'ended' };

function refused(problem: string): Prechecked {
  return { kind: 'refused', problems: [problem], staleCount: 0, stale: [] };
}

export async function precheck(options: PrecheckOptions): Promise<Prechecked> {
  const { plan, ifUnchanged, onTalk } = options;
  const { base } = plan.header;
  if (base === null) {
    onTalk(
      'the server is not rosterd: whether users changed since the plan was made could not be checked, and their changes are overwritten',
    );
    return FINE;
  }
  const reply = await ask(options, '/sync/position');
  if (reply === undefined) return ENDED;
  const found = positionOf(reply);
  if (found === undefined) {
    return refused(
      `the server does not tell its position (status ${reply.status}: ${briefOf(reply)}), so it is not the one that the plan was made for`,
    );
  }
  const problem = foreignProblem(base, found);
  if (problem !== undefined) return refused(problem);
  // Nothing was written since, so no user can have changed.
  if (found.seq === base.seq) return FINE;
  // Writes report the users that are already as planned; removals do not.
  if (ifUnchanged && removalsOf(plan.trailer.counts) === 0) return FINE;
  return await checkUsers(options);
}

function positionOf(reply: Reply): Position | undefined {
  const body = reply.status === 200 ? reply.body : undefined;
  return typeof body?.epoch === 'string' && typeof body.seq === 'number' ? { epoch: body.epoch, seq: body.seq } : undefined;
}

function foreignProblem(base: Position, found: Position): string | undefined {
  if (found.epoch !== base.epoch)
    return `the plan was made for another directory (${base.epoch}, this is ${found.epoch}): it is another daemon, or its data was restored or made anew. Plan again`;
  if (found.seq < base.seq)
    return `the directory stands at position ${found.seq}, the plan was made at ${base.seq}: its data was put back to an earlier state. Plan again`;
  return undefined;
}

/** Finds users with another revision in one list. Those are asked for singly, because they may already be as planned. */
async function checkUsers(options: PrecheckOptions): Promise<Prechecked> {
  const { plan, afterAt, server, retrier, reads } = options;
  const revisions = new Revisions();
  for await (const lines of plan.lines()) for (const { at, line } of lines) if (at > afterAt && !('error' in line)) revisions.add(line.id);
  const reply = await retrier.request((signal) => readRevisions(server, revisions, signal), reads);
  if (reply === undefined) return ENDED;
  if (reply.status !== 200) return refused(`the users cannot be listed (status ${reply.status}: ${briefOf(reply)})`);
  const check = new StaleCheck(options, revisions);
  const isDone = await check.run();
  if (check.problem !== undefined) return refused(check.problem);
  if (!isDone) return ENDED;
  return check.count === 0
    ? { kind: 'fine', removed: check.removed }
    : { kind: 'refused', problems: [], staleCount: check.count, stale: check.first };
}

/** A user to write that had this revision when the plan was made. */
type Suspect = SourceUser & { readonly rev: number };

class StaleCheck {
  count = 0;
  readonly first: StaleUser[] = [];
  readonly removed = new Set<string>();
  problem: string | undefined;
  readonly #options: PrecheckOptions;
  readonly #revisions: Revisions;
  readonly #ended = new AbortController();

  constructor(options: PrecheckOptions, revisions: Revisions) {
    this.#options = options;
    this.#revisions = revisions;
  }

  /** False when the check could not be finished. */
  async run(): Promise<boolean> {
    const isDone = await inOrder({
      batches: this.#suspects(),
      concurrency: this.#options.concurrency,
      work: (batch) => this.#ask(batch),
      settle: async (batch, reply) => reply !== undefined && this.#take(batch, reply),
      stopping: AbortSignal.any([this.#options.stopping, this.#ended.signal]),
      onError: (error) => this.#end(errorText(error)),
    });
    return isDone && !this.#options.stopping.aborted;
  }

  /** Users to write that have another revision. Removals are judged by the list alone. */
  async *#suspects(): AsyncGenerator<readonly Suspect[]> {
    const { plan, afterAt, ifUnchanged } = this.#options;
    let batch: Suspect[] = [];
    for await (const lines of plan.lines()) {
      for (const { at, line } of lines) {
        if (at <= afterAt || 'error' in line || line.rev === null) continue;
        const { rev, isDeactivated } = this.#revisions.get(line.id);
        if (rev === line.rev) continue;
        const isWrite = 'user' in line;
        if (!isWrite && isRemovedAlready(line.do, rev, isDeactivated)) this.removed.add(line.id);
        else if (ifUnchanged) continue;
        // Somebody else took this user out meanwhile: an upsert would find nothing to do and leave it out.
        else if (line.do === 'reactivate' && isDeactivated) this.#found(line.id, line.rev, rev);
        else if (isWrite) {
          batch.push(asUser(line, line.rev));
          if (batch.length < BATCH_USERS) continue;
          yield batch;
          batch = [];
        } else this.#found(line.id, line.rev, rev);
      }
    }
    if (batch.length > 0) yield batch;
  }

  async #ask(batch: readonly Suspect[]): Promise<Reply | undefined> {
    const { plan, server, retrier, writes } = this.#options;
    return await retrier.request((signal) => server.ask(dryRunRequest(batch, plan.header.options.returning), signal), writes);
  }

  /** Looks only at revisions: other errors of a user show when it is written. */
  #take(batch: readonly Suspect[], reply: Reply): boolean {
    const { body } = reply;
    if (reply.status >= 300 || body === undefined || !Array.isArray(body.errors)) {
      this.#end(`the users cannot be compared (status ${reply.status}: ${briefOf(reply)})`);
      return false;
    }
    const planned = new Map(batch.map(({ id, rev }) => [id, rev]));
    for (const error of body.errors) {
      if (!isObject(error) || typeof error.path !== 'string' || typeof error.message !== 'string') continue;
      const id = /^users\[([^\]]*)\]$/.exec(error.path)?.[1] ?? '';
      const rev = planned.get(id);
      if (rev !== undefined && isPrecondition(error.message)) this.#found(id, rev, this.#revisions.get(id).rev);
    }
    return true;
  }

  #found(id: string, planned: number, found: number): void {
    this.count++;
    if (this.first.length < NAMED_MAX) this.first.push({ id, planned, found });
  }

  #end(problem: string): void {
    this.problem ??= problem;
    this.#ended.abort();
  }
}

function asUser({ line, id, user }: PlanWrite, rev: number): Suspect {
  const json = JSON.stringify(user);
  return { line, id, json, bytes: Buffer.byteLength(json), rev };
}

function isRemovedAlready(removal: Removal, rev: number, isDeactivated: boolean): boolean {
  return removal === 'deactivate' ? isDeactivated : rev === 0;
}

async function ask({ server, retrier, reads }: PrecheckOptions, path: string): Promise<Reply | undefined> {
  return await retrier.request((signal) => server.ask({ method: 'GET', path }, signal), reads);
}
