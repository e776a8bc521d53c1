/** The directory service as one request has it: what it submits says whose it is, and is carried out once where it has a key. */

import type { TeamUsageQuestion } from '../../../protocol/app/usage.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { Command, Outcome } from '../../../protocol/log/command.ts';
import type { Origin } from '../../../protocol/log/entry.ts';
import type { QuerySpec } from '../../../protocol/users/query.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { TeamUsagePage } from '../../core/app/usage.ts';
import type { RecordsView } from '../../core/directory/frozen-view.ts';
import type { NameCollisions } from '../../core/users/name-collisions.ts';
import type { Lane } from '../../pipeline/write/sequencer.ts';
import type { Caller } from '../auth.ts';
import type { Backend, DirectoryReader, Visibility } from './backend.ts';
import type { Writes } from './idempotency.ts';

/** Where the changes of a request come from. `client`: what the caller says it is. */
export function originOf(caller: Caller, client: string | undefined): Origin {
  return {
    source: caller.kind === 'server' ? 'server' : 'client',
    ...(caller.kind === 'user' ? { by: caller.id } : undefined),
    ...(client === undefined || client === '' ? undefined : { client: client.slice(0, LIMITS.clientNameChars) }),
  };
}

export class RequestBackend implements Backend {
  readonly #backend: Backend;
  readonly #origin: Origin;
  readonly #writes: Writes;
  readonly #onReplay: () => void;

  /** `onReplay`: called when something turns out to have been carried out before. */
  constructor(backend: Backend, origin: Origin, writes: Writes, onReplay: () => void) {
    this.#backend = backend;
    this.#origin = origin;
    this.#writes = writes;
    this.#onReplay = onReplay;
  }

  async submit(command: Command, lane: Lane, origin: Origin = this.#origin): Promise<Outcome> {
    const outcome = await this.#backend.submit(this.#writes.wrapped(command), lane, origin);
    if (outcome.isReplay === true) this.#onReplay();
    return outcome;
  }

  get directory(): DirectoryReader {
    return this.#backend.directory;
  }

  get position(): Position {
    return this.#backend.position;
  }

  get ready(): boolean {
    return this.#backend.ready;
  }

  preview(command: Command): Outcome {
    return this.#backend.preview(command);
  }

  freeze(): RecordsView {
    return this.#backend.freeze();
  }

  query(spec: QuerySpec, visibility: Visibility): Promise<StoredUser[]> {
    return this.#backend.query(spec, visibility);
  }

  nameCollisions(scope: 'app' | 'team'): Promise<NameCollisions> {
    return this.#backend.nameCollisions(scope);
  }

  teamUsage(question: TeamUsageQuestion): Promise<TeamUsagePage> {
    return this.#backend.teamUsage(question);
  }

  online(id: string): boolean {
    return this.#backend.online(id);
  }
}

/** The header with the revision of the one user of an answer, to be sent back as `If-Match`. Several users have none. */
export function tagOf({ users: [first, ...others] }: Outcome): Readonly<Record<string, string>> {
  return first === undefined || others.length > 0 ? {} : { ETag: etag(first.user) };
}

export function etag({ rev }: Pick<StoredUser, 'rev'>): string {
  return `"${rev}"`;
}

/** The one user that a command was about. Throws RosterError as `lost` says. */
export function onlyUser(outcome: Outcome): StoredUser {
  const user = outcome.users[0]?.user;
  if (user === undefined) throw lost(outcome, 'the command named no user');
  return user;
}

/** Throws RosterError `not_found` where an answer would show users that were deleted since the request was carried out. */
export function refuseGone({ gone }: Outcome): void {
  const [first] = gone ?? [];
  if (first === undefined) return;
  throw new RosterError('not_found', `the request was carried out before; the user ${first} was deleted since`);
}

/**
 * Why there is nothing to answer with. After a repeated request it may have gone since the first time, which is no mistake of
 * ours; otherwise it is one, told by `mistake`.
 */
export function lost(outcome: Outcome, mistake: string): RosterError {
  if (outcome.isReplay !== true) return new RosterError('internal', mistake);
  refuseGone(outcome);
  return new RosterError('not_found', 'the request was carried out before; what it made is there no longer');
}
