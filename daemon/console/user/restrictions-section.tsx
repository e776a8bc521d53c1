/** Bans of a user, and whom it has muted and blocked. */

import { linkTo } from '../address.ts';
import { Callout, Instant, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { UserLink } from '../parts/user-link.tsx';
import { rowsOf } from '../talk/api-call.ts';
import type { UserRecord } from '../talk/user-record.ts';

interface ListedBan {
  readonly created_at: number;
  readonly expires?: number;
  readonly reason?: string;
  readonly shadow: boolean;
  readonly banned_by?: { readonly id: string };
  readonly channel?: { readonly cid: string };
}

/** `version`: changes when the user was read anew. */
export function RestrictionsSection({ user, version }: { readonly user: UserRecord; readonly version: number }) {
  const payload = encodeURIComponent(JSON.stringify({ filter_conditions: { user_id: user.id } }));
  const { answer, error } = useLoaded({ method: 'GET', path: `/api/v2/chat/query_banned_users?payload=${payload}` }, { version });
  const bans = rowsOf<ListedBan>(answer, 'bans');
  return (
    <section aria-labelledby="bans">
      <h2 id="bans">Bans, mutes, blocks</h2>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <h3>Bans</h3>
      {bans.length === 0 ? (
        <p class="none">none</p>
      ) : (
        <ul class="cards">
          {bans.map((ban) => (
            <BanCard key={`${ban.created_at} ${ban.channel?.cid ?? ''}`} ban={ban} />
          ))}
        </ul>
      )}
      <h3>Muted by this user</h3>
      <UserLinks ids={(user.mutes ?? []).map(({ target }) => target.id)} />
      <h3>Blocked by this user</h3>
      <UserLinks ids={user.blocked_user_ids} />
    </section>
  );
}

function BanCard({ ban }: { readonly ban: ListedBan }) {
  return (
    <li>
      <p>
        {ban.channel === undefined ? 'From the application' : 'From the channel '}
        {ban.channel === undefined ? null : <Its text={ban.channel.cid} />} {ban.shadow ? <span class="badge">shadow</span> : null}
      </p>
      {ban.reason === undefined ? null : (
        <p>
          Reason: <Its text={ban.reason} />
        </p>
      )}
      <p class="hint">
        since <Instant at={ban.created_at} />
        {ban.expires === undefined ? ', until it is lifted' : ', until '}
        {ban.expires === undefined ? null : <Instant at={ban.expires} />}
        {ban.banned_by === undefined ? null : (
          <>
            , by <a href={linkTo(['users', ban.banned_by.id])}>{ban.banned_by.id}</a>
          </>
        )}
      </p>
    </li>
  );
}

function UserLinks({ ids }: { readonly ids: readonly string[] }) {
  if (ids.length === 0) return <p class="none">none</p>;
  return (
    <ul class="inline">
      {ids.map((id) => (
        <li key={id}>
          <UserLink id={id} />
        </li>
      ))}
    </ul>
  );
}
