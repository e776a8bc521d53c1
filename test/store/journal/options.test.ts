/** LG2, LG5, LG6: the default bounds of a journal, and how they belong together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { JOURNAL_DEFAULTS } from '../../../store/journal/options.ts';
import { DEFAULT_RETENTION } from '../../../store/journal/retention.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

test('LG2 LG5 LG6 the defaults are those that the README and the settings name, and a journal takes a bounded part of the memory', () => {
  const { segmentBytes, heldBytes, groupBytes, pendingBytes, recentBytes, blockBytes, cacheBytes } = JOURNAL_DEFAULTS;
  assert.deepEqual([segmentBytes, heldBytes], [64 * MIB, 4_096 * MIB], 'the length of a segment, and `webhooks.outbox_bytes_max`');
  assert.equal(pendingBytes, 2 * LIMITS.entryBytes, 'an entry of any length fits while another one is being written');
  assert.equal(groupBytes, 4 * MIB, 'a write that a disk takes in well under a second');
  // What readers share: live entries, and 64 blocks.
  assert.deepEqual([recentBytes, cacheBytes, blockBytes], [8 * MIB, 8 * MIB, 128 * KIB]);
  assert.deepEqual(DEFAULT_RETENTION, { facts: Number.POSITIVE_INFINITY, bytes: 256 * MIB, ageMs: 7 * 86_400_000 });
});
