/** The endpoint that creates and replaces users. */
import { withFields } from '../../../protocol/base/json.ts';
import { withHeaders } from '../../../protocol/users/conditions.ts';
import { UpsertBody, upsertDecoding } from '../../../protocol/users/upsert.ts';
import { stepped } from '../answers/answer-text.ts';
import { actorOf, laneOf } from '../http/acting.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { changedUsers, changedUsersIn, dryAnswer, idsIn, takenOutOf } from './changed-users.ts';
import { DryRunQuery, dryRun, isDryRun } from './dry-run.ts';

export const UPSERT_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/users', (dialect) => ({
    operation: 'UpdateUsers',
    method: 'POST',
    access: 'user',
    summary: 'Creates users, or replaces name, image and custom data of those that exist',
    query: DryRunQuery,
    body: UpsertBody,
    answer: changedUsersIn(dialect),
    isConditional: 'user',
    handle: async (call) => {
      const { backend, submit, caller, body, conditions } = call;
      const isDry = isDryRun(call.query, caller);
      const decoded = await stepped(upsertDecoding(dialect, await body(), actorOf(caller)), caller);
      const command = withHeaders(decoded, idsIn(decoded.users, decoded.problems), conditions);
      if (isDry) {
        const dry = await dryRun(backend, command, dialect);
        return await dryAnswer(call, dry, dialect, takenOutOf(call, command.users, dry.outcome));
      }
      const outcome = await submit(command, laneOf(caller, command.users.length));
      const isCreated = outcome.users.some(({ change }) => change === 'created');
      const answer = await changedUsers(call, outcome, dialect, takenOutOf(call, command.users, outcome));
      return isCreated ? withFields(answer, { status: 201 }) : answer;
    },
  })),
];
