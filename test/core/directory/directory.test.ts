/** BK1: the view that a backup is made of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import type { FrozenView } from '../../../daemon/core/directory/frozen-view.ts';

test('BK1 a document that changes while the view is read comes once', () => {
  const directory = new Directory({ epoch: 'e', seq: 0 });
  const role = (name: string, at: number) => ({ t: 'doc', kind: 'role', id: name, doc: { name, created_at: at, updated_at: at } }) as const;
  directory.apply({ id: 'a', time: 1, first: 1, facts: [role('one', 1), role('two', 1), role('three', 1)] });
  const view: FrozenView = directory.freeze();
  const names: unknown[] = [];
  for (const line of view.lines()) {
    if (!('doc' in line)) continue;
    names.push(line.doc.id);
    if (names.length > 1) continue;
    directory.apply({
      id: 'b',
      time: 2,
      first: 4,
      facts: [role('one', 2), { t: 'doc', kind: 'role', id: 'two', doc: null }, role('four', 2)],
    });
  }
  assert.deepEqual(names.sort(), ['one', 'three', 'two']);
  view.release();
});
