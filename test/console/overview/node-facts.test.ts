/** CO35: the health of a node, in words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ShownNode, type ShownState, stateFacts, verdictOf } from '../../../daemon/console/overview/node-facts.ts';

const STATE: ShownState = {
  ...{ version: '1.0.0', node_version: '22.1.0', uptime_s: 90, epoch: 'e', seq: 7, trouble: null, write_trouble: null },
  ...{ dead_letters: 0, data_free_bytes: 5e10, sample_s: 5, samples: { at: [] } },
};
const node = (changed: Partial<ShownState>): ShownNode => ({ is_here: true, state: { ...STATE, ...changed } });

test('CO35 a node is well, or says what is wrong and what that means', () => {
  assert.deepEqual(verdictOf(node({})), { health: 'well', word: 'well', reasons: [] });
  const away = verdictOf(node({ trouble: 'log away', write_trouble: 'log away' }));
  assert.deepEqual([away.health, away.word, away.reasons], ['bad', 'not ready', ['It should get no requests: log away.']]);
  const full = verdictOf(node({ write_trouble: 'no space', data_free_bytes: 0 }));
  assert.deepEqual([full.health, full.word, full.reasons.length], ['bad', 'read-only', 2]);
  const dead = verdictOf(node({ dead_letters: 1_200 }));
  assert.deepEqual([dead.health, dead.word], ['warning', 'needs a look']);
  assert.match(dead.reasons[0] ?? '', /^1,200 events/);
  const silent = verdictOf({ is_here: false, error: 'no answer' });
  assert.deepEqual([silent.health, silent.word], ['bad', 'does not answer']);
});

test('CO35 what is not known of a node is named as such', () => {
  assert.deepEqual(stateFacts(STATE), [
    ['Version', '1.0.0, on Node 22.1.0'],
    ['Running for', '1 min'],
    ['Position', 'e:7'],
    ['Free disk space', '50.0 GB'],
  ]);
  assert.equal(stateFacts({ ...STATE, data_free_bytes: null }).at(-1)?.[1], 'not known');
});
