/** The question of the users page, as a payload of QueryUsers. Pages go by id, so that each costs the same, however many came before. Pure. */
import type { ApiCall, JsonRecord } from '../talk/api-call.ts';

export const USERS_PER_PAGE = 50;
export const STATES = ['any', 'active', 'online', 'banned', 'deactivated', 'deleted'] as const;
export type StateFilter = (typeof STATES)[number];

/** What is asked for; empty texts are not. */
export interface UserSearch {
  readonly text: string;
  readonly role: string;
  readonly team: string;
  readonly state: StateFilter;
}

/** From the parameters of the address. */
export function searchOf(query: URLSearchParams): UserSearch {
  const state = STATES.find((one) => one === query.get('state')) ?? 'any';
  return { text: query.get('q') ?? '', role: query.get('role') ?? '', team: query.get('team') ?? '', state };
}

export function queryOf({ text, role, team, state }: UserSearch): Readonly<Record<string, string>> {
  return { q: text, role, team, state: state === 'any' ? '' : state };
}

/** `after`: the last id of the page before. One more user than a page is asked for, to know whether another page follows. */
export function searchCall(search: UserSearch, after: string): ApiCall {
  const payload = {
    filter_conditions: filterOf(search),
    sort: [{ field: 'id', direction: 1 }],
    limit: USERS_PER_PAGE + 1,
    ...(after === '' ? undefined : { id_gt: after }),
    include_deactivated_users: search.state !== 'active',
    ...(search.state === 'deleted' ? { include_deleted_users: true } : undefined),
  };
  return { method: 'GET', path: `/api/v2/users?payload=${encodeURIComponent(JSON.stringify(payload))}` };
}

function filterOf({ text, role, team, state }: UserSearch): JsonRecord {
  const conditions: JsonRecord[] = [];
  const wanted = text.trim();
  if (wanted !== '') conditions.push({ $or: [{ id: { $autocomplete: wanted } }, { name: { $autocomplete: wanted } }] });
  if (role !== '') conditions.push({ role });
  if (team.trim() !== '') conditions.push({ teams: { $contains: team.trim() } });
  switch (state) {
    case 'online':
      conditions.push({ online: true });
      break;
    case 'banned':
      conditions.push({ banned: true });
      break;
    case 'deactivated':
      conditions.push({ deactivated_at: { $exists: true } });
      break;
    case 'deleted':
      conditions.push({ deleted_at: { $exists: true } });
      break;
    case 'any':
    case 'active':
      break;
  }
  return conditions.length === 0 ? {} : { $and: conditions };
}

/** The question for one user, whatever has become of it. */
export function oneUserCall(id: string): ApiCall {
  const payload = { filter_conditions: { id }, include_deactivated_users: true, include_deleted_users: true, limit: 1 };
  return { method: 'GET', path: `/api/v2/users?payload=${encodeURIComponent(JSON.stringify(payload))}` };
}
