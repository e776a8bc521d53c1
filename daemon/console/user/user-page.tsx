/** One user: everything that is known of it, and what can be done. */
import { useSignal } from '@preact/signals';
import { linkTo } from '../address.ts';
import { Heading } from '../parts/heading.tsx';
import { Badges, Callout, DoneText, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { mayOperate } from '../talk/session.ts';
import { statesOf, usersOf } from '../talk/user-record.ts';
import { oneUserCall } from '../users/search.ts';
import { ActionBar } from './action-bar.tsx';
import { EditSection } from './edit-section.tsx';
import { HistorySection } from './history-section.tsx';
import { RecordSection } from './record-section.tsx';
import { RestrictionsSection } from './restrictions-section.tsx';
import { SocketsSection } from './sockets-section.tsx';

export function UserPage({ id }: { readonly id: string }) {
  const { answer, error, isLoading, count, again } = useLoaded(oneUserCall(id));
  const said = useSignal('');
  const user = answer === undefined ? undefined : usersOf(answer)[0];
  return (
    <>
      <p>
        <a href={linkTo(['users'])}>All users</a>
      </p>
      <Heading title={user?.name ?? id}>
        <Its text={user?.name ?? id} />
      </Heading>
      <p class="facts">
        <code>
          <Its text={id} />
        </code>
        {user === undefined ? null : (
          <>
            <span class="badge">{user.role}</span>
            <Badges states={statesOf(user)} />
          </>
        )}
      </p>
      {/* It stays when the user is gone. */}
      <DoneText text={said.value} />
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      {user === undefined && !isLoading && error === undefined ? (
        <Callout kind="hint">There is no such user now. If there was one, its history is below.</Callout>
      ) : null}
      {user === undefined ? null : (
        <>
          {mayOperate() ? (
            <ActionBar
              user={user}
              onDone={(text) => {
                said.value = text;
                again();
              }}
            />
          ) : (
            <p class="hint">You are signed in to look only. "rosterd console --role operate" lets you change users.</p>
          )}
          <RecordSection user={user} />
          {mayOperate() && user.deleted_at === undefined ? <EditSection user={user} onSaved={again} /> : null}
          {user.deleted_at === undefined ? <SocketsSection id={id} user={user} /> : null}
          <RestrictionsSection user={user} version={count} />
        </>
      )}
      <HistorySection id={id} version={count} />
    </>
  );
}
