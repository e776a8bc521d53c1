/** SN5: an object of a shape is made the same way however many shapes there were before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KeySource, makerOf } from '../../../../daemon/core/directory/records/object-makers.ts';

test('SN5 makers are shared by their keys, and those beyond the bound make the same objects', () => {
  const sources = (name: string): KeySource[] => [
    { key: 'id', base: 'start', offset: 0 },
    { key: name, base: 'first', offset: 1 },
    { key: 'b', base: 'end', offset: 0 },
  ];
  const first = makerOf(sources('a'));
  for (let at = 0; at < 2_000; at++) {
    const name = `"\u2028'\`\${${at}`;
    assert.deepEqual(makerOf(sources(name))(['i', 2, 3, 4], 1, 3), { id: 'i', [name]: 3, b: 4 });
  }
  assert.equal(makerOf(sources('a')), first);
});
