/** LG11: lines of a snapshot are taken whole and exactly as they are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLines } from '../../../store/snapshot/lines.ts';

const parsed = (...lines: string[]): unknown => parseLines(Buffer.from(lines.map((line) => `${line}\n`).join('')));

test('LG11 each line is one JSON value; two in one line, half of one and an empty line are none', () => {
  assert.deepEqual(parsed('{"a":1}'), [{ a: 1 }]);
  assert.deepEqual(parsed('{"a":"ü"}', '{"b":[1,2]}', '{}'), [{ a: 'ü' }, { b: [1, 2] }, {}]);
  for (const wrong of [
    ['{"a":1},{"b":2}'],
    ['{"a":1}', '{"b":2},{"c":3}'],
    ['{"a":1', '"b":2}'],
    ['{"a":1}', '', '{"b":2}'],
    [''],
    ['{"a":1}]'],
    ['{"a":1}', '{"b"'],
    ['[', ']'],
  ]) {
    assert.equal(parsed(...wrong), undefined, JSON.stringify(wrong));
  }
});
