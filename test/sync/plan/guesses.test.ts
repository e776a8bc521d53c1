/** CO20: which fields columns fill, by their names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guessedMap } from '../../../daemon/sync/plan/guesses.ts';

test('CO20 usual names are recognised however they are written, each column once, and the rest becomes custom data', () => {
  const columns = ['Employee No', 'Display-Name', 'E-Mail', 'dept', 'Where?', 'username'];
  const map = { id: 'username', name: 'Display-Name', 'custom.email': 'E-Mail', 'custom.dept': 'dept' };
  assert.deepEqual(guessedMap(columns), map);
  assert.deepEqual(guessedMap([]), {});
});
