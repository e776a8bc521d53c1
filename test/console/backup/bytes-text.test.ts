/** CO44: the size of a backup, for people. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesText } from '../../../daemon/console/backup/bytes-text.ts';

test('CO44 sizes have three digits or fewer and a unit', () => {
  assert.deepEqual([0, 999, 1_000, 1_449, 123_456, 999_949, 5e9, 7e15].map(bytesText), [
    ...['0 bytes', '999 bytes', '1.0 kB', '1.4 kB', '123 kB', '1.0 MB', '5.0 GB', '7000 TB'],
  ]);
});
