/**
 * The parties of a request: its origin in the log, the actor of its commands, the user it acts for, and what its caller may see of others.
 */
import { isInSight } from '../../../protocol/access/tenancy.ts';
import type { Actor } from '../../../protocol/base/actor.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import type { Origin } from '../../../protocol/log/entry.ts';
import { type Reader, type Rendered, renderUserIn, type UserAside } from '../../../protocol/users/render.ts';
import { Embedded } from '../../../protocol/users/short-form.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { Lane } from '../../pipeline/write/sequencer.ts';
import type { Reading } from './backend.ts';

/** The origin of the changes of a request. `client`: the name that the caller gives itself. */
export function originOf(caller: Caller, client: string | undefined): Origin {
  return {
    source: caller.kind === 'server' ? 'server' : 'client',
    ...(caller.kind === 'user' ? { by: caller.id } : undefined),
    ...(client === undefined || client === '' ? undefined : { client: client.slice(0, LIMITS.clientNameChars) }),
  };
}

/** The actor of the caller's commands. An anonymous caller has no record and writes nothing. */
export function actorOf(caller: Caller): Actor {
  switch (caller.kind) {
    case 'server':
      return { kind: 'server' };
    case 'user':
      return { kind: 'user', id: caller.id };
    case 'anonymous':
      throw new RosterError('not_allowed', 'an anonymous user cannot write');
  }
}

/**
 * The user that a request acts for: a client acts for itself and may name itself; a server must name a user. Throws RosterError:
 * `not_allowed` for a client that names another user, `input` for a server that names none.
 */
export function actingUser(caller: Caller, named: string | undefined, field = 'user_id'): string {
  switch (caller.kind) {
    case 'anonymous':
      throw new RosterError('not_allowed', 'an anonymous user cannot do this');
    case 'user':
      if (named !== undefined && named !== '' && named !== caller.id) {
        const message = `must be "${caller.id}", the user of the token`;
        throw new RosterError('not_allowed', `${field}: ${message}`, [{ path: field, message }]);
      }
      return caller.id;
    case 'server':
      if (named === undefined || named === '') {
        const message = 'is required with a server token';
        throw new RosterError('input', `${field}: ${message}`, [{ path: field, message }]);
      }
      return named;
  }
}

/** Work that a single person waits for goes before bulk work. */
export function laneOf(caller: Caller, users: number): Lane {
  return caller.kind === 'server' && users > 1 ? 'bulk' : 'live';
}

/** The caller, and where its answer is looked up. */
export interface Asking {
  readonly backend: Pick<Reading, 'directory' | 'online'>;
  readonly caller: Caller;
}

/** An anonymous caller is in no team. No user has the empty id. */
const NOBODY = { id: '', teams: [] };

/**
 * The living user with this id, if the caller may see it. Every answer that shows a user which the caller did not find by a query
 * takes it from here, so to a client, a user that was deleted and one behind walls are the same: there is none.
 */
export function userInSight({ backend: { directory }, caller }: Asking, id: string): StoredUser | undefined {
  const user = directory.user(id);
  if (user === undefined || caller.kind === 'server') return user;
  // A user that does not exist yet has no team.
  const viewer = caller.kind === 'user' ? (directory.user(caller.id) ?? { id: caller.id, teams: [] }) : NOBODY;
  return isInSight(directory.app, viewer, user) ? user : undefined;
}

/** The caller as the reader of a user's record. */
export function readerOf(caller: Caller, id: string): Reader {
  if (caller.kind === 'server') return 'server';
  return caller.kind === 'user' && caller.id === id ? 'self' : 'other';
}

/** The data about a user that a caller sees beside its record. */
export function asideOf(asking: Asking, id: string): UserAside {
  const { backend, caller } = asking;
  const online = backend.online(id);
  const reader = readerOf(caller, id);
  if (reader === 'other') return { online, reader };
  return { online, reader, named: { user: (other) => userInSight(asking, other), online: (other) => backend.online(other) } };
}

/** The user without its mutes and devices: mutes inside a mute would nest without end. */
export function renderBrief(asking: Asking, user: StoredUser, dialect: Dialect): Rendered {
  const { mutes: _mutes, devices: _devices, ...shown } = user;
  return renderUserIn(dialect, shown, asideOf(asking, user.id));
}

/** The users that one answer shows beside what it lists: all of them briefly, and beyond a bound in short form. */
export function briefUsers(asking: Asking, dialect: Dialect): Embedded<Rendered> {
  return new Embedded((user) => renderBrief(asking, user, dialect));
}
