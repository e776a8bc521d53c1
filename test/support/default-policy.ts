/** The policy of a daemon with default settings. */
import type { Policy } from '../../daemon/core/policy.ts';

export const DEFAULT_POLICY: Policy = {
  connectRole: 'refuse',
  connectGuard: 'guard',
  reuseHardDeleted: false,
  tasksKeptMicros: 7 * 24 * 3_600_000_000,
  exportsKeptMicros: 60 * 24 * 3_600_000_000,
  receiptsKeptMicros: 24 * 3_600_000_000,
};
