/**
 * Sends a batch until all its users are settled: refused users are taken out, and the others are sent again.
 * Every user comes back exactly once: accepted, refused, or not sent.
 */
import { type RefusalReason, readRefusal } from './refusal.ts';
import type { Reply } from './transport.ts';

/** A user of a batch. `line` is its place in the source or the plan. */
export interface BatchUser {
  readonly line: number;
  readonly id: string;
}

/** A user that the daemon did not accept, and why. */
export type RefusedUser = BatchUser & RefusalReason;

export interface BatchSteps<User extends BatchUser> {
  /** Sends these users. Undefined: the run ended before there was an answer. */
  readonly send: (batch: readonly User[]) => Promise<Reply | undefined>;
  /** Takes the answer to a batch that was accepted. False: the answer is not a valid one, and the run ends. */
  readonly accept: (batch: readonly User[], reply: Reply) => boolean | Promise<boolean>;
  /** Called when the run cannot go on. */
  readonly onFatal: (reason: string) => void;
}

export interface NotAccepted<User extends BatchUser> {
  readonly refused: RefusedUser[];
  readonly notSent: User[];
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
    const reply = await send(batch);
    if (reply === undefined) rest.notSent.push(...batch);
    else if (reply.status >= 300) waiting.push(...takeOut(batch, reply, rest, onFatal));
    else if (!(await accept(batch, reply))) rest.notSent.push(...batch);
  }
}

/** The users of a refused batch that are still to be sent. */
function takeOut<User extends BatchUser>(
  batch: readonly User[],
  reply: Reply,
  { refused, notSent }: NotAccepted<User>,
  onFatal: (reason: string) => void,
): readonly (readonly User[])[] {
  const refusal = readRefusal(reply, batch);
  switch (refusal.kind) {
    case 'named': {
      const { reasons } = refusal;
      for (const user of batch) refuse(refused, user, reasons.get(user.id));
      return [batch.filter(({ id }) => !reasons.has(id))];
    }
    case 'unnamed': {
      const [only] = batch;
      if (batch.length > 1 || only === undefined) {
        const middle = Math.ceil(batch.length / 2);
        return [batch.slice(middle), batch.slice(0, middle)];
      }
      refuse(refused, only, refusal.reason);
      return [];
    }
    case 'fatal':
      notSent.push(...batch);
      onFatal(refusal.reason);
      return [];
  }
}

function refuse(refused: RefusedUser[], { line, id }: BatchUser, why: RefusalReason | undefined): void {
  if (why !== undefined) refused.push({ line, id, ...why });
}
