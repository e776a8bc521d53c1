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

/** Why one connection was sent one event, or was not. */
export const WhyAnswer = Type.Object({
  event: Type.Object({
    seq: Type.Integer(),
    type: Type.String(),
    user_id: Type.Union([Type.String(), Type.Null()]),
    audience: Type.String(),
  }),
  connection: Type.Object({ connection_id: Type.String(), user_id: Type.Union([Type.String(), Type.Null()]) }),
  subscriptions: Type.Array(Type.Object({ sub: Type.String(), want: Type.String(), result: Type.String() })),
});

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
