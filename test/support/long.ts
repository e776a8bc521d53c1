/** Whether the long form of a test is asked for (`npm run test:long`). */
export const isLong = (process.env.ROSTERD_TEST_ARGS ?? '').split(' ').includes('--long');
