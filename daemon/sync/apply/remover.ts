/**
 * Removes batches of users: the request, the task that it becomes, and what the task says of each user.
 *
 * Sent again it does no harm: who is gone already, or deactivated, counts as unchanged.
 */
import { isObject, parseObject } from '../../../protocol/base/json.ts';
import type { Clock } from '../../base/clock.ts';
import { formatDuration } from '../../base/duration.ts';
import { carry } from '../carry.ts';
import type { Exchanger } from '../exchanger.ts';
import type { Pacer } from '../pacer.ts';
import type { Removal } from '../plan/plan-lines.ts';
import type { AskRequest, PlanServer } from '../plan/plan-types.ts';
import { isPrecondition, messageOf } from '../refusal.ts';
import type { Failure } from '../source.ts';
import type { Throttle } from '../throttle.ts';
import type { Answer } from '../transport.ts';
import type { RemovalBatch, RemovalUser } from './plan-batches.ts';

const POLL_MS = 100;
const POLL_MS_MAX = 2_000;

/** What became of users, by id. */
export interface Removed {
  readonly done: string[];
  readonly unchanged: string[];
  /** Accepted by a server that does not say what became of them. */
  readonly sent: string[];
  readonly failures: Failure[];
  readonly notSent: RemovalUser[];
}

export interface RemoverOptions {
  readonly ask: PlanServer['ask'];
  readonly exchanger: Exchanger;
  /** For questions about what is under way: they go on while nothing new is begun. */
  readonly finishing: Exchanger;
  readonly removals: Pacer;
  readonly tasks: Pacer;
  readonly throttle?: Throttle;
  /** Known to be gone, or deactivated, before: that the task finds nothing wrong with them does not mean that it did something. */
  readonly removed: ReadonlySet<string>;
  readonly clock: Clock;
  /** How long a task may take. */
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

  /** Never rejects because of the network or the server; that ends in `failures` or `notSent`. */
  async remove({ removal, users }: RemovalBatch): Promise<Removed> {
    const { onFatal, removed: known } = this.#options;
    // Who was only marked as deleted is gone too, but a hard delete has still something to erase: that the daemon has to say.
    const isSettled = ({ id }: RemovalUser) => removal !== 'hard-delete' && known.has(id);
    const unchanged = users.filter(isSettled).map(({ id }) => id);
    const removed: Removed = { done: [], unchanged, sent: [], failures: [], notSent: [] };
    const exchange = (batch: readonly RemovalUser[]) => this.#send(removal, batch);
    const accept = (batch: readonly RemovalUser[], answer: Answer) => this.#follow(removal, batch, answer, removed);
    const rest = unchanged.length === 0 ? users : users.filter((user) => !isSettled(user));
    await carry(rest, { exchange, accept, onFatal }, removed);
    return removed;
  }

  async #send(removal: Removal, batch: readonly RemovalUser[]): Promise<Answer | undefined> {
    const { ask, exchanger, removals, throttle, stopping } = this.#options;
    if (throttle !== undefined && !(await throttle.take(batch.length, stopping))) return undefined;
    const request = removalRequest(removal, batch);
    return await exchanger.exchange((leaving) => ask(request, leaving), removals);
  }

  /** Waits for the end of the task. False when it is not known, so that the users are asked for again. */
  async #follow(removal: Removal, batch: readonly RemovalUser[], answer: Answer, removed: Removed): Promise<boolean> {
    const { ask, finishing, tasks, clock, patienceMs, leaving, onFatal, removed: known } = this.#options;
    const id = parseObject(answer.body)?.task_id;
    if (typeof id !== 'string') {
      onFatal(`the answer is not that of a user directory (status ${answer.status}): ${messageOf(answer).slice(0, 200)}`);
      return false;
    }
    const request = { method: 'GET', path: `/tasks/${encodeURIComponent(id)}` } as const;
    const startedMs = clock.now();
    for (let waitMs = POLL_MS; ; waitMs = Math.min(POLL_MS_MAX, waitMs * 2)) {
      const told = await finishing.exchange((signal) => ask(request, signal), tasks);
      if (told === undefined) return false;
      const task = parseObject(told.body);
      if (told.status >= 300 || task?.status === 'failed') {
        const reason = `the task ${id} failed: ${told.status >= 300 ? messageOf(told) : reasonOf(task?.error)}`;
        for (const user of batch) removed.failures.push({ line: user.line, id: user.id, code: told.status, reason });
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

/** Ids of users are safe as JSON keys, but only `JSON.stringify` knows it all. */
function removalRequest(removal: Removal, batch: readonly RemovalUser[]): AskRequest {
  const revs = batch.flatMap(({ id, rev }) => (rev === undefined ? [] : [[id, rev] as const]));
  const body = {
    user_ids: batch.map(({ id }) => id),
    ...(removal === 'deactivate' ? undefined : { user: removal === 'hard-delete' ? 'hard' : 'soft' }),
    ...(revs.length === 0 ? undefined : { if_rev: Object.fromEntries(revs) }),
  };
  return { method: 'POST', path: removal === 'deactivate' ? '/users/deactivate' : '/users/delete', body: JSON.stringify(body) };
}

/** `told` is what the task says of one user: `{status: "ok"}` or `{status: "error", error}`. */
function note(removed: Removed, removal: Removal, { id, line }: RemovalUser, wasSo: boolean, told: unknown): void {
  const { done, unchanged, sent, failures } = removed;
  if (!isObject(told)) sent.push(id);
  else if (told.status === 'ok') (wasSo ? unchanged : done).push(id);
  else {
    const reason = typeof told.error === 'string' ? told.error : 'refused';
    if (isSoAlready(removal, reason)) unchanged.push(id);
    // Who was deleted by somebody else is no longer what the plan was made for.
    else failures.push({ line, id, code: 4, reason, ...(isPrecondition(reason) || isGone(reason) ? { isPrecondition: true } : undefined) });
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
