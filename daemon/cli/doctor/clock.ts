/** The clock of this machine beside that of the database, or of the daemon. */
import { errorText } from '../../../protocol/base/errors.ts';
import { databaseClock } from '../../../store/postgres/offline/clock.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

/** A node whose clock is off by more is not ready (ND5). */
const NODE_MS_MAX = 500;
/** An answer says its time in whole seconds. */
const DAEMON_MS_MAX = 2_500;
const ADVICE = 'run NTP on both machines';

/** `log`: the address of the database. */
export async function databaseClockFinding(log: string, nowMs: () => number): Promise<Finding> {
  try {
    const { name, aheadMs } = await databaseClock(log, nowMs);
    const found = `this machine and the database ${name} differ by ${Math.round(Math.abs(aheadMs))} ms`;
    return Math.abs(aheadMs) > NODE_MS_MAX ? fail('clock', found, ADVICE) : ok('clock', found);
  } catch (error) {
    return fail('database', errorText(error), 'without it, the daemon does not start');
  }
}

/** `date`: the header of an answer that came just now. */
export function daemonClockFinding(date: string | undefined, nowMs: number): Finding {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return warn('clock', 'the answer of the daemon has no Date', 'let the proxy pass it on');
  const differenceMs = nowMs - theirs;
  const found = `this machine and the daemon differ by ${Math.abs(Math.round(differenceMs / 1_000))} s`;
  return Math.abs(differenceMs) > DAEMON_MS_MAX
    ? warn('clock', found, `tokens made here may not be valid there; ${ADVICE}`)
    : ok('clock', found);
}
