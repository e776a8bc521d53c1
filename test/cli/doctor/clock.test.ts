/** DR6: clocks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daemonClockFinding, databaseClockFinding } from '../../../daemon/cli/doctor/clock.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

test('DR6 the time of an answer is held against the clock of this machine', () => {
  const date = 'Sun, 06 Nov 1994 08:49:37 GMT';
  const atMs = Date.parse(date);
  assert.equal(daemonClockFinding(date, atMs + 1_900).health, 'ok');
  assert.deepEqual([daemonClockFinding(date, atMs + 4_000).health, daemonClockFinding(date, atMs - 4_000).health], ['warn', 'warn']);
  assert.match(daemonClockFinding(date, atMs + 90_000).found, /differ by 90 s/);
  assert.equal(daemonClockFinding(undefined, atMs).health, 'warn');
});

test('DR6 the clock of the database is held against that of this machine, and one that is away fails', pgOptions, async () => {
  assert.equal((await databaseClockFinding(kit.url(), Date.now)).health, 'ok');
  const ahead = await databaseClockFinding(kit.url(), () => Date.now() + 3_600_000);
  assert.equal(ahead.health, 'fail');
  assert.match(ahead.found, /differ by 3\d{6} ms/);
  const away = await databaseClockFinding('postgres://nobody@127.0.0.1:1/none', Date.now);
  assert.deepEqual([away.check, away.health], ['database', 'fail']);
});
