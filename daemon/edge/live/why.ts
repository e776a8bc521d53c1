/** Endpoints for operators: why a live connection did or did not receive an event, who is connected, and which durable consumers exist. */
import Type from 'typebox';
import { says } from '../../../protocol/base/explain.ts';
import { queryReader } from '../../../protocol/base/query-string.ts';
import { pathId } from '../../../protocol/base/reading.ts';
import { Nothing, timeIn } from '../../../protocol/users/answers.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import { unknownUser } from '../../core/problems.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';

const WhyQuery = Type.Object({
  event: Type.Integer({ minimum: 1, ...says('must be the seq of an event') }),
  connection: Type.String({ minLength: 1, ...says('must be the id of a live connection') }),
});
const readWhy = queryReader(WhyQuery);

const ConnectionEnd = { closed_at: Type.Optional(Type.String()), close_code: Type.Optional(Type.Union([Type.Integer(), Type.Null()])) };

/** Why one connection was sent one event, or was not. */
export const WhyAnswer = Type.Object({
  event: Type.Object({
    seq: Type.Integer(),
    type: Type.String(),
    user_id: Type.Union([Type.String(), Type.Null()]),
    audience: Type.String(),
  }),
  connection: Type.Object({
    connection_id: Type.String(),
    user_id: Type.Union([Type.String(), Type.Null()]),
    opened_at: Type.String(),
    ...ConnectionEnd,
  }),
  delivered: Type.Union([Type.Literal('sent'), Type.Literal('not_sent'), Type.Literal('not_yet'), Type.Literal('unknown')]),
  steps: Type.Array(Type.Object({ about: Type.String(), is_reached: Type.Union([Type.Boolean(), Type.Null()]), text: Type.String() })),
  subscriptions: Type.Array(Type.Object({ sub: Type.String(), want: Type.String(), result: Type.String() })),
});

/** Connections, open or ended. */
export const TracedAnswer = Type.Object({
  connections: Type.Array(
    Type.Object({
      connection_id: Type.String(),
      user_id: Type.Union([Type.String(), Type.Null()]),
      opened_at: Type.String(),
      ...ConnectionEnd,
      resumed: Type.Boolean(),
      consumer: Type.Optional(Type.String()),
      position: Type.Optional(Type.Integer()),
      subs: Type.Array(Type.String()),
    }),
  ),
});

const TracedQuery = Type.Object({ user_id: Type.Optional(Type.String({ description: 'default: the connections of servers' })) });
const readTraced = queryReader(TracedQuery);

export const DEBUG_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/debug/why', () => ({
    operation: 'DebugWhy',
    method: 'GET',
    access: 'server',
    summary: 'Why a live connection was sent an event, or was not',
    query: WhyQuery,
    answer: WhyAnswer,
    handle: async ({ live, query }) => {
      const { connection, event } = readWhy(query);
      return { body: { ...(await live.why(connection, event)) } };
    },
  })),
  ...inBothDialects('/debug/connections', () => ({
    operation: 'DebugConnections',
    method: 'GET',
    access: 'server',
    summary:
      'The live connections of a user, or of servers, on all nodes: open ones, and what is known of those that ended within the last hour',
    query: TracedQuery,
    answer: TracedAnswer,
    handle: async ({ live, query }) => {
      const { user_id } = readTraced(query);
      return { body: { connections: await live.traced(user_id === undefined ? undefined : pathId(user_id)) } };
    },
  })),
  ...inBothDialects('/users/:id/connections', (dialect) => ({
    operation: 'ListUserConnections',
    method: 'GET',
    access: 'server',
    summary: 'The open live connections of a user, on all nodes, oldest first',
    answer: Type.Object({ connections: Type.Array(Type.Object({ connection_id: Type.String(), connected_at: timeIn(dialect) })) }),
    handle: async ({ backend, live, id }) => {
      const user = pathId(id);
      if (backend.directory.user(user) === undefined) throw unknownUser(user);
      const time = timeOf(dialect);
      const open = await live.connectionsOf(user);
      return {
        body: { connections: open.map(({ connection, sinceMs }) => ({ connection_id: connection, connected_at: time(sinceMs * 1_000) })) },
      };
    },
  })),
  ...inBothDialects('/consumers', (dialect) => ({
    operation: 'ListConsumers',
    method: 'GET',
    access: 'server',
    summary: 'Durable consumers and how far each acknowledged',
    answer: Type.Object({
      consumers: Type.Array(
        Type.Object({
          name: Type.String(),
          epoch: Type.String(),
          seq: Type.Integer(),
          created_at: timeIn(dialect),
          updated_at: timeIn(dialect),
        }),
      ),
    }),
    handle: ({ backend }) => {
      const time = timeOf(dialect);
      const consumers = [...backend.directory.docs.all('consumer')].map(({ holder: _, ...one }) => ({
        ...one,
        created_at: time(one.created_at),
        updated_at: time(one.updated_at),
      }));
      return { body: { consumers } };
    },
  })),
  ...inBothDialects('/consumers/:id', () => ({
    operation: 'DeleteConsumer',
    method: 'DELETE',
    access: 'server',
    summary: 'Forgets a durable consumer',
    answer: Nothing,
    handle: async (call) => ({ body: {}, seq: await call.live.removeConsumer(call.id, call) }),
  })),
];
