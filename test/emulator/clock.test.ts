/** EM10: the clock of the emulator, and what waits for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EmulatorClock } from '../../daemon/emulator/clock.ts';
import { eventually } from '../support/eventually.ts';

const DAY_MS = 24 * 3_600_000;

test('EM10 the clock runs as the machine does, and can be set', () => {
  const clock = new EmulatorClock();
  assert.ok(Math.abs(clock.now() - Date.now()) < 1_000);
  clock.advance(DAY_MS);
  assert.equal(clock.offsetMs, DAY_MS);
  const { now, nowMs, wallMs } = clock.clocks;
  for (const ms of [now() / 1_000, nowMs(), wallMs(), clock.now()]) assert.ok(ms - Date.now() > DAY_MS - 60_000, String(ms));
  clock.set(Date.UTC(2030, 0, 1));
  assert.ok(clock.now() - Date.UTC(2030, 0, 1) < 60_000);
  clock.reset();
  assert.equal(clock.offsetMs, 0);
});

test('EM10 what sleeps wakes up when its time is skipped, even after a month and more', async () => {
  const clock = new EmulatorClock();
  const woken: string[] = [];
  const sleeping = [1, 40, 41].map((days) => clock.sleep(days * DAY_MS).then(() => woken.push(`${days}`)));
  clock.advance(DAY_MS);
  await sleeping[0];
  assert.deepEqual(woken, ['1']);
  clock.advance(39 * DAY_MS);
  await sleeping[1];
  clock.advance(DAY_MS);
  await Promise.all(sleeping);
  assert.deepEqual(woken, ['1', '40', '41']);
});

test('EM10 a clock that is set back makes nobody wait longer, and time that only passes does not go back', async () => {
  const clock = new EmulatorClock();
  let isAwake = false;
  void clock.sleep(DAY_MS).then(() => {
    isAwake = true;
  });
  const before = clock.steady.nowMs();
  clock.advance(DAY_MS / 2);
  clock.set(clock.now() - 10 * DAY_MS);
  assert.ok(clock.steady.nowMs() - before >= DAY_MS / 2);
  clock.advance(DAY_MS / 2);
  await eventually(() => isAwake);
});

test('EM10 an aborted sleep ends at once, and a timer that is undone does not fire', async () => {
  const clock = new EmulatorClock();
  const stop = new AbortController();
  const sleeping = clock.sleep(DAY_MS, stop.signal);
  stop.abort();
  await sleeping;
  await clock.sleep(DAY_MS, stop.signal);
  const fired: string[] = [];
  const undo = clock.steady.after(DAY_MS, () => fired.push('undone'));
  clock.steady.after(DAY_MS, () => fired.push('kept'));
  undo();
  clock.advance(DAY_MS);
  await eventually(() => fired.length > 0);
  assert.deepEqual(fired, ['kept']);
});
