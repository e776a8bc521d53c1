/** The users: searched as one types, filtered, and paged by id. */
import { Heading } from '../parts/heading.tsx';
import { Badges, Callout, Instant, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { Pager, usePages } from '../parts/pager.tsx';
import { asTexts, Select } from '../parts/select.tsx';
import { TextField } from '../parts/text-field.tsx';
import { UserLink } from '../parts/user-link.tsx';
import { statesOf, type UserRecord, usersOf } from '../talk/user-record.ts';
import { replaceQuery, view } from '../view.ts';
import { queryOf, STATES, searchCall, searchOf, USERS_PER_PAGE, type UserSearch } from './search.ts';

/** What is typed is asked for once the typing pauses, milliseconds. */
const TYPING_MS = 200;
const STATE_LABELS = {
  any: 'Any, but deleted',
  active: 'Active',
  online: 'Online',
  banned: 'Banned',
  deactivated: 'Deactivated',
  deleted: 'Deleted',
} as const;

export function UsersPage() {
  const search = searchOf(view.value.query);
  const pages = usePages<string>(JSON.stringify(search));
  const call = searchCall(search, pages.value.at(-1) ?? '');
  const { answer, error, isLoading } = useLoaded(call, { delayMs: TYPING_MS });
  const found = answer === undefined ? [] : usersOf(answer);
  const shown = found.slice(0, USERS_PER_PAGE);
  const hasMore = found.length > USERS_PER_PAGE;
  const change = (changed: Partial<UserSearch>): void => replaceQuery(queryOf({ ...search, ...changed }));
  return (
    <>
      <Heading title="Users">Users</Heading>
      <Filters search={search} change={change} />
      <p role="status" class="hint">
        {isLoading ? 'Searching…' : countText(shown.length, hasMore, pages.value.length)}
      </p>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <ul class="users" aria-busy={isLoading} aria-label="Users found">
        {shown.map((user) => (
          <UserRow key={user.id} user={user} />
        ))}
      </ul>
      <Pager pages={pages} next={hasMore && !isLoading ? shown.at(-1)?.id : undefined} />
    </>
  );
}

function countText(count: number, hasMore: boolean, before: number): string {
  if (count === 0) return 'No user found.';
  const page = before === 0 && !hasMore ? '' : `Page ${before + 1}: `;
  return `${page}${count} ${count === 1 ? 'user' : 'users'}${hasMore ? ', more follow.' : '.'}`;
}

function Filters({ search, change }: { readonly search: UserSearch; readonly change: (changed: Partial<UserSearch>) => void }) {
  const { answer } = useLoaded({ method: 'GET', path: '/api/v2/roles' });
  const roles = answer?.roles;
  const names = Array.isArray(roles) ? roles.map(({ name }) => String(name)) : [];
  const listed = search.role === '' || names.includes(search.role) ? names : [search.role, ...names];
  return (
    <search class="filters">
      <TextField label="Id or name begins with" isSearch maxLength={255} value={search.text} onInput={(text) => change({ text })} />
      <Select label="Role" value={search.role} choices={[['', 'any'], ...asTexts(listed)]} onChange={(role) => change({ role })} />
      <TextField label="Team" maxLength={100} value={search.team} onInput={(team) => change({ team })} />
      <Select
        label="State"
        value={search.state}
        choices={STATES.map((one) => [one, STATE_LABELS[one]])}
        onChange={(state) => change({ state })}
      />
    </search>
  );
}

function UserRow({ user }: { readonly user: UserRecord }) {
  const { id, name, role, teams, last_active } = user;
  return (
    <li>
      <UserLink id={id} text={name ?? id} />
      <span class="id">
        <Its text={id} />
      </span>
      <span class="facts">
        <span class="badge">{role}</span>
        <Badges states={statesOf(user)} />
        {teams.length === 0 ? null : (
          <span class="hint">
            in <Its text={teams.slice(0, 3).join(', ')} />
            {teams.length > 3 ? ` and ${teams.length - 3} more` : ''}
          </span>
        )}
      </span>
      <span class="when hint">{last_active === undefined ? 'never active' : <Instant at={last_active} />}</span>
    </li>
  );
}
