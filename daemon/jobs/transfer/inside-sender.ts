/** Brings batches to the directory of the same process: what `POST /users` does, without a request. */

import { RosterError, renderChatError } from '../../../protocol/base/errors.ts';
import { decodeUpsert, type UpsertCommand } from '../../../protocol/users/upsert.ts';
import type { Roster } from '../../pipeline/roster.ts';
import type { Answer, Send } from '../../sync/transport.ts';

type Change = Pick<UpsertCommand, 'existing' | 'mergeCustom'>;

/** Refusals come back as answers, like those of the daemon to `rosterd sync`. `job`: the import. Rejects for mistakes only. */
export function createInsideSender(roster: Pick<Roster, 'submit'>, change: Change, job: string): Send {
  return async (text) => {
    try {
      const command = { ...decodeUpsert('v1', JSON.parse(text), { kind: 'server' }), ...change };
      const { users } = await roster.submit(command, 'bulk', { source: 'import', job });
      const ids = { created: [] as string[], updated: [] as string[], unchanged: [] as string[] };
      for (const { user, change: what } of users) ids[what].push(user.id);
      return answer(200, { users: {}, ...ids });
    } catch (error) {
      // A mistake of ours is not passing: the same batch would end the same way again.
      if (!(error instanceof RosterError) || error.kind === 'internal') throw error;
      return answer(error.spec.status, renderChatError(error, 'ImportUsers', '0.00ms'));
    }
  };
}

function answer(status: number, body: object): Answer {
  return { status, header: () => undefined, body: JSON.stringify(body) };
}
