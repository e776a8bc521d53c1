/** Questions and changes about user groups. Pure. */
import type { ApiCall } from '../talk/api-call.ts';

export const GROUPS_PER_PAGE = 50;

export interface ShownGroup {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly team_id?: string;
  /** Nanoseconds since 1970. */
  readonly created_at: number;
  readonly members?: readonly { readonly user_id: string; readonly is_admin: boolean }[];
}

const path = (id: string): string => `/api/v2/usergroups/${encodeURIComponent(id)}`;

/** `last`: the last group of the page before. One more than a page is asked for, to know whether another page follows. */
export function groupsCall(text: string, last: Pick<ShownGroup, 'id' | 'name' | 'created_at'> | undefined): ApiCall {
  const query = new URLSearchParams({ limit: String(GROUPS_PER_PAGE + 1) });
  const isSearch = text.trim() !== '';
  if (isSearch) query.set('query', text.trim());
  if (last !== undefined) {
    query.set('id_gt', last.id);
    if (isSearch) query.set('name_gt', last.name);
    else query.set('created_at_gt', String(last.created_at));
  }
  return { method: 'GET', path: `/api/v2/usergroups${isSearch ? '/search' : ''}?${query}` };
}

export function groupCall(id: string): ApiCall {
  return { method: 'GET', path: path(id) };
}

export function createGroupCall(name: string, description: string, team: string): ApiCall {
  const more = { ...(description === '' ? undefined : { description }), ...(team === '' ? undefined : { team_id: team }) };
  return { method: 'POST', path: '/api/v2/usergroups', body: { name, ...more } };
}

export function deleteGroupCall({ id, team_id: team }: Pick<ShownGroup, 'id' | 'team_id'>): ApiCall {
  return { method: 'DELETE', path: `${path(id)}${team === undefined ? '' : `?team_id=${encodeURIComponent(team)}`}` };
}

/** `verb`: an empty text adds members, `/delete` removes them. */
export function membersCall(
  { id, team_id: team }: Pick<ShownGroup, 'id' | 'team_id'>,
  verb: '' | '/delete',
  ids: readonly string[],
  asAdmin = false,
): ApiCall {
  const more = { ...(team === undefined ? undefined : { team_id: team }), ...(asAdmin ? { as_admin: true } : undefined) };
  return { method: 'POST', path: `${path(id)}/members${verb}`, body: { member_ids: ids, ...more } };
}

/** Ids as one types them: with commas, spaces or lines between. */
export function typedIds(text: string): readonly string[] {
  return [...new Set(text.split(/[\s,]+/).filter((id) => id !== ''))];
}
