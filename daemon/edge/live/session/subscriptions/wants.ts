/** What a subscription asks for: whether it may, and whether it fits beside everything that the connection and its user ask for already. */
import { fieldErrors, RosterError } from '../../../../../protocol/base/errors.ts';
import { utf8Bytes } from '../../../../../protocol/base/json.ts';
import { LIMITS } from '../../../../../protocol/base/limits.ts';
import type { Caller } from '../../../../../protocol/base/tokens.ts';
import type { Sub } from '../../../../../protocol/live/client-frames.ts';
import { parseFilter } from '../../../../../protocol/users/finding/filter.ts';
import { refuseHiddenFields } from '../../../../../protocol/users/finding/query.ts';
import { notAllowed } from '../../../../core/problems.ts';
import { visibilityFor } from '../../../../core/users/query.ts';
import type { Roster } from '../../../../pipeline/roster.ts';
import type { Want } from '../../../../pipeline/tell/interest.ts';
import { sharedFilter } from '../../../../pipeline/tell/shared-filter.ts';

/** Throws RosterError for a subscription that names nothing, or something that the caller may not ask for. */
export function wantOf(sub: Sub, caller: Caller, { directory }: Pick<Roster, 'directory'>): Want {
  const kinds = [sub.ids, sub.teams, sub.filter, sub.all].filter((part) => part !== undefined);
  if (kinds.length !== 1) throw new RosterError('input', 'sub: exactly one of ids, teams, filter or all is needed');
  if (sub.ids !== undefined) return { kind: 'ids', ids: new Set(sub.ids) };
  mustSearch(caller, directory);
  if (sub.teams !== undefined) return { kind: 'teams', teams: new Set(sub.teams) };
  if (sub.filter === undefined) return { kind: 'all' };
  const bytes = utf8Bytes(JSON.stringify(sub.filter));
  if (bytes > LIMITS.filterBytes) {
    throw fieldErrors('input', [{ path: 'filter', message: `must not have more than ${LIMITS.filterBytes} bytes, got ${bytes}` }]);
  }
  const filter = parseFilter(sub.filter, 'filter');
  if (caller.kind !== 'server') refuseHiddenFields({ filter, sort: [] });
  return { kind: 'filter', filter: sharedFilter(filter) };
}

/** Subscriptions other than by id are for servers, and for clients that may search; these see only users that they could find. */
function mustSearch(caller: Caller, directory: Roster['directory']): void {
  if (caller.kind === 'server') return;
  if (caller.kind === 'anonymous') throw new RosterError('not_allowed', 'an anonymous caller may subscribe to nothing but ids');
  const user = directory.user(caller.id);
  if (user !== undefined && visibilityFor(directory.app, user) !== 'nowhere') return;
  throw new RosterError('not_allowed', notAllowed(caller.id, user?.role ?? '', 'SearchUser'));
}

/** What a connection asks for. */
export interface Asks {
  readonly wants: readonly Want[];
  /** Snapshots that it has not read to their end. */
  readonly snapshots: number;
}

/**
 * Throws RosterError `input`, with the bound, when a connection would ask for too much. `wants`: everything that it would ask for;
 * `elsewhere`: what the other connections of its user ask for, nothing for a server.
 */
export function mustFit(wants: readonly Want[], elsewhere: readonly Asks[]): void {
  atMost(wants.length, LIMITS.subsPerConnection, 'subscriptions per connection');
  const own = sumOf(wants);
  atMost(own.conditions, LIMITS.conditionsPerConnection, 'conditions in the filters of a connection');
  const all = sumOf(
    elsewhere.flatMap((asks) => asks.wants),
    own,
  );
  const snapshots = elsewhere.reduce((sum, asks) => sum + asks.snapshots, 0);
  atMost(snapshots, LIMITS.snapshotsPerUser - LIMITS.subsPerConnection, 'unfinished snapshots on other connections of a user');
  atMost(all.conditions, LIMITS.conditionsPerUser, 'conditions in the filters of all connections of a user');
  atMost(all.bytes, LIMITS.filterBytesPerUser, 'bytes in the filters of all connections of a user');
  atMost(all.names, LIMITS.subIdsPerUser, 'ids and teams in the subscriptions of all connections of a user');
}

interface Sum {
  conditions: number;
  bytes: number;
  names: number;
}

function sumOf(wants: Iterable<Want>, before: Readonly<Sum> = { conditions: 0, bytes: 0, names: 0 }): Readonly<Sum> {
  const sum = { ...before };
  for (const want of wants) {
    if (want.kind === 'ids') sum.names += want.ids.size;
    if (want.kind === 'teams') sum.names += want.teams.size;
    if (want.kind !== 'filter') continue;
    sum.conditions += want.filter.conditions;
    sum.bytes += want.filter.bytes;
  }
  return sum;
}

function atMost(count: number, max: number, what: string): void {
  if (count > max) throw fieldErrors('input', [{ path: 'sub', message: `at most ${max} ${what}, this would make ${count}` }]);
}
