/** DE1 and DE2: which fact about a document carries an event. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DocEvent, Task } from '../../protocol/log/documents.ts';
import type { Fact } from '../../protocol/log/entry.ts';
import { AT, benchOf, importTask, task } from '../support/document-kit.ts';
import { RulesBench } from '../support/rules-bench.ts';

function events(facts: readonly Fact[]): (DocEvent | undefined)[] {
  return facts.map((fact) => (fact.t === 'doc' ? fact.event : undefined));
}

test('DE1 each change of a user group carries its event, with those who came or went, and nothing that changes nothing does', () => {
  const bench = benchOf('ann', 'bob', 'cem');
  const told = (act: () => unknown) => events(bench.factsOf(act));
  const group = (kind: 'group-add' | 'group-remove', memberIds: string[], asAdmin?: boolean) => () =>
    bench.run({ kind, id: 'g', memberIds, ...(asAdmin === undefined ? undefined : { asAdmin }) });
  const create = () => bench.run({ kind: 'group-create', id: 'g', name: 'G', memberIds: ['ann'], created_by: 'bob' });
  assert.deepEqual(told(create), [{ type: 'user_group.created', by: 'bob' }]);
  assert.deepEqual(told(group('group-add', ['ann', 'bob', 'cem'])), [{ type: 'user_group.member_added', members: ['bob', 'cem'] }]);
  assert.deepEqual(told(group('group-add', ['ann'])), []);
  assert.deepEqual(told(group('group-add', ['ann'], true)), [{ type: 'user_group.updated' }]);
  assert.deepEqual(told(group('group-remove', ['cem', 'nobody'])), [{ type: 'user_group.member_removed', members: ['cem'] }]);
  assert.deepEqual(told(group('group-remove', ['cem'])), []);
  assert.deepEqual(
    told(() => bench.run({ kind: 'group-update', id: 'g', name: 'H' })),
    [{ type: 'user_group.updated' }],
  );
  assert.deepEqual(
    told(() => bench.run({ kind: 'group-update', id: 'g', name: 'H' })),
    [],
  );
  const was = bench.directory.docs.get('group', 'g');
  assert.deepEqual(
    told(() => bench.run({ kind: 'group-delete', id: 'g' })),
    [{ type: 'user_group.deleted', was }],
  );
});

test('DE1 a user who is made anew under the id of a former member is told of as one who came', () => {
  const bench = new RulesBench({ reuseHardDeleted: true });
  bench.upsert([{ id: 'ann' }]);
  bench.run({ kind: 'group-create', id: 'g', name: 'G', memberIds: ['ann'] });
  bench.delete('ann', 'hard');
  bench.upsert([{ id: 'ann' }]);
  const facts = bench.factsOf(() => bench.run({ kind: 'group-add', id: 'g', memberIds: ['ann'] }));
  assert.deepEqual(events(facts), [{ type: 'user_group.member_added', members: ['ann'] }]);
});

test('DE2 an export is told of once, when it ends; an import with each step; what has no event is told to nobody', () => {
  const bench = new RulesBench();
  const put = (doc: Task) => events(bench.factsOf(() => bench.run({ kind: 'docs', changes: [{ kind: 'task', id: doc.id, doc }] })));
  for (const status of ['waiting', 'pending', 'running'] as const) assert.deepEqual(put(task({ status })), [undefined]);
  assert.deepEqual(put(task({ status: 'completed' })), [{ type: 'export.users.success' }]);
  assert.deepEqual(put(task({ status: 'completed', updated_at: AT + 9 })), [undefined]);
  assert.deepEqual(put(task({ id: 't2', status: 'failed' })), [{ type: 'export.users.error' }]);
  assert.deepEqual(put(task({ id: 't3', kind: 'delete_users', status: 'completed' })), [undefined]);
  const changes = [
    { kind: 'import', id: 'i1', doc: importTask() },
    { kind: 'import', id: 'i1', doc: null },
    { kind: 'task', id: 't1', doc: null },
    { kind: 'role', id: 'r', doc: { name: 'r', created_at: AT, updated_at: AT } },
  ] as const;
  assert.deepEqual(events(bench.factsOf(() => bench.run({ kind: 'docs', changes }))), [
    { type: 'import.updated' },
    undefined,
    undefined,
    undefined,
  ]);
});

test('DE2 documents and snapshots hold nothing of the event', () => {
  const bench = benchOf('ann');
  bench.run({ kind: 'group-create', id: 'g', name: 'G', memberIds: ['ann'] });
  const view = bench.directory.freeze();
  const lines = [...view.lines()].filter((line) => 'doc' in line);
  view.release();
  assert.equal(lines.length, 1);
  assert.deepEqual(lines, [{ doc: { kind: 'group', id: 'g', doc: bench.directory.docs.get('group', 'g') } }]);
});
