/** A directory that decides and applies one command at a time, at times that the test sets: the bench of rules that know what time it is. */
import assert from 'node:assert/strict';
import { Directory } from '../../daemon/core/directory/directory.ts';
import { Draft } from '../../daemon/core/directory/draft.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import type { SettingsCommand } from '../../protocol/app/settings.ts';
import type { Actor } from '../../protocol/base/actor.ts';
import type { Micros } from '../../protocol/base/time.ts';
import type { Command, Outcome } from '../../protocol/log/command.ts';
import type { Entry, Fact } from '../../protocol/log/entry.ts';
import type { ConnectDetails } from '../../protocol/users/connect.ts';
import { type DeleteMode, HARD_OPTIONS } from '../../protocol/users/delete-options.ts';
import type { UpsertCommand } from '../../protocol/users/upsert.ts';
import type { StoredUser, UserInput } from '../../protocol/users/user.ts';
import { checkOutcome, decided } from './command-laws.ts';
import { DEFAULT_POLICY } from './default-policy.ts';

const STEP: Micros = 1_000;

export class RulesBench {
  readonly directory = new Directory({ epoch: 'test', seq: 0 });
  readonly policy: Policy;
  /** Everything that was applied: what a log would hold. */
  readonly entries: Entry[] = [];
  #now: Micros;

  constructor(policy: Partial<Policy> = {}, start = '2026-11-21T10:00:00Z') {
    this.policy = { ...DEFAULT_POLICY, ...policy };
    this.#now = micros(start);
  }

  get now(): Micros {
    return this.#now;
  }

  /** Sets the time of the next command. */
  at(time: string | Micros): this {
    this.#now = (typeof time === 'string' ? micros(time) : time) - STEP;
    return this;
  }

  /** `by`: the client that sends the command; without one, a server does. */
  run(command: Command, by?: string): Outcome {
    const draft = new Draft(this.directory);
    if (by !== undefined) draft.begin({ source: 'client', by });
    this.#now += STEP;
    const outcome = decided(draft, command, this.#now, this.policy);
    if (draft.facts.length > 0) {
      const entry = { id: `e${this.entries.length}`, time: this.#now, facts: draft.facts, first: this.directory.seq + 1 };
      this.entries.push(entry);
      this.directory.apply(entry);
    }
    checkOutcome(command, outcome, draft.facts, this.directory);
    return outcome;
  }

  /** The facts that `act` adds to the log. */
  factsOf(act: () => unknown): readonly Fact[] {
    const before = this.entries.length;
    act();
    return this.entries.slice(before).flatMap(({ facts }) => facts);
  }

  upsert(
    users: readonly (Partial<UserInput> & { id: string })[],
    variant: Partial<UpsertCommand> = {},
    actor: Actor = { kind: 'server' },
  ): Outcome {
    return this.run({ kind: 'upsert', actor, users: users.map((user) => ({ custom: {}, ...user })), problems: [], ...variant });
  }

  connect(id: string, details: Partial<ConnectDetails> = {}): Outcome {
    return this.run({ kind: 'connect', id, details: { custom: {}, ...details } });
  }

  delete(id: string, mode: DeleteMode = 'soft'): Outcome {
    return this.run({ kind: 'delete', ids: [id], mode, options: mode === 'hard' ? HARD_OPTIONS : {} });
  }

  settings(set: SettingsCommand['set']): Outcome {
    return this.run({ kind: 'settings', set });
  }

  user(id: string): StoredUser {
    const user = this.directory.user(id);
    assert.ok(user, `${id} does not exist`);
    return user;
  }
}

export function micros(time: string): Micros {
  return Date.parse(time) * 1000;
}
