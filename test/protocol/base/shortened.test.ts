/** ER5: texts of callers that are shown in part. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortened } from '../../../protocol/base/shortened.ts';

test('ER5 a text is cut where it is too long, and never within a character', () => {
  assert.deepEqual([shortened('abc', 3), shortened('abcd', 3), shortened('', 3)], ['abc', 'abc…', '']);
  assert.deepEqual([shortened('a𝒐b', 3), shortened('a𝒐bc', 3), shortened('a𝒐bc', 2), shortened('𝒐𝒐', 1)], ['a𝒐…', 'a𝒐…', 'a…', '…']);
  for (let chars = 1; chars < 12; chars++) {
    const cut = shortened('x𝒕𝒉𝒆é𝒖y', chars);
    assert.equal(Buffer.from(cut).toString(), cut, 'UTF-8 has no half of a character');
  }
});
