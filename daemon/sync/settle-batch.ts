/**
 * Sends a batch until all its users are settled: refused users are taken out, and the others are sent again.
 * Every user comes back exactly once: accepted, refused, or not sent.
 */
import { type Refusal, type RefusalReason, readRefusal } from './refusal.ts';
import type { SentWrite } from './retrier.ts';
import type { Reply } from './transport.ts';

/** A user of a batch. `line` is its place in the source or the plan. */
export interface BatchUser {
  readonly line: number;
  readonly id: string;
}

/** A user that the daemon did not accept, and why. */
export type RefusedUser = BatchUser & RefusalReason;

export interface BatchSteps<User extends BatchUser> {
  readonly send: (batch: readonly User[]) => Promise<SentWrite>;
  /** Takes the answer to a batch that was accepted. False: the answer is not a valid one, and the run ends. */
  readonly accept: (batch: readonly User[], reply: Reply) => boolean | Promise<boolean>;
  /** Called when the run cannot go on. */
  readonly onFatal: (reason: string) => void;
}

export interface NotAccepted<User extends BatchUser> {
  readonly refused: RefusedUser[];
  readonly notSent: User[];
  /** Those of `notSent` that may be stored: they were sent, and no answer says what became of them. */
  readonly inDoubt: Set<string>;
}

/** Adds the users that were not accepted to `rest`. */
export async function settleBatch<User extends BatchUser>(
  users: readonly User[],
  { send, accept, onFatal }: BatchSteps<User>,
  rest: NotAccepted<User>,
): Promise<void> {
  const waiting: (readonly User[])[] = [users];
  for (let batch = waiting.pop(); batch !== undefined; batch = waiting.pop()) {
    if (batch.length === 0) continue;
    const { reply, isInDoubt } = await send(batch);
    if (reply === undefined) leave(batch, isInDoubt, rest);
    else if (reply.status >= 300) {
      const refusal = readRefusal(reply, batch);
      if (refusal.kind !== 'fatal') waiting.push(...takeOut(batch, refusal, rest));
      else {
        leave(batch, isInDoubt, rest);
        onFatal(refusal.reason);
      }
    } else if (!(await accept(batch, reply))) leave(batch, true, rest);
  }
}

function leave<User extends BatchUser>(batch: readonly User[], isInDoubt: boolean, { notSent, inDoubt }: NotAccepted<User>): void {
  notSent.push(...batch);
  if (isInDoubt) for (const { id } of batch) inDoubt.add(id);
}

/** The users of a refused batch that are still to be sent. */
function takeOut<User extends BatchUser>(
  batch: readonly User[],
  refusal: Exclude<Refusal, { readonly kind: 'fatal' }>,
  { refused }: NotAccepted<User>,
): readonly (readonly User[])[] {
  if (refusal.kind === 'named') {
    const { reasons } = refusal;
    for (const user of batch) refuse(refused, user, reasons.get(user.id));
    return [batch.filter(({ id }) => !reasons.has(id))];
  }
  const [only] = batch;
  if (batch.length > 1 || only === undefined) {
    const middle = Math.ceil(batch.length / 2);
    return [batch.slice(middle), batch.slice(0, middle)];
  }
  refuse(refused, only, refusal.reason);
  return [];
}

function refuse(refused: RefusedUser[], { line, id }: BatchUser, why: RefusalReason | undefined): void {
  if (why !== undefined) refused.push({ line, id, ...why });
}
