/** A directory that decides and applies one command after the other. */
import assert from 'node:assert/strict';
import { Directory } from '../../daemon/core/directory/directory.ts';
import { Draft } from '../../daemon/core/directory/draft.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import type { Actor } from '../../protocol/base/actor.ts';
import type { Command, Outcome } from '../../protocol/log/command.ts';
import type { ConnectDetails } from '../../protocol/users/connect.ts';
import { parsePatch } from '../../protocol/users/patch.ts';
import type { StoredUser, UserInput } from '../../protocol/users/user.ts';
import { checkOutcome, decided } from './command-laws.ts';
import { DEFAULT_POLICY } from './default-policy.ts';

/** A directory that decides and applies one command at a time, at times of its own. */
export class Bench {
  readonly directory = new Directory({ epoch: 'test', seq: 0 });
  readonly policy: Policy;
  #now = 1_000;

  constructor(policy: Partial<Policy> = {}) {
    this.policy = { ...DEFAULT_POLICY, ...policy };
  }

  /** `by`: the client that sends the command; without one, a server does. */
  run(command: Command, by?: string): Outcome {
    const draft = new Draft(this.directory);
    if (by !== undefined) draft.begin({ source: 'client', by });
    this.#now += 1_000;
    const outcome = decided(draft, command, this.#now, this.policy);
    if (draft.facts.length > 0) {
      this.directory.apply({ id: `e${this.#now}`, time: this.#now, facts: draft.facts, first: this.directory.seq + 1 });
    }
    checkOutcome(command, outcome, draft.facts, this.directory);
    return outcome;
  }

  upsert(users: readonly (Partial<UserInput> & { id: string })[], actor: Actor = { kind: 'server' }): Outcome {
    return this.run({ kind: 'upsert', actor, users: users.map((user) => ({ custom: {}, ...user })), problems: [] });
  }

  patch(id: string, set: unknown, unset: unknown = [], actor: Actor = { kind: 'server' }): Outcome {
    const patch = parsePatch(set, unset, `users[${id}]`);
    assert.ok(!Array.isArray(patch), JSON.stringify(patch));
    return this.run({ kind: 'patch', actor, patches: [{ id, patch }], problems: [] });
  }

  connect(id: string, details: Partial<ConnectDetails> = {}): Outcome {
    return this.run({ kind: 'connect', id, details: { custom: {}, ...details } });
  }

  user(id: string): StoredUser {
    const user = this.directory.user(id);
    assert.ok(user, `${id} does not exist`);
    return user;
  }
}

/** The ids of these rows of an index. */
export function idsOf(directory: Directory, rows: Iterable<number>): string[] {
  return Array.from(directory.bytes.viewsOf(rows), ({ id }) => id);
}
