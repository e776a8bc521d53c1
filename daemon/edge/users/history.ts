/** The history of a user: who changed it, from where, which fields, when. */

import Type, { type TSchema } from 'typebox';
import { type Dialect, pathId } from '../../../protocol/base/reading.ts';
import { timeIn } from '../../../protocol/users/answers.ts';
import { decodeHistoryQuery, HistoryQuery } from '../../../protocol/users/history.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import { unknownUser } from '../../core/problems.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';

export const HISTORY_ROUTES: readonly Endpoint[] = inBothDialects('/users/:id/history', (dialect) => ({
  operation: 'GetUserHistory',
  method: 'GET',
  access: 'server',
  summary: 'What happened to a user, newest first; of users that were deleted too',
  query: HistoryQuery,
  answer: Type.Object({
    history: Type.Array(changeIn(dialect)),
    next: Type.Optional(Type.Integer()),
    from: timeIn(dialect),
  }),
  handle: async ({ backend, services, id, query }) => {
    const user = pathId(id);
    const question = decodeHistoryQuery(query);
    // A deleted user has a record too.
    if (backend.directory.record(user) === undefined) throw unknownUser(user);
    const { items, next, from } = await services.history.page({ id: user, ...question });
    const time = timeOf(dialect);
    const history = items.map(({ seq, at, ...change }) => ({ seq, at: time(at), ...change }));
    return { body: { history, ...(next === undefined ? undefined : { next }), from: time(from) } };
  },
}));

function changeIn(dialect: Dialect): TSchema {
  return Type.Object(
    {
      seq: Type.Integer({ description: 'position of the change; the `seq` of its event' }),
      at: timeIn(dialect),
      event: Type.String({
        description:
          'created, updated, deactivated, reactivated, restored, banned, unbanned, muted, unmuted, flagged, unflagged, ' +
          'deleted:soft, deleted:pruning, deleted:hard; gap: changes up to here may be missing',
      }),
      source: Type.Optional(Type.String({ description: 'server, client, live, import, daemon' })),
      by: Type.Optional(Type.String({ description: 'the user who did it, if a user did' })),
      client: Type.Optional(Type.String({ description: 'what the caller says it is' })),
      job: Type.Optional(Type.String({ description: 'the import' })),
      fields: Type.Optional(Type.Array(Type.String(), { description: 'what changed, custom data by its keys; values are not kept' })),
    },
    { title: `Change_${dialect}` },
  );
}
