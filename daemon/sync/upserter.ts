/**
 * Writes batches of users: paced and retried, with refused users taken out.
 *
 * A request whose answer was lost is sent again. That is safe: an upsert that changes nothing is a no-op for the daemon.
 * Every user of a batch comes back exactly once: counted, refused, or not sent.
 */
import { isObject } from '../../protocol/base/json.ts';
import type { Returns } from '../../protocol/users/upsert.ts';
import type { TakenOut } from './counts.ts';
import type { Pacer } from './pacer.ts';
import { briefOf, saysDeletedBySync, takenOutIn } from './refusal.ts';
import { type Retrier, type SentWrite, sendWrite, UNSENT } from './retrier.ts';
import { type BatchUser, type NotAccepted, settleBatch } from './settle-batch.ts';
import type { SourceUser } from './source-user.ts';
import type { Throttle } from './throttle.ts';
import type { AskRequest, Reply, Send } from './transport.ts';

/** The outcome of an upsert, by id. */
export interface Upserted<User extends BatchUser> extends NotAccepted<User> {
  readonly created: string[];
  readonly updated: string[];
  readonly reactivated: string[];
  readonly restored: string[];
  readonly unchanged: string[];
  /** Accepted by a server that does not report what happened to them. */
  readonly sent: string[];
  /** Users that an earlier sync took out and that stay out. They are in one of the other lists too. */
  readonly takenOut: TakenOut[];
}

export interface UpserterOptions<User extends BatchUser> {
  readonly send: Send<User>;
  readonly retrier: Retrier;
  readonly pacer: Pacer;
  readonly throttle?: Throttle | undefined;
  /** Aborted: nothing new is sent. */
  readonly stopping: AbortSignal;
  /** Called when the run cannot go on. */
  readonly onFatal: (reason: string) => void;
}

const CHANGES = ['created', 'updated', 'reactivated', 'restored', 'unchanged'] as const;

export class Upserter<User extends BatchUser> {
  readonly #options: UpserterOptions<User>;

  constructor(options: UpserterOptions<User>) {
    this.#options = options;
  }

  /** Never rejects because of the network or the server; such users end in `refused` or `notSent`. */
  async upsert(users: readonly User[]): Promise<Upserted<User>> {
    const lists = { created: [], updated: [], reactivated: [], restored: [], unchanged: [], sent: [] };
    const done: Upserted<User> = { ...lists, takenOut: [], inDoubt: new Set(), refused: [], notSent: [] };
    const steps = {
      send: (batch: readonly User[]) => this.#send(batch),
      accept: (batch: readonly User[], reply: Reply) => this.#note(done, batch, reply),
      onFatal: this.#options.onFatal,
    };
    await settleBatch(users, steps, done);
    for (const { id, reason } of done.refused) if (saysDeletedBySync(reason)) done.takenOut.push({ id, how: 'deleted' });
    return done;
  }

  #note(done: Upserted<User>, batch: readonly User[], { status, body, text }: Reply): boolean {
    if (body === undefined || !isObject(body.users)) {
      this.#options.onFatal(`the answer is not that of a user directory (status ${status}): ${briefOf({ body, text })}`);
      return false;
    }
    done.takenOut.push(...takenOutIn(body));
    for (const change of CHANGES) {
      const ids: unknown = body[change];
      if (Array.isArray(ids)) done[change].push(...ids);
    }
    const named = new Set(CHANGES.flatMap((change) => done[change]));
    done.sent.push(...batch.flatMap(({ id }) => (named.has(id) ? [] : [id])));
    return true;
  }

  async #send(batch: readonly User[]): Promise<SentWrite> {
    const { send, retrier, pacer, throttle, stopping } = this.#options;
    if (throttle !== undefined && !(await throttle.take(batch.length, stopping))) return UNSENT;
    return await sendWrite(retrier, (leaving) => send(batch, leaving), pacer);
  }
}

/** `POST /users`, with the revisions that users must have, where they are known. */
export function upsertRequest(batch: readonly SourceUser[], returning: Returns = 'leave'): AskRequest {
  const users = batch.map(({ id, json }) => `"${id}":${json}`).join(',');
  const revs = batch.flatMap(({ id, rev }) => (rev === undefined ? [] : [`"${id}":${rev}`]));
  const conditions = revs.length === 0 ? '' : `,"if_rev":{${revs.join(',')}}`;
  // Other servers do not know the option, so it is only sent where it is used.
  const more = returning === 'leave' ? '' : `,"returning":"${returning}"`;
  return { method: 'POST', path: '/users', body: `{"users":{${users}}${conditions}${more}}` };
}

/** Like `upsertRequest`, decided by all rules but not carried out. Only for a server known to be rosterd: another server would write. */
export function dryRunRequest(batch: readonly SourceUser[], returning?: Returns): AskRequest {
  return { ...upsertRequest(batch, returning), query: { dry_run: 'true' } };
}
