/** The live connections of a user, and the devices for push messages. */

import { linkTo } from '../address.ts';
import { Callout, Instant, Its, ItsValue } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { rowsOf } from '../talk/api-call.ts';
import type { UserRecord } from '../talk/user-record.ts';

interface ListedConnection {
  readonly connection_id: string;
  readonly connected_at: number;
}

export function SocketsSection({ id, user }: { readonly id: string; readonly user: UserRecord }) {
  const { answer, error, isLoading, again } = useLoaded({ method: 'GET', path: `/api/v2/users/${encodeURIComponent(id)}/connections` });
  const list = rowsOf<ListedConnection>(answer, 'connections');
  const devices = user.devices ?? [];
  return (
    <>
      <section aria-labelledby="sockets">
        <h2 id="sockets">Live connections</h2>
        {error === undefined ? null : <Callout kind="error">{error}</Callout>}
        <p role="status" class="hint">
          {isLoading ? 'Looking…' : list.length === 0 ? 'None is open.' : `${list.length} open, the oldest first.`}
        </p>
        {list.length === 0 ? null : (
          <ul class="cards">
            {list.map(({ connection_id, connected_at }) => (
              <li key={connection_id}>
                <code>{connection_id}</code>
                <p class="hint">
                  since <Instant at={connected_at} /> ·{' '}
                  <a href={linkTo(['tools', 'why'], { user: id, connection: connection_id })}>Why was an event sent to it, or not?</a>
                </p>
              </li>
            ))}
          </ul>
        )}
        <button type="button" onClick={again}>
          Look again
        </button>
      </section>
      <section aria-labelledby="devices">
        <h2 id="devices">Devices</h2>
        {devices.length === 0 ? (
          <p class="none">none</p>
        ) : (
          <ul class="cards">
            {devices.map((device) => (
              <li key={String(device.id)}>
                <p>
                  <Its text={String(device.id)} /> <span class="badge">{String(device.push_provider)}</span>
                </p>
                <ItsValue value={device} label={`Device ${String(device.id).slice(0, 40)}`} />
              </li>
            ))}
          </ul>
        )}
      </section>
    </>
  );
}
