/** The contract of the history of users (test/support/history/history-contract.ts) in files. */
import { HistoryJob } from '../../../daemon/jobs/history/follower.ts';
import { historyContract } from '../../support/history/history-contract.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';

historyContract({
  options: {},
  keep: async () => {
    const folder = await temporaryDirectory();
    return {
      start: async (options) => {
        const job = new HistoryJob({ ...options, folder, bytesMax: 1 << 26 });
        job.start();
        return job;
      },
    };
  },
});
