/** The rig of the store, journal.ts, in the form of the others: its figures with their targets, for the table and for bench.json. */
import { journalBench, type Rate } from './journal.ts';
import type { Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { overRounds } from './kit/stats.ts';

export async function journalReport(): Promise<Report> {
  const { plain, oneInFlight, eightInFlight, snapshotSave, snapshotLoad, reopenSeconds } = await journalBench();
  const rate = (what: string, { usersPerSecond }: Rate, least: number): Row => {
    const peers = [{ name: 'plain append + fdatasync', stat: overRounds([plain.usersPerSecond]) }];
    return { what, unit: 'users/s', stat: overRounds([usersPerSecond]), target: { least }, peers };
  };
  const figure = (what: string, unit: string, value: number, most?: number): Row => {
    return { what, unit, stat: overRounds([value]), ...(most === undefined ? {} : { target: { most } }) };
  };
  /** As the disk has it: at most 1.3 times what the plain loop waits. */
  const wait = (what: string, pick: (rate: Rate) => number): Row => ({
    ...figure(what, 'ms', pick(oneInFlight), 1.3 * pick(plain)),
    peers: [{ name: 'plain append + fdatasync', stat: overRounds([pick(plain)]) }],
  });
  return {
    rig: 'journal',
    notes: ['the journal alone, in this process: no HTTP, no directory; medians of the rounds inside.'],
    rows: [
      rate('entries of 100 users, one in flight', oneInFlight, 150_000),
      wait('  acknowledged, p50', ({ ackP50Ms }) => ackP50Ms),
      wait('  acknowledged, p99', ({ ackP99Ms }) => ackP99Ms),
      rate('entries of 100 users, eight in flight', eightInFlight, 300_000),
      figure('  acknowledged, p99', 'ms', eightInFlight.ackP99Ms),
      figure('snapshot of 1,000,000 users saved', 's', snapshotSave.seconds, 10),
      figure('  event-loop delay, p99', 'ms', snapshotSave.delayP99Ms, 20),
      figure('  event-loop delay, max', 'ms', snapshotSave.delayMaxMs, 100),
      figure('snapshot loaded', 's', snapshotLoad.seconds),
      figure('journal of 300,000 users reopened', 's', reopenSeconds),
    ],
  };
}

await runWhenMain(import.meta.url, journalReport);
