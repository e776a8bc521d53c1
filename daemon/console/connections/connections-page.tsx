/** All live connections: searched, sorted, in pages, and the end of one. */

import { useSignal } from '@preact/signals';
import { size } from '../parts/amounts.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Heading } from '../parts/heading.tsx';
import { Callout, DoneText, Instant, Its } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { Pager, usePages } from '../parts/pager.tsx';
import { Select } from '../parts/select.tsx';
import { TextField } from '../parts/text-field.tsx';
import { UserLink } from '../parts/user-link.tsx';
import { rowsOf } from '../talk/api-call.ts';
import { mayOperate } from '../talk/session.ts';
import { replaceQuery, view } from '../view.ts';
import {
  CONNECTION_SORTS,
  type ConnectionSearch,
  connectionQueryOf,
  connectionSearchOf,
  connectionsCall,
  foundText,
  positionsText,
  type ShownConnection,
} from './connection-search.ts';

const TYPING_MS = 200;
const SORT_LABELS = { queue: 'longest queue first', newest: 'newest first', oldest: 'oldest first' } as const;
const TRANSPORTS: Readonly<Record<string, string>> = { live: 'WebSocket /live', connect: 'WebSocket /connect', 'socket.io': 'Socket.IO' };

export function ConnectionsPage() {
  const search = connectionSearchOf(view.value.query);
  const pages = usePages<string>(JSON.stringify(search));
  const asked = useSignal<ShownConnection | undefined>(undefined);
  const said = useSignal('');
  const { answer, error, isLoading, again } = useLoaded(connectionsCall(search, pages.value.at(-1) ?? ''), { delayMs: TYPING_MS });
  const shown = rowsOf<ShownConnection>(answer, 'connections');
  const silent = Array.isArray(answer?.silent_nodes) ? answer.silent_nodes.map(String) : [];
  const next = typeof answer?.next === 'string' ? answer.next : undefined;
  const total = Number(answer?.total ?? 0);
  return (
    <>
      <Heading title="Connections">Connections</Heading>
      <p>The live connections that are open now, on all nodes.</p>
      <Filters search={search} again={again} />
      <p role="status" class="hint">
        {isLoading ? 'Looking…' : foundText(total, shown.length, pages.value.length + 1)}
      </p>
      <DoneText text={said.value} />
      {silent.length === 0 ? null : <Callout kind="error">{`No answer from ${silent.join(', ')}: connections there are missing.`}</Callout>}
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      <ul class="cards" aria-busy={isLoading} aria-label="Connections found">
        {shown.map((one) => (
          <ConnectionCard
            key={one.connection_id}
            one={one}
            close={() => {
              asked.value = one;
            }}
          />
        ))}
      </ul>
      <Pager pages={pages} next={isLoading ? undefined : next} />
      {asked.value === undefined ? null : (
        <CloseDialog
          one={asked.value}
          onClose={() => {
            asked.value = undefined;
          }}
          onDone={() => {
            asked.value = undefined;
            said.value = 'The connection is closed. Its client may be back with another one by now.';
            again();
          }}
        />
      )}
    </>
  );
}

function Filters({ search, again }: { readonly search: ConnectionSearch; readonly again: () => void }) {
  const change = (changed: Partial<ConnectionSearch>): void => replaceQuery(connectionQueryOf({ ...search, ...changed }));
  return (
    <search class="filters">
      <TextField
        label="Id of the user or of the connection begins with"
        isSearch
        maxLength={255}
        value={search.text}
        onInput={(text) => change({ text })}
      />
      <Select
        label="Order"
        value={search.sort}
        choices={CONNECTION_SORTS.map((one) => [one, SORT_LABELS[one]])}
        onChange={(sort) => change({ sort })}
      />
      <button type="button" onClick={again}>
        Look again
      </button>
    </search>
  );
}

function ConnectionCard({ one, close }: { readonly one: ShownConnection; readonly close: () => void }) {
  const { user_id, connection_id, transport, connected_at, address, queue_bytes, subscriptions, node } = one;
  return (
    <li class="connection">
      <div>
        <p>
          {user_id === null ? <strong>no user (a server, or anonymous)</strong> : <UserLink id={user_id} />}{' '}
          <span class="badge">{TRANSPORTS[transport] ?? transport}</span>{' '}
          <span class={`badge ${queue_bytes > 100_000 ? 'deleted' : ''}`}>
            {queue_bytes === 0 ? 'nothing waits' : `${size(queue_bytes)} wait`}
          </span>
        </p>
        <p class="hint">
          since <Instant at={connected_at} />
          {address === null ? '' : `, from ${address}`}, {subscriptions} {subscriptions === 1 ? 'subscription' : 'subscriptions'}
          {node === undefined ? '' : `, on ${node}`}
        </p>
        <p class="hint">
          <Its text={positionsText(one)} /> <code>{connection_id}</code>
        </p>
      </div>
      {mayOperate() ? (
        <button type="button" class="grave" onClick={close}>
          Close<span class="hidden"> the connection {connection_id}</span>…
        </button>
      ) : null}
    </li>
  );
}

interface CloseDialogProps {
  readonly one: ShownConnection;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

function CloseDialog({ one: { connection_id, user_id }, onClose, onDone }: CloseDialogProps) {
  return (
    <Confirm
      title="Close this connection?"
      label="Close it"
      isGrave
      says={[
        'It ends with the close code 1012.',
        'A client of rosterd connects again by itself within seconds, and misses nothing.',
        ...(user_id === null ? [] : ['To keep the user away for good, deactivate the user, or revoke the tokens, instead.']),
      ]}
      call={{ method: 'DELETE', path: `/api/v2/connections/${encodeURIComponent(connection_id)}` }}
      onClose={onClose}
      onDone={onDone}
    >
      <p>
        <code>{connection_id}</code>
        {user_id === null ? null : (
          <>
            {' of '}
            <UserLink id={user_id} />
          </>
        )}
      </p>
    </Confirm>
  );
}
