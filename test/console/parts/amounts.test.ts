/** CO35: how amounts are written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationText, size, whole } from '../../../daemon/console/parts/amounts.ts';

test('CO35 amounts are written for people', () => {
  assert.deepEqual([0, 12.6, 1_234_567].map(whole), ['0', '13', '1,234,567']);
  assert.deepEqual([0, 999, 1_500, 999_949, 230_000_000, 5e12].map(size), ['0 bytes', '999 bytes', '1.5 kB', '1.0 MB', '230 MB', '5.0 TB']);
  assert.deepEqual([0, 0.0004, 0.25, 3.46, 42, 240, 18_720, 270_000].map(durationText), [
    ...['0 ms', '0.4 ms', '250 ms', '3.5 s', '42 s', '4 min', '5 h 12 min', '3 d 3 h'],
  ]);
});
