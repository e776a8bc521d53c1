/** CO46: questions about dead letters, and their replay. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { letterCall, lettersCall, replayCall, replayQuestion, replayResult } from '../../../daemon/console/hooks/letter-query.ts';

const ALL = { subject: '', from: '', to: '' };

test('CO46 letters are asked for by user and by time, both ends included', () => {
  assert.equal(lettersCall('a b', ALL, undefined).path, '/api/v2/hooks/a%20b/dead_letters?limit=26');
  const { path } = lettersCall('h', { subject: ' ann ', from: '2026-01-02T03:04', to: '2026-01-02T03:05' }, 'l1');
  assert.deepEqual(Object.fromEntries(new URL(path, 'http://x').searchParams), {
    ...{ limit: '26', after: 'l1', subject: 'ann' },
    ...{ from: '2026-01-02T03:04:00Z', to: '2026-01-02T03:05:59.999999Z' },
  });
  assert.equal(letterCall('h', 'l/1').path, '/api/v2/hooks/h/dead_letters/l%2F1');
});

test('CO46 a replay is of the selected, of a time, or of all, and says which and how many remain', () => {
  assert.deepEqual(replayCall('h', ['a'], { from: '2026-01-02T03:04', to: '' }).body, { ids: ['a'] });
  assert.deepEqual(replayCall('h', undefined, { from: '2026-01-02T03:04', to: '' }).body, { from: '2026-01-02T03:04:00Z' });
  assert.deepEqual(replayCall('h', undefined, ALL).body, {});
  assert.equal(replayQuestion(['a'], ALL), 'This event is sent again.');
  assert.equal(replayQuestion(['a', 'b'], ALL), 'These 2 events are sent again.');
  assert.equal(replayQuestion(undefined, ALL), 'Every event that was given up or is parked is sent again, the oldest first.');
  assert.match(replayQuestion(undefined, { from: '2026-01-02T03:04', to: '' }), /of the time from 2026-01-02 03:04 UTC that was/);
  assert.equal(replayResult({ replaying: 1, remaining: 0 }), '1 event is being sent again.');
  assert.match(replayResult({ replaying: 1_000, remaining: 7 }), /^1000 events are being sent again\. 7 remain/);
});
