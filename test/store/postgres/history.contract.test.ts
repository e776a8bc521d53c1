/** The contract of the history of users (test/support/history/history-contract.ts) in rows. */
import { randomUUID } from 'node:crypto';
import { SharedHistory } from '../../../daemon/jobs/history/shared.ts';
import type { Roster } from '../../../daemon/pipeline/roster.ts';
import type { Position } from '../../../protocol/base/position.ts';
import { PostgresHistory } from '../../../store/postgres/history.ts';
import { PostgresLeases } from '../../../store/postgres/leases.ts';
import { historyContract } from '../../support/history/history-contract.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';

const kit = PgKit.ofFile();

historyContract({
  options: pgOptions,
  keep: async (t) => {
    const app = randomUUID();
    // The log of the history is one in memory: this one must not notice that its own was put aside.
    const { log } = await kit.node(app, { pulseMs: 600_000 });
    const [table, leases] = [new PostgresHistory(app, log.links), new PostgresLeases(app, log.links)];
    t.after(() => Promise.all([table.close(), leases.close()]));
    const side = await (await log.links.ready()).side('test');
    t.after(() => side.close());
    const logIs = async ({ epoch, seq }: Position): Promise<void> => {
      await side.ask({ text: 'update rosterd.head set epoch = $2, seq = $3 where app = $1', values: [app, epoch, seq] });
    };
    let token = 0;
    const submit: Roster['submit'] = async (command) => {
      if (command.kind !== 'lease') throw new Error(`${command.kind} is not expected`);
      const { job, holder } = command;
      return { users: [], warnings: [], docs: [{ kind: 'lease', id: job, doc: { id: job, holder, token: ++token } }], seq: 0 };
    };
    return {
      start: async (options) => {
        const { roster } = options;
        await logIs(roster.position);
        const { follow } = roster;
        const submitting = { follow, submit, keptAfter: 0, position: roster.position };
        Object.defineProperties(submitting, {
          keptAfter: { get: () => roster.keptAfter },
          position: { get: () => roster.position },
        });
        const history = new SharedHistory({ ...options, roster: submitting, table, leases, bytesMax: 1 << 26 });
        history.start();
        return {
          page: async (question) => {
            await logIs(roster.position);
            return await history.page(question);
          },
          stop: () => history.stop(),
        };
      },
    };
  },
});
