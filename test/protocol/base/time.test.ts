/** TM1–TM3: times in the forms that dialects write and read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTime, toNanos, toRfc3339 } from '../../../protocol/base/time.ts';

test('TM1 RFC 3339 has six digits of a second, in UTC', () => {
  assert.equal(toRfc3339(0), '1970-01-01T00:00:00.000000Z');
  assert.equal(toRfc3339(1_621_262_123_313_097), '2021-05-17T14:35:23.313097Z');
  assert.equal(toRfc3339(1_621_262_123_000_007), '2021-05-17T14:35:23.000007Z');
});

test('TM2 nanoseconds are written exactly, though they are above 2^53', () => {
  for (const micros of [1_778_198_400_123_456, 1_778_198_400_000_001, 1_999_999_999_999_999, 0, 7]) {
    assert.equal(JSON.stringify(toNanos(micros)), micros === 0 ? '0' : `${micros}000`);
  }
});

test('TM3 both forms are read back; what is no time is refused', () => {
  for (const micros of [0, 1_621_262_123_313_097, 1_778_198_400_123_456]) {
    assert.equal(parseTime(toRfc3339(micros)), micros);
    assert.equal(parseTime(toNanos(micros)), micros);
  }
  assert.equal(parseTime('2021-05-17T16:35:23.313097999+02:00'), 1_621_262_123_313_097);
  for (const wrong of ['2026-02-30T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-01', 'yesterday', '', -1, Number.NaN, null, true, {}]) {
    assert.equal(parseTime(wrong), undefined, String(wrong));
  }
});
