/** Sends batches to the directory of the same process: does what `POST /users` does, without a request. */

import { RosterError, renderChatError } from '../../../protocol/base/errors.ts';
import type { Change as Effect } from '../../../protocol/log/command.ts';
import type { UpsertCommand } from '../../../protocol/users/upsert.ts';
import type { Roster } from '../../pipeline/roster.ts';
import type { Reply, Send } from '../../sync/transport.ts';
import type { ImportItem } from './import-item.ts';

type Change = Pick<UpsertCommand, 'existing' | 'mergeCustom'>;

/** Returns refusals as answers, like those of the daemon to `rosterd sync`. `job`: the import. Rejects only for programming errors. */
export function createInsideSender(roster: Pick<Roster, 'submit'>, change: Change, job: string): Send<ImportItem> {
  return async (sent) => {
    try {
      const users = sent.flatMap(({ user = [] }) => user);
      const command: UpsertCommand = { kind: 'upsert', actor: { kind: 'server' }, users, problems: [], ...change };
      const done = await roster.submit(command, 'bulk', { source: 'import', job });
      const ids: Record<Effect, string[]> = { created: [], updated: [], unchanged: [], reactivated: [], restored: [] };
      for (const { user, change: what } of done.users) ids[what].push(user.id);
      return reply(200, { users: {}, ...ids });
    } catch (error) {
      // A programming error does not pass: the same batch would fail in the same way again.
      if (!(error instanceof RosterError) || error.kind === 'internal') throw error;
      return reply(error.spec.status, { ...renderChatError(error, 'ImportUsers', '0.00ms') });
    }
  };
}

function reply(status: number, body: Record<string, unknown>): Reply {
  return { status, header: () => undefined, body, text: '' };
}
