/** One user group: its members, and what can be done to it. */
import { useSignal } from '@preact/signals';
import { linkTo } from '../address.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Heading } from '../parts/heading.tsx';
import { Callout, DoneText, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { Tick } from '../parts/tick.tsx';
import { UserLink } from '../parts/user-link.tsx';
import { mayOperate } from '../talk/session.ts';
import { deleteGroupCall, groupCall, membersCall, type ShownGroup, typedIds } from './group-calls.ts';

type Asked = { readonly kind: 'add' | 'delete' } | { readonly kind: 'remove'; readonly user: string };

export function OneGroupPage({ id }: { readonly id: string }) {
  const { answer, error, isLoading, again } = useLoaded(groupCall(id));
  const asked = useSignal<Asked | undefined>(undefined);
  const said = useSignal('');
  const group = answer?.user_group === undefined ? undefined : (answer.user_group as ShownGroup);
  const members = group?.members ?? [];
  const close = (): void => {
    asked.value = undefined;
  };
  const ask = (next: Asked) => (): void => {
    asked.value = next;
  };
  const done = (text: string): void => {
    close();
    said.value = text;
    again();
  };
  return (
    <>
      <p>
        <a href={linkTo(['groups'])}>All groups</a>
      </p>
      <Heading title={group?.name ?? id}>
        <Its text={group?.name ?? id} />
      </Heading>
      {isLoading && group === undefined ? <p role="status">Looking…</p> : null}
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <DoneText text={said.value} />
      {group === undefined ? null : (
        <>
          <AboutGroup group={group} />
          {mayOperate() ? (
            <div class="buttons">
              <button type="button" onClick={ask({ kind: 'add' })}>
                Add members…
              </button>
              <button type="button" class="grave" onClick={ask({ kind: 'delete' })}>
                Delete the group…
              </button>
            </div>
          ) : null}
          <h2>Members</h2>
          <p class="hint">{members.length === 0 ? 'None.' : `${members.length} ${members.length === 1 ? 'member' : 'members'}.`}</p>
          <ul class="cards members" aria-label="Members">
            {members.map(({ user_id, is_admin }) => (
              <MemberRow key={user_id} id={user_id} isAdmin={is_admin} onRemove={ask({ kind: 'remove', user: user_id })} />
            ))}
          </ul>
          {asked.value === undefined ? null : <GroupDialog asked={asked.value} group={group} onClose={close} onDone={done} />}
        </>
      )}
    </>
  );
}

function MemberRow({ id, isAdmin, onRemove }: { readonly id: string; readonly isAdmin: boolean; readonly onRemove: () => void }) {
  return (
    <li>
      <p>
        <UserLink id={id} /> {isAdmin ? <span class="badge">admin of the group</span> : null}
      </p>
      {mayOperate() ? (
        <button type="button" onClick={onRemove}>
          Remove<span class="hidden"> {id}</span>…
        </button>
      ) : null}
    </li>
  );
}

function AboutGroup({ group }: { readonly group: ShownGroup }) {
  return (
    <>
      <p>
        <Its text={group.description ?? 'No description.'} />{' '}
        {group.team_id === undefined ? null : (
          <span class="badge">
            team <Its text={group.team_id} />
          </span>
        )}
      </p>
      <p class="hint">
        <code>{group.id}</code>
      </p>
    </>
  );
}

interface GroupDialogProps {
  readonly asked: Asked;
  readonly group: ShownGroup;
  readonly onClose: () => void;
  readonly onDone: (said: string) => void;
}

function GroupDialog({ asked, group, onClose, onDone }: GroupDialogProps) {
  if (asked.kind === 'add') return <AddDialog group={group} onClose={onClose} onDone={onDone} />;
  if (asked.kind === 'remove') {
    return (
      <Confirm
        title="Remove this member?"
        label="Remove"
        says={['The user leaves the group and stays in the directory.']}
        call={membersCall(group, '/delete', [asked.user])}
        onClose={onClose}
        onDone={() => onDone('The member is removed.')}
      >
        <p>
          <Its text={asked.user} />
        </p>
      </Confirm>
    );
  }
  return (
    <Confirm
      title="Delete this group?"
      label="Delete"
      isGrave
      says={['The group is removed for good. Its members stay in the directory.']}
      call={deleteGroupCall(group)}
      onClose={onClose}
      onDone={() => {
        location.hash = linkTo(['groups']);
      }}
    />
  );
}

function AddDialog({ group, onClose, onDone }: Omit<GroupDialogProps, 'asked'>) {
  const text = useSignal('');
  const asAdmin = useSignal(false);
  const ids = typedIds(text.value);
  return (
    <Confirm
      title="Add members?"
      label="Add"
      isReady={ids.length > 0}
      says={[
        `${ids.length} ${ids.length === 1 ? 'user is' : 'users are'} added, all or none.`,
        'Everybody named must be a user of the directory.',
      ]}
      call={membersCall(group, '', ids, asAdmin.value)}
      onClose={onClose}
      onDone={() => onDone(ids.length === 1 ? 'The member is added.' : `${ids.length} members are added.`)}
    >
      <label>
        Ids of users, with spaces or commas between
        <textarea
          rows={3}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
      </label>
      <Tick
        isOn={asAdmin.value}
        onChange={(isOn) => {
          asAdmin.value = isOn;
        }}
      >
        As admins of the group
      </Tick>
    </Confirm>
  );
}
