/** The users: searched as one types, filtered, and paged by id. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { linkTo } from '../address.ts';
import { Heading } from '../parts/heading.tsx';
import { Badges, Callout, Instant, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
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
  /** The last ids of the pages before the shown one; the first page has none. */
  const pages = useSignal<readonly string[]>([]);
  const key = JSON.stringify(search);
  useEffect(() => {
    pages.value = [];
  }, [key]);
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
      <nav class="buttons" aria-label="Pages">
        <button
          type="button"
          disabled={pages.value.length === 0}
          onClick={() => {
            pages.value = pages.value.slice(0, -1);
          }}
        >
          Previous page
        </button>
        <button
          type="button"
          disabled={!hasMore || isLoading}
          onClick={() => {
            pages.value = [...pages.value, shown.at(-1)?.id ?? ''];
            scrollTo(0, 0);
          }}
        >
          Next page
        </button>
      </nav>
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
      <label class="wide">
        Id or name begins with
        <input
          type="search"
          value={search.text}
          maxLength={255}
          autoComplete="off"
          onInput={(event) => change({ text: event.currentTarget.value })}
        />
      </label>
      <label>
        Role
        <select value={search.role} onChange={(event) => change({ role: event.currentTarget.value })}>
          <option value="">any</option>
          {listed.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Team
        <input
          type="text"
          value={search.team}
          maxLength={100}
          autoComplete="off"
          onInput={(event) => change({ team: event.currentTarget.value })}
        />
      </label>
      <label>
        State
        <select
          value={search.state}
          onChange={(event) => change({ state: STATES.find((one) => one === event.currentTarget.value) ?? 'any' })}
        >
          {STATES.map((one) => (
            <option key={one} value={one}>
              {STATE_LABELS[one]}
            </option>
          ))}
        </select>
      </label>
    </search>
  );
}

function UserRow({ user }: { readonly user: UserRecord }) {
  const { id, name, role, teams, last_active } = user;
  return (
    <li>
      <a href={linkTo(['users', id])}>
        <Its text={name ?? id} />
      </a>
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
