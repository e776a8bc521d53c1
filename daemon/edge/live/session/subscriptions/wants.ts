/** What a subscription asks for: whether it may, and whether it fits beside everything else that the connection asks for. */
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
import { heldBy } from './holdings.ts';

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
  if (caller.kind !== 'server') refuseHiddenFields({ filter, sort: [], includeDeleted: false });
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

/** Throws RosterError `input`, with the bound, when one connection would ask for too much. `wants`: everything that it would ask for. */
export function mustFit(wants: readonly Want[]): void {
  atMost(wants.length, LIMITS.subsPerConnection, 'subscriptions per connection');
  atMost(heldBy(wants, 0).conditions, LIMITS.conditionsPerConnection, 'conditions in the filters of a connection');
}

function atMost(count: number, max: number, what: string): void {
  if (count > max) throw fieldErrors('input', [{ path: 'sub', message: `at most ${max} ${what}, this would make ${count}` }]);
}
