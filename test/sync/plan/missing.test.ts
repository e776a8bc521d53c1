/** PN4, PN8: who is missing, and who of them would be removed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MissingUsers } from '../../../daemon/sync/plan/missing.ts';
import type { Removal } from '../../../daemon/sync/plan/plan-lines.ts';

/** Users as `id`, with `-` before those that are deactivated; those of the source have a capital letter. */
function noted(removal: Removal, ...users: readonly string[]) {
  const lines: string[] = [];
  const missing = new MissingUsers(removal, { add: (line: string) => lines.push(line) } as never, (id) => /[A-Z]/.test(id));
  const removed = users.map((text, index) =>
    missing.note({ id: text.replace('-', ''), rev: index + 1, isDeactivated: text.startsWith('-') }),
  );
  const { count, removed: removals, living, inScope, deactivated } = missing;
  return { lines: lines.map((line) => JSON.parse(line)), removed, counts: { count, removals, living, inScope, deactivated } };
}

const USERS = ['a', '-b', 'C', '-D', 'e'];

test('PN8 who is deactivated is not deactivated again and is not in the scope, but is missing', () => {
  const { lines, removed, counts } = noted('deactivate', ...USERS);
  assert.deepEqual(lines, [
    { do: 'deactivate', id: 'a', rev: 1 },
    { do: 'deactivate', id: 'e', rev: 5 },
  ]);
  assert.deepEqual(removed, [true, false, false, false, true]);
  assert.deepEqual(counts, { count: 3, removals: 2, living: 5, inScope: 3, deactivated: 1 });
});

test('PN8 who is deactivated can be deleted', () => {
  for (const removal of ['soft-delete', 'hard-delete'] as const) {
    const { lines, removed, counts } = noted(removal, ...USERS);
    assert.deepEqual(
      lines.map(({ do: does, id, rev }) => `${does} ${id} ${rev}`),
      [`${removal} a 1`, `${removal} b 2`, `${removal} e 5`],
    );
    assert.deepEqual(removed, [true, true, false, false, true]);
    assert.deepEqual(counts, { count: 3, removals: 3, living: 5, inScope: 5, deactivated: 1 });
  }
});
