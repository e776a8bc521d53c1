/**
 * Tests that are long by nature (fuzz, kills, full size) run in a small version by default and in full with `npm run test:long`,
 * which runs the files that import this one.
 */

/** Whether the full version is asked for. */
export const isLong = (process.env.ROSTERD_TEST_ARGS ?? '').split(' ').includes('--long');

/** `small` by default, `full` with `--long`. */
export function sized<T>(small: T, full: T): T {
  return isLong ? full : small;
}
