/** SQ3, FD8, SN1: documents, and what a draft lays over them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Docs, DraftDocs } from '../../../daemon/core/directory/documents.ts';
import type { UserGroup } from '../../../protocol/access/groups.ts';
import type { Activity } from '../../../protocol/feeds/activities.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';

const group = (id: string, ...members: string[]): DocChange => {
  const doc: UserGroup = {
    id,
    name: id,
    created_at: 1,
    updated_at: 1,
    members: members.map((user_id) => ({ user_id, is_admin: false, created_at: 1 })),
  };
  return { kind: 'group', id, doc };
};
const role = (id: string): DocChange => ({ kind: 'role', id, doc: { name: id, created_at: 1, updated_at: 1 } });
const gone = (kind: 'group' | 'role' | 'activity', id: string): DocChange => ({ kind, id, doc: null });
const activity = (id: string, time: number, ...feeds: string[]): DocChange => {
  const doc: Activity = { id, feeds, origin: feeds[0] ?? '', time, data: {} };
  return { kind: 'activity', id, doc };
};
const idsOf = (docs: Iterable<object>): string[] =>
  [...docs].map((doc) => ('id' in doc ? String(doc.id) : 'name' in doc ? String(doc.name) : ''));

/** ann and bob in `one`, bob in `two`; a role. */
function filled(): Docs {
  const docs = new Docs();
  for (const change of [group('one', 'ann', 'bob'), group('two', 'bob'), role('boss')]) docs.put(change);
  return docs;
}

test('SN1 a change of a document gives the change that undoes it, and the order is that of the first put', () => {
  const docs = filled();
  const [before] = [...docs.changes()].filter(({ id }) => id === 'one');
  assert.equal(docs.put(group('one', 'cem')), before);
  assert.deepEqual(docs.put(group('new')), gone('group', 'new'));
  assert.deepEqual(idsOf(docs.all('group')), ['one', 'two', 'new']);
  assert.deepEqual(docs.put(gone('group', 'two')), group('two', 'bob'));
  assert.deepEqual(docs.put(gone('group', 'none')), gone('group', 'none'));
  assert.deepEqual([idsOf(docs.all('group')), docs.count('group'), docs.count('role'), docs.count('task')], [['one', 'new'], 2, 1, 0]);
  assert.deepEqual([...docs.changes()], [role('boss'), group('one', 'cem'), group('new')]);
});

test('FD8 documents are found under each of their keys, and under none that they left', () => {
  const docs = filled();
  const under = (key: string) => [idsOf(docs.under('group', key)), docs.countUnder('group', key)];
  assert.deepEqual(
    [under('ann'), under('bob'), under('cem')],
    [
      [['one'], 1],
      [['one', 'two'], 2],
      [[], 0],
    ],
  );
  docs.put(group('one', 'bob', 'cem'));
  assert.deepEqual(
    [under('ann'), under('bob'), under('cem')],
    [
      [[], 0],
      [['two', 'one'], 2],
      [['one'], 1],
    ],
  );
  docs.put(gone('group', 'one'));
  docs.put(gone('group', 'two'));
  assert.deepEqual(
    [under('bob'), under('cem')],
    [
      [[], 0],
      [[], 0],
    ],
  );
  assert.deepEqual(docs.newest('group', 'bob', { limit: 9 }), [], 'only what has a time is in an order of time');
  for (const [id, time] of [
    ['a', 5],
    ['b', 7],
    ['c', 6],
  ] as const)
    docs.put(activity(id, time, 'user:ann'));
  assert.deepEqual(idsOf(docs.newest('activity', 'user:ann', { limit: 2 })), ['b', 'c']);
  assert.deepEqual([idsOf(docs.under('activity', 'user:ann')), docs.countUnder('activity', 'user:ann')], [['a', 'c', 'b'], 3]);
  docs.put(activity('b', 4, 'user:ann'));
  assert.deepEqual(idsOf(docs.newest('activity', 'user:ann', { limit: 9 })), ['c', 'a', 'b']);
  docs.put(gone('activity', 'c'));
  assert.deepEqual(
    [idsOf(docs.newest('activity', 'user:ann', { limit: 9 })), docs.newest('activity', 'user:bob', { limit: 9 })],
    [['a', 'b'], []],
  );
});

test('SQ3 a draft shows documents as they will be: changed, new and gone ones, under each key, and how many', () => {
  const docs = filled();
  const draft = new DraftDocs(docs);
  const shown = () => ({
    all: idsOf(draft.all('group')),
    count: draft.count('group'),
    bob: [idsOf(draft.under('group', 'bob')), draft.countUnder('group', 'bob')],
    ann: [idsOf(draft.under('group', 'ann')), draft.countUnder('group', 'ann')],
    roles: [idsOf(draft.all('role')), draft.count('role')],
  });
  const before = { all: ['one', 'two'], count: 2, bob: [['one', 'two'], 2], ann: [['one'], 1], roles: [['boss'], 1] };
  assert.deepEqual(shown(), before);
  draft.put(group('two', 'ann'));
  assert.deepEqual(shown(), { ...before, bob: [['one'], 1], ann: [['one', 'two'], 2] });
  draft.put(group('new', 'bob'));
  assert.deepEqual(shown(), { ...before, all: ['one', 'two', 'new'], count: 3, bob: [['one', 'new'], 2], ann: [['one', 'two'], 2] });
  draft.put(gone('group', 'one'));
  // A role of the same id is another document.
  draft.put(role('one'));
  assert.deepEqual(shown(), { all: ['two', 'new'], count: 2, bob: [['new'], 1], ann: [['two'], 1], roles: [['boss', 'one'], 2] });
  assert.deepEqual(
    [draft.get('group', 'one'), draft.get('role', 'one')?.name, draft.get('role', 'boss')?.name],
    [undefined, 'one', 'boss'],
  );
  draft.put(gone('group', 'new'));
  draft.put(gone('group', 'none'));
  assert.deepEqual([shown().all, shown().count], [['two'], 1]);
  draft.clear();
  assert.deepEqual(shown(), before);
});
