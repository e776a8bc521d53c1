/** Questions of operators: why a live connection was told of something or not, and which durable consumers there are. */
import Type from 'typebox';
import { fieldErrors } from '../../../protocol/base/errors.ts';
import { Nothing, timeIn } from '../../../protocol/users/answers.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';

export const DEBUG_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/debug/why', () => ({
    operation: 'DebugWhy',
    method: 'GET',
    access: 'server',
    summary: 'Why a live connection was told of an event, or was not',
    query: Type.Object({ event: Type.Integer({ minimum: 1 }), connection: Type.String({ minLength: 1 }) }),
    answer: Type.Object({
      event: Type.Object({
        seq: Type.Integer(),
        type: Type.String(),
        user_id: Type.Union([Type.String(), Type.Null()]),
        audience: Type.String(),
      }),
      connection: Type.Object({ connection_id: Type.String(), user_id: Type.Union([Type.String(), Type.Null()]) }),
      subscriptions: Type.Array(Type.Object({ sub: Type.String(), want: Type.String(), result: Type.String() })),
    }),
    handle: async ({ live, query }) => ({ body: { ...(await live.why(connectionOf(query.connection), seqOf(query.event))) } }),
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
      const consumers = [...backend.directory.docs.all('consumer')].map((one) => ({
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

function seqOf(text: string | undefined): number {
  if (text !== undefined && /^[1-9]\d{0,15}$/.test(text)) return Number(text);
  throw fieldErrors('input', [{ path: 'event', message: 'must be the seq of an event' }]);
}

function connectionOf(text: string | undefined): string {
  if (text !== undefined && text !== '') return text;
  throw fieldErrors('input', [{ path: 'connection', message: 'must be the id of a live connection' }]);
}
