/** The endpoint that sets and removes single fields of users. */
import { withHeaders } from '../../../protocol/users/conditions.ts';
import { decodePatches, PatchBody } from '../../../protocol/users/patch-request.ts';
import { actorOf, laneOf } from '../http/acting.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { changedUsers, changedUsersIn, dryAnswer, idsIn } from './changed-users.ts';
import { DryRunQuery, dryRun, isDryRun } from './dry-run.ts';

export const PATCH_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/users', (dialect) => ({
    operation: 'UpdateUsersPartial',
    method: 'PATCH',
    access: 'user',
    summary: 'Sets and removes single fields of users',
    query: DryRunQuery,
    body: PatchBody,
    answer: changedUsersIn(dialect),
    isConditional: 'user',
    handle: async (call) => {
      const { backend, submit, caller, body, conditions } = call;
      const isDry = isDryRun(call.query, caller);
      const decoded = decodePatches(await body(), actorOf(caller));
      const command = withHeaders(decoded, idsIn(decoded.patches, decoded.problems), conditions);
      if (isDry) return dryAnswer(call, await dryRun(backend, command, dialect), dialect);
      return await changedUsers(call, await submit(command, laneOf(caller, command.patches.length)), dialect);
    },
  })),
];
