/** PE5: the settings that nodes share, as text, and which of them differ. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differingSettings, settingsFromText, settingsText } from '../../../store/postgres/node-settings.ts';

const of = (text: string) => settingsFromText(text);

test('PE5 settings are read as they were written; what is no setting is left out', () => {
  const settings = new Map([
    ['public_url', 'c3Rh'],
    ['rate_limits', 'b2Zm'],
  ]);
  assert.equal(settingsText(settings), 'public_url=c3Rh rate_limits=b2Zm');
  assert.deepEqual(of(settingsText(settings)), settings);
  assert.deepEqual([settingsText(new Map()), of('').size], ['', 0]);
  assert.deepEqual(
    [...of('a=1 torn b=2')],
    [
      ['a', '1'],
      ['b', '2'],
    ],
  );
});

test('PE5 settings that any two nodes know differently are named, in order; those that a node does not know are not', () => {
  assert.deepEqual(differingSettings([of('b=1 a=1 same=1'), of('a=2 b=1 same=1'), of('b=3 same=1 new=1')]), ['a', 'b']);
  assert.deepEqual(differingSettings([of('a=1'), of('b=1'), of('')]), []);
  assert.deepEqual(differingSettings([]), []);
});
