/** The record with its parts. */
import { useSignal } from '@preact/signals';
import { Instant, Its, ItsValue } from '../parts/its.tsx';
import type { UserRecord } from '../talk/user-record.ts';

export function RecordSection({ user }: { readonly user: UserRecord }) {
  const custom = Object.entries(user.custom);
  return (
    <section aria-labelledby="record">
      <h2 id="record">Record</h2>
      <dl>
        <dt>Name</dt>
        <dd>{user.name === undefined ? <span class="none">none</span> : <Its text={user.name} />}</dd>
        <dt>Image</dt>
        <dd>{user.image === undefined ? <span class="none">none</span> : <UserImage url={user.image} />}</dd>
        <dt>Role</dt>
        <dd>
          <Its text={user.role} />
        </dd>
        <dt>Teams</dt>
        <dd>{user.teams.length === 0 ? <span class="none">none</span> : <Its text={user.teams.join(', ')} />}</dd>
        <dt>Roles in teams</dt>
        <dd>
          <ItsValue value={user.teams_role} label="Roles in teams" />
        </dd>
        <dt>Language</dt>
        <dd>{user.language === '' ? <span class="none">none</span> : <Its text={user.language} />}</dd>
        <dt>Invisible</dt>
        <dd>{user.invisible ? 'yes' : 'no'}</dd>
        <dt>Privacy</dt>
        <dd>
          <ItsValue value={user.privacy_settings} label="Privacy settings" />
        </dd>
        <Times user={user} />
      </dl>
      <h3>Custom data</h3>
      {custom.length === 0 ? (
        <p class="none">none</p>
      ) : (
        <dl>
          {custom.map(([key, value]) => (
            <CustomValue key={key} name={key} value={value} />
          ))}
        </dl>
      )}
    </section>
  );
}

function Times({ user }: { readonly user: UserRecord }) {
  const times = [
    ['Created', user.created_at],
    ['Updated', user.updated_at],
    ['Last active', user.last_active],
    ['Deactivated', user.deactivated_at],
    ['Deleted', user.deleted_at],
    ['Tokens revoked', user.revoke_tokens_issued_before],
  ] as const;
  return (
    <>
      {times.map(([label, at], index) =>
        at === undefined && index > 2 ? null : (
          <div class="pair" key={label}>
            <dt>{label}</dt>
            <dd>
              <Instant at={at} />
            </dd>
          </div>
        ),
      )}
    </>
  );
}

function CustomValue({ name, value }: { readonly name: string; readonly value: unknown }) {
  return (
    <div class="pair">
      <dt>
        <Its text={name} />
      </dt>
      <dd>
        <ItsValue value={value} label={`Value of ${name}`} />
      </dd>
    </div>
  );
}

/** An image is fetched from wherever the user's record says, so only when one asks for it. */
function UserImage({ url }: { readonly url: string }) {
  const isShown = useSignal(false);
  return (
    <>
      <Its text={url} />{' '}
      {isShown.value ? (
        <img src={url} alt="As the record names it" class="portrait" referrerPolicy="no-referrer" />
      ) : (
        <button
          type="button"
          onClick={() => {
            isShown.value = true;
          }}
        >
          Load the image
        </button>
      )}
    </>
  );
}
