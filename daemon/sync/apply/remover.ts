/**
 * Removes batches of users: sends the request, follows its task, and reads the task's result for each user.
 *
 * Sending a batch again does no harm: users that are already removed or deactivated count as unchanged.
 */
import { isObject } from '../../../protocol/base/json.ts';
import { HARD_OPTIONS } from '../../../protocol/users/delete-options.ts';
import type { Clock } from '../../base/clock.ts';
import { formatDuration } from '../../base/duration.ts';
import type { SyncTotals } from '../counts.ts';
import type { Pacer } from '../pacer.ts';
import type { Removal } from '../plan/plan-lines.ts';
import { briefOf, isPrecondition, messageOf } from '../refusal.ts';
import { type ReportEntry, refusedEntry } from '../report.ts';
import { type Retrier, type SentWrite, sendWrite, UNSENT } from '../retrier.ts';
import { type NotAccepted, settleBatch } from '../settle-batch.ts';
import type { Throttle } from '../throttle.ts';
import type { AskRequest, Reply, SyncServer } from '../transport.ts';
import type { RemovalBatch, RemovalUser } from './plan-batches.ts';

const POLL_MS = 100;
const POLL_MS_MAX = 2_000;

/** The outcome of a removal, by id. */
export interface Removed extends NotAccepted<RemovalUser> {
  readonly done: string[];
  readonly unchanged: string[];
  /** Accepted by a server that does not report what happened to them. */
  readonly sent: string[];
}

export interface RemoverOptions {
  readonly ask: SyncServer['ask'];
  readonly retrier: Retrier;
  /** For questions about requests under way: these continue after nothing new is begun. */
  readonly finishing: Retrier;
  readonly removals: Pacer;
  readonly tasks: Pacer;
  readonly throttle: Throttle | undefined;
  /** Users known to be removed or deactivated before. A task that reports no error for them did not necessarily do anything. */
  readonly removed: ReadonlySet<string>;
  readonly clock: Clock;
  /** Longest time that a task may take. */
  readonly patienceMs: number;
  readonly stopping: AbortSignal;
  readonly leaving: AbortSignal;
  readonly onFatal: (reason: string) => void;
}

export class Remover {
  readonly #options: RemoverOptions;

  constructor(options: RemoverOptions) {
    this.#options = options;
  }

  /** Never rejects because of the network or the server; such users end in `refused` or `notSent`. */
  async remove({ removal, users }: RemovalBatch): Promise<Removed> {
    const { onFatal, removed: known } = this.#options;
    // A soft-deleted user counts as deleted already, but a hard delete still has data to erase: the daemon decides that.
    const isSettled = ({ id }: RemovalUser) => removal !== 'hard-delete' && known.has(id);
    const unchanged = users.filter(isSettled).map(({ id }) => id);
    const removed: Removed = { done: [], unchanged, sent: [], refused: [], notSent: [], inDoubt: new Set() };
    const send = (batch: readonly RemovalUser[]) => this.#send(removal, batch);
    const accept = (batch: readonly RemovalUser[], reply: Reply) => this.#follow(removal, batch, reply, removed);
    const rest = unchanged.length === 0 ? users : users.filter((user) => !isSettled(user));
    await settleBatch(rest, { send, accept, onFatal }, removed);
    return removed;
  }

  async #send(removal: Removal, batch: readonly RemovalUser[]): Promise<SentWrite> {
    const { ask, retrier, removals, throttle, stopping } = this.#options;
    if (throttle !== undefined && !(await throttle.take(batch.length, stopping))) return UNSENT;
    const request = removalRequest(removal, batch);
    return await sendWrite(retrier, (leaving) => ask(request, leaving), removals);
  }

  /** Waits for the end of the task. False when the end is unknown, so that the users are asked for again. */
  async #follow(removal: Removal, batch: readonly RemovalUser[], reply: Reply, removed: Removed): Promise<boolean> {
    const { ask, finishing, tasks, clock, patienceMs, leaving, onFatal, removed: known } = this.#options;
    const id = reply.body?.task_id;
    if (typeof id !== 'string') {
      onFatal(`the answer is not that of a user directory (status ${reply.status}): ${briefOf(reply)}`);
      return false;
    }
    const request = { method: 'GET', path: `/tasks/${encodeURIComponent(id)}` } as const;
    const startedMs = clock.now();
    for (let waitMs = POLL_MS; ; waitMs = Math.min(POLL_MS_MAX, waitMs * 2)) {
      const told = await finishing.request((signal) => ask(request, signal), tasks);
      if (told === undefined) return false;
      const task = told.body;
      if (told.status >= 300 || task?.status === 'failed') {
        const reason = `the task ${id} failed: ${told.status >= 300 ? messageOf(told) : reasonOf(task?.error)}`;
        for (const user of batch) removed.refused.push({ line: user.line, id: user.id, code: told.status, reason });
        return true;
      }
      if (task?.status === 'completed') {
        for (const user of batch)
          note(removed, removal, user, known.has(user.id), isObject(task.result) ? task.result[user.id] : undefined);
        return true;
      }
      if (clock.now() + waitMs - startedMs > patienceMs) {
        onFatal(`the task ${id} was not done within ${formatDuration(patienceMs)}`);
        return false;
      }
      await clock.sleep(waitMs, leaving);
    }
  }
}

/** The mode of a removal. A hard delete requires that nothing of the user stays. */
const BODIES: Readonly<Record<Removal, object>> = {
  deactivate: {},
  'soft-delete': { user: 'soft' },
  'hard-delete': { user: 'hard', ...HARD_OPTIONS },
};

/** Ids of users are safe as JSON keys; `JSON.stringify` quotes them in any case. */
function removalRequest(removal: Removal, batch: readonly RemovalUser[]): AskRequest {
  const revs = batch.flatMap(({ id, rev }) => (rev === undefined ? [] : [[id, rev] as const]));
  const body = {
    user_ids: batch.map(({ id }) => id),
    ...BODIES[removal],
    ...(revs.length === 0 ? undefined : { if_rev: Object.fromEntries(revs) }),
    // A later sync may bring back only the users that a sync took out.
    ...(removal === 'hard-delete' ? undefined : { by_sync: true }),
  };
  return { method: 'POST', path: removal === 'deactivate' ? '/users/deactivate' : '/users/delete', body: JSON.stringify(body) };
}

/** `told` is the task's result for one user: `{status: "ok"}` or `{status: "error", error}`. */
function note(removed: Removed, removal: Removal, { id, line }: RemovalUser, wasSo: boolean, told: unknown): void {
  const { done, unchanged, sent, refused } = removed;
  if (!isObject(told)) sent.push(id);
  else if (told.status === 'ok') (wasSo ? unchanged : done).push(id);
  else {
    const reason = typeof told.error === 'string' ? told.error : 'refused';
    if (isSoAlready(removal, reason)) unchanged.push(id);
    // Somebody else deleted this user: it is no longer the user that the plan was made for.
    else refused.push({ line, id, code: 4, reason, ...(isPrecondition(reason) || isGone(reason) ? { isPrecondition: true } : undefined) });
  }
}

function isSoAlready(removal: Removal, reason: string): boolean {
  return removal === 'deactivate' ? /is already deactivated$/.test(reason) : isGone(reason);
}

function isGone(reason: string): boolean {
  return /(does not exist|was deleted)$/.test(reason);
}

function reasonOf(error: unknown): string {
  return isObject(error) && typeof error.description === 'string' ? error.description : 'no explanation';
}

const COUNT: Readonly<Record<Removal, 'deactivated' | 'soft_deleted' | 'hard_deleted'>> = {
  deactivate: 'deactivated',
  'soft-delete': 'soft_deleted',
  'hard-delete': 'hard_deleted',
};

/** Report lines for a batch of users to remove, in its order. Adds to `counts`. */
export function removalEntries({ removal, users }: RemovalBatch, removed: Removed, counts: SyncTotals): ReportEntry[] {
  const [done, sent] = [new Set(removed.done), new Set(removed.sent)];
  const refused = new Map(removed.refused.map((user) => [user.id, user]));
  const entries: ReportEntry[] = [];
  for (const { id } of users) {
    const user = refused.get(id);
    const result = done.has(id) ? COUNT[removal] : sent.has(id) ? 'sent' : 'unchanged';
    if (user !== undefined) entries.push(refusedEntry(user, counts));
    else {
      counts[result]++;
      if (result !== 'unchanged') entries.push({ id, result });
    }
  }
  return entries;
}
