/** Endpoints about all live connections: a list in pages, and the end of one. They keep CO31 and CO32 (daemon/RULES.md). */
import Type from 'typebox';
import { fieldErrors } from '../../../protocol/base/errors.ts';
import { says } from '../../../protocol/base/explain.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { pageLimit, QueryLimit, QueryText, queryReader } from '../../../protocol/base/query-string.ts';
import { CLOSE } from '../../../protocol/live/close-codes.ts';
import { timeIn } from '../../../protocol/users/answers.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import type { PlaceInList } from '../http/services.ts';

const SORTS = 'must be queue, oldest or newest';
const ConnectionsQuery = Type.Object({
  search: QueryText,
  sort: Type.Optional(Type.Union([Type.Literal('queue'), Type.Literal('oldest'), Type.Literal('newest')], says(SORTS))),
  limit: QueryLimit,
  next: Type.Optional(Type.String({ maxLength: 512, ...says('must be the next of the page before') })),
});
const readConnections = queryReader(ConnectionsQuery);

const NumberOrNull = Type.Union([Type.Integer(), Type.Null()]);
const TextOrNull = Type.Union([Type.String(), Type.Null()]);

export const CONNECTIONS_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/connections', (dialect) => ({
    operation: 'ListConnections',
    method: 'GET',
    access: 'server',
    summary: 'The open live connections of all nodes, in pages, the longest queue first',
    query: ConnectionsQuery,
    answer: Type.Object({
      connections: Type.Array(
        Type.Object({
          connection_id: Type.String(),
          user_id: TextOrNull,
          transport: Type.Union([Type.Literal('live'), Type.Literal('connect'), Type.Literal('socket.io')]),
          connected_at: timeIn(dialect),
          address: TextOrNull,
          queue_bytes: Type.Integer(),
          subscriptions: Type.Integer(),
          sent_seq: NumberOrNull,
          consumer: TextOrNull,
          acknowledged_seq: NumberOrNull,
          node: Type.Optional(Type.String()),
        }),
      ),
      total: Type.Integer({ description: 'connections that the search finds' }),
      next: Type.Optional(Type.String()),
      silent_nodes: Type.Array(Type.String(), { description: 'nodes that did not answer: their connections are missing' }),
    }),
    handle: async ({ live, query }) => {
      const { search = '', sort = 'queue', next, ...page } = readConnections(query);
      const { rows, total, place, silent } = await live.list({ search, sort, after: placeOf(next), limit: pageLimit(page) });
      const time = timeOf(dialect);
      const connections = rows.map(({ node, ...one }) => ({
        connection_id: one.connection,
        user_id: one.user,
        transport: one.transport,
        connected_at: time(Math.round(one.sinceMs * 1_000)),
        address: one.address,
        queue_bytes: one.queueBytes,
        subscriptions: one.subscriptions,
        sent_seq: one.sentSeq,
        consumer: one.consumer,
        acknowledged_seq: one.acknowledgedSeq,
        ...(node === undefined ? undefined : { node }),
      }));
      const following = place === undefined ? undefined : { next: `${place.value}:${place.id}` };
      return { body: { connections, total, ...following, silent_nodes: silent } };
    },
  })),
  ...inBothDialects('/connections/:id', () => ({
    operation: 'CloseConnection',
    method: 'DELETE',
    access: 'server',
    summary: 'Closes a live connection, whose client may come back and resume',
    answer: Type.Object({ code: Type.Integer({ description: 'the close code that the client gets' }) }),
    handle: async ({ live, id }) => {
      await live.close(id);
      return { body: { code: CLOSE.restart.code } };
    },
  })),
];

/** Throws RosterError `input`. */
function placeOf(text: string | undefined): PlaceInList | undefined {
  if (text === undefined) return undefined;
  const [, value, id] = /^(\d+(?:\.\d+)?):(.+)$/s.exec(text) ?? [];
  if (value === undefined || id === undefined) {
    throw fieldErrors('input', [{ path: 'next', message: `must be the next of the page before, not ${clip(text)}` }]);
  }
  return { value: Number(value), id };
}
