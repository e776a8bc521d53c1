/**
 * A batch until everyone in it is settled: those that the daemon refuses are taken out one by one, and the others sent again.
 * Everyone comes back exactly once: accepted, as a failure, or as not sent.
 */
import { type Reason, readRefusal } from './refusal.ts';
import type { Failure } from './source.ts';
import type { Answer } from './transport.ts';

/** Whoever can be in a batch. `line` is where it stands in the source. */
export interface Passenger {
  readonly line: number;
  readonly id: string;
}

export interface Journey<User extends Passenger> {
  /** Sends these. Undefined: the run ended before there was an answer. */
  readonly exchange: (batch: readonly User[]) => Promise<Answer | undefined>;
  /** Takes the answer to a batch that was accepted. False: it is no such answer, and the run ends. */
  readonly accept: (batch: readonly User[], answer: Answer) => boolean | Promise<boolean>;
  /** Called when the run cannot go on. */
  readonly onFatal: (reason: string) => void;
}

export interface Carried<User extends Passenger> {
  readonly failures: Failure[];
  readonly notSent: User[];
}

/** Adds to `carried` whoever was not accepted. */
export async function carry<User extends Passenger>(
  users: readonly User[],
  { exchange, accept, onFatal }: Journey<User>,
  carried: Carried<User>,
): Promise<void> {
  const waiting: (readonly User[])[] = [users];
  for (let batch = waiting.pop(); batch !== undefined; batch = waiting.pop()) {
    if (batch.length === 0) continue;
    const answer = await exchange(batch);
    if (answer === undefined) carried.notSent.push(...batch);
    else if (answer.status >= 300) waiting.push(...takeOut(batch, answer, carried, onFatal));
    else if (!(await accept(batch, answer))) carried.notSent.push(...batch);
  }
}

/** What is left to send of a batch that was refused. */
function takeOut<User extends Passenger>(
  batch: readonly User[],
  answer: Answer,
  { failures, notSent }: Carried<User>,
  onFatal: (reason: string) => void,
): readonly (readonly User[])[] {
  const refusal = readRefusal(answer, batch);
  switch (refusal.kind) {
    case 'named': {
      const { reasons } = refusal;
      for (const user of batch) fail(failures, user, reasons.get(user.id));
      return [batch.filter(({ id }) => !reasons.has(id))];
    }
    case 'unnamed': {
      const [only] = batch;
      if (batch.length > 1 || only === undefined) {
        const middle = Math.ceil(batch.length / 2);
        return [batch.slice(middle), batch.slice(0, middle)];
      }
      fail(failures, only, refusal.reason);
      return [];
    }
    case 'fatal':
      notSent.push(...batch);
      onFatal(refusal.reason);
      return [];
  }
}

function fail(failures: Failure[], { line, id }: Passenger, why: Reason | undefined): void {
  if (why !== undefined) failures.push({ line, id, ...why });
}
