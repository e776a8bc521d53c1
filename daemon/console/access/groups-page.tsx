/** User groups: a list in pages, and the creation of one. */

import { useSignal } from '@preact/signals';
import { linkTo } from '../address.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Heading } from '../parts/heading.tsx';
import { Callout, Instant, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { Pager, usePages } from '../parts/pager.tsx';
import { TextField } from '../parts/text-field.tsx';
import { rowsOf } from '../talk/api-call.ts';
import { mayOperate } from '../talk/session.ts';
import { replaceQuery, view } from '../view.ts';
import { createGroupCall, GROUPS_PER_PAGE, groupsCall, type ShownGroup } from './group-calls.ts';

export function GroupsPage() {
  const text = view.value.query.get('q') ?? '';
  const pages = usePages<ShownGroup>(text);
  const isAsked = useSignal(false);
  const { answer, error, isLoading } = useLoaded(groupsCall(text, pages.value.at(-1)), { delayMs: 200 });
  const found = rowsOf<ShownGroup>(answer, 'user_groups');
  const shown = found.slice(0, GROUPS_PER_PAGE);
  const hasMore = found.length > GROUPS_PER_PAGE;
  return (
    <>
      <Heading title="Groups">User groups</Heading>
      <search class="filters">
        <TextField label="Name contains" isSearch maxLength={255} value={text} onInput={(typed) => replaceQuery({ q: typed })} />
        {mayOperate() ? (
          <button
            type="button"
            onClick={() => {
              isAsked.value = true;
            }}
          >
            Create a group…
          </button>
        ) : null}
      </search>
      <p role="status" class="hint">
        {isLoading
          ? 'Looking…'
          : shown.length === 0
            ? 'No group found.'
            : `${shown.length} ${shown.length === 1 ? 'group' : 'groups'}${hasMore ? ', more follow.' : '.'}`}
      </p>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <ul class="cards" aria-busy={isLoading} aria-label="Groups found">
        {shown.map((group) => (
          <GroupCard key={group.id} group={group} />
        ))}
      </ul>
      <Pager pages={pages} next={hasMore && !isLoading ? shown.at(-1) : undefined} />
      {isAsked.value ? (
        <CreateGroupDialog
          onClose={() => {
            isAsked.value = false;
          }}
        />
      ) : null}
    </>
  );
}

function GroupCard({ group }: { readonly group: ShownGroup }) {
  return (
    <li>
      <p>
        <a href={linkTo(['groups', group.id])}>
          <Its text={group.name} />
        </a>{' '}
        {group.team_id === undefined ? null : (
          <span class="badge">
            team <Its text={group.team_id} />
          </span>
        )}
      </p>
      {group.description === undefined ? null : (
        <p>
          <Its text={group.description} />
        </p>
      )}
      <p class="hint">
        <code>{group.id}</code>, since <Instant at={group.created_at} />
      </p>
    </li>
  );
}

function CreateGroupDialog({ onClose }: { readonly onClose: () => void }) {
  const [name, description, team] = [useSignal(''), useSignal(''), useSignal('')];
  const fields = [
    ['Name', name],
    ['Description (may be empty)', description],
    ['Team (empty: of the whole application)', team],
  ] as const;
  return (
    <Confirm
      title="Create a group?"
      label="Create"
      isReady={name.value !== ''}
      says={['The group is there, without members. You can add them next.']}
      call={createGroupCall(name.value, description.value, team.value)}
      onClose={onClose}
      onDone={({ user_group: group }) => {
        const { id } = Object(group) as Partial<ShownGroup>;
        location.hash = linkTo(id === undefined ? ['groups'] : ['groups', id]);
      }}
    >
      {fields.map(([label, signal]) => (
        <TextField
          key={label}
          label={label}
          value={signal.value}
          onInput={(typed) => {
            signal.value = typed;
          }}
        />
      ))}
    </Confirm>
  );
}
