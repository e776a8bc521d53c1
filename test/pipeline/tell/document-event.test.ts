/** DE: events about user groups, exports and imports: which fact carries which, and how each is written down. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatEvent } from '../../../daemon/cli/watch/format.ts';
import { Conflation } from '../../../daemon/pipeline/tell/conflation.ts';
import { eachText } from '../../../daemon/pipeline/tell/frame.ts';
import { Interest } from '../../../daemon/pipeline/tell/interest.ts';
import { batchFromLog } from '../../../daemon/pipeline/tell/user-event.ts';
import { toNanos, toRfc3339 } from '../../../protocol/base/time.ts';
import { type DocLookups, docEventType, renderDocEvent } from '../../../protocol/live/document-events.ts';
import type { DocEvent, DocFact, Task } from '../../../protocol/log/documents.ts';
import type { Fact } from '../../../protocol/log/entry.ts';
import { EXPORT_TASK } from '../../../protocol/transfer/exports.ts';
import type { ImportTask } from '../../../protocol/transfer/imports.ts';
import { micros, RulesBench } from '../../support/rules-bench.ts';

const START = '2026-11-21T10:00:00Z';
const AT = micros(START);

function events(facts: readonly Fact[]): (DocEvent | undefined)[] {
  return facts.map((fact) => (fact.t === 'doc' ? fact.event : undefined));
}

function benchOf(...ids: readonly string[]): RulesBench {
  const bench = new RulesBench();
  bench.upsert(ids.map((id) => ({ id })));
  return bench;
}

function lookupsOf(bench: RulesBench): DocLookups {
  return { user: (id) => bench.directory.user(id), online: (id) => id === 'ann', exportUrl: (id) => `https://files/${id}` };
}

const task = (more: Partial<Task> = {}): Task => ({
  id: 't1',
  kind: EXPORT_TASK,
  status: 'running',
  created_at: AT,
  updated_at: AT + 2_000_000,
  started_at: AT + 1_000_000,
  ...more,
});

const importTask = (more: Partial<ImportTask> = {}): ImportTask => ({
  id: 'i1',
  path: 'p/users.jsonl',
  mode: 'upsert',
  state: 'importing',
  history: [{ prev_state: '', next_state: 'uploaded', created_at: AT }],
  created_at: AT,
  updated_at: AT,
  ...more,
});

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

/** The only fact about a document that `act` adds. */
function factOf(bench: RulesBench, act: () => unknown): DocFact {
  const [fact] = bench.factsOf(act);
  assert.ok(fact?.t === 'doc');
  return fact;
}

const DIALECTS = [
  ['live', toRfc3339, { seq: 9 }],
  ['live-ns', toNanos, { seq: 9 }],
  ['v1', toRfc3339, {}],
  ['v2', toNanos, { custom: {} }],
] as const;

for (const [dialect, time, more] of DIALECTS) {
  test(`DE3 ${dialect}: groups, exports and imports are written down as the dialect has it`, () => {
    const bench = new RulesBench({}, START);
    bench.upsert([{ id: 'ann' }, { id: 'bob' }]);
    const lookups = lookupsOf(bench);
    const written = (fact: DocFact) => JSON.parse(JSON.stringify(renderDocEvent(fact, 9, AT, dialect, lookups)));
    const base = { ...more, created_at: time(AT) };
    const born = time(AT + 2_000);
    const made = factOf(bench, () => bench.run({ kind: 'group-create', id: 'g', name: 'G', memberIds: ['bob'], created_by: 'ann' }));
    const { user, ...created } = written(made);
    const members = [{ app_pk: 0, group_id: 'g', user_id: 'bob', is_admin: false, created_at: born }];
    const group = { app_pk: 0, id: 'g', name: 'G', created_by: 'ann', created_at: born, updated_at: born, members };
    assert.deepEqual(created, { type: 'user_group.created', ...base, user_group: group });
    // A webhook has the user who did it; live, people are named by id.
    assert.deepEqual([user?.id, user?.online], dialect.startsWith('live') ? [undefined, undefined] : ['ann', true]);

    const exported = { t: 'doc', kind: 'task', id: 't1' } as const;
    const done: DocFact = { ...exported, doc: task({ status: 'completed' }), event: { type: 'export.users.success' } };
    const ended = { task_id: 't1', started_at: time(AT + 1_000_000), finished_at: time(AT + 2_000_000) };
    assert.deepEqual(written(done), { type: 'export.users.success', ...base, ...ended, url: 'https://files/t1' });
    const error = { type: 'internal', description: 'the disk is full' };
    const failed: DocFact = { ...exported, doc: task({ status: 'failed', error }), event: { type: 'export.users.error' } };
    assert.deepEqual(written(failed), { type: 'export.users.error', ...base, ...ended, error: 'the disk is full' });

    const running = importTask({ result: { users: 10, done: 11 } });
    const step: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: running, event: { type: 'import.updated' } };
    const { import_task, ...told } = written(step);
    assert.deepEqual(told, { type: 'import.updated', ...base, progress: { done: 10, total: 10 } });
    assert.deepEqual([import_task.id, import_task.created_at], ['i1', time(AT)]);
  });
}

test('DE3 an event that is read back shows members as far as they exist now; a deleted group as it was last', () => {
  const bench = benchOf('ann', 'bob');
  const made = factOf(bench, () => bench.run({ kind: 'group-create', id: 'g', name: 'G', memberIds: ['ann', 'bob'], created_by: 'ann' }));
  const gone = factOf(bench, () => bench.run({ kind: 'group-delete', id: 'g' }));
  bench.delete('ann');
  const lookups = lookupsOf(bench);
  for (const fact of [made, gone]) {
    const { user_group, user } = JSON.parse(JSON.stringify(renderDocEvent(fact, 3, AT, 'v2', lookups)));
    assert.deepEqual([user_group.name, user_group.members.map((member: { user_id: string }) => member.user_id)], ['G', ['bob']]);
    assert.equal(user, undefined);
  }
  assert.deepEqual([docEventType(made), docEventType(gone)], ['user_group.created', 'user_group.deleted']);
});

test('DE3 a link is made when it is told, lies in no fact, and is left out where no files are served', () => {
  const fact: DocFact = { t: 'doc', kind: 'task', id: 't1', doc: task({ status: 'completed' }), event: { type: 'export.users.success' } };
  let made = 0;
  const lookups = { ...lookupsOf(new RulesBench()), exportUrl: () => `link ${++made}` };
  const [event] = batchFromLog({ id: 'e', time: AT, first: 1, facts: [fact] }, lookups).events;
  assert.ok(event !== undefined);
  const urls = [1, 2].map(() => [...eachText(event.frame('live', ''))].map((text) => JSON.parse(text).url));
  assert.deepEqual(urls, [['link 1'], ['link 2']]);
  const bare = renderDocEvent(fact, 1, AT, 'live', { ...lookups, exportUrl: () => undefined });
  assert.ok(!('url' in bare));
});

test('DE4 only a server that wants everything is told, from its position on, whatever else it wants', () => {
  const fact: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: importTask(), event: { type: 'import.updated' } };
  const [event] = batchFromLog({ id: 'e', time: AT, first: 5, facts: [fact] }, lookupsOf(new RulesBench())).events;
  assert.ok(event !== undefined);
  const all = { kind: 'all' } as const;
  const cases = [
    ['server', all, 4, 'told'],
    ['server', all, 5, 'not told: the subscription begins after position 5'],
    ['self', all, 4, 'not told: only servers hear of import.updated'],
    ['others', all, 4, 'not told: only servers hear of import.updated'],
    [
      'server',
      { kind: 'ids', ids: new Set(['i1']) },
      4,
      'not told: import.updated is about no user, and told to subscriptions to everything',
    ],
    [
      'server',
      { kind: 'teams', teams: new Set(['red']) },
      4,
      'not told: import.updated is about no user, and told to subscriptions to everything',
    ],
  ] as const;
  for (const [reach, want, since, why] of cases) {
    const interest = new Interest({ name: 'x', want, since, reach });
    assert.equal(interest.explain(event), why);
    assert.equal(interest.concerns(event), why === 'told');
  }
});

test('DE5 who wants only the newest state of each user gets every event about documents, in its place', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: '1' }]);
  bench.run({ kind: 'group-create', id: 'g', name: 'G', memberIds: ['ann'] });
  bench.upsert([{ id: 'ann', name: '2' }]);
  bench.run({ kind: 'group-update', id: 'g', name: 'H' });
  const conflation = new Conflation([new Interest({ name: 'x', want: { kind: 'all' }, since: 0, reach: 'server' })]);
  for (const entry of bench.entries) for (const event of batchFromLog(entry, lookupsOf(bench)).events) conflation.take(event);
  assert.ok(conflation.bytes > 0);
  const told = conflation.frames('live').flatMap((frame) => [...eachText(frame)].map((text) => JSON.parse(text)));
  assert.deepEqual(
    told.map(({ seq, type, sub }) => [seq, type, sub]),
    [
      [2, 'user_group.created', ['x']],
      [3, 'user.updated', ['x']],
      [4, 'user_group.updated', ['x']],
    ],
  );
});

test('DE5 events of one entry stand in the order of their facts', () => {
  const bench = benchOf('ann', 'bob');
  const [first] = bench.entries;
  const user = first?.facts[0];
  assert.ok(user?.t === 'user');
  const step: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: importTask(), event: { type: 'import.updated' } };
  const silent: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: null };
  const batch = batchFromLog({ id: 'e', time: AT, first: 7, facts: [step, user, silent, step, user] }, lookupsOf(bench));
  assert.deepEqual(
    batch.events.map(({ seq, type, id }) => [seq, type, id]),
    [
      [7, 'import.updated', 'i1'],
      [8, 'user.updated', 'ann'],
      [10, 'import.updated', 'i1'],
      [11, 'user.updated', 'ann'],
    ],
  );
  assert.deepEqual([batch.first, batch.last], [7, 11]);
});

test('WA13 a line about a user group, an export or an import says what matters, and steers no terminal', () => {
  const base = { seq: 7, created_at: START };
  const user_group = { id: 'g', name: 'Crew', members: [] };
  const import_task = { id: 'i1', state: 'importing', result: { failed: 2 } };
  const cases = [
    [{ type: 'user_group.updated', user_group }, 'user_group.updated  g  "Crew"'],
    [{ type: 'user_group.member_added', user_group, members: ['ann', 'bob'] }, 'user_group.member_added  g  "Crew"  members=ann,bob'],
    [{ type: 'export.users.success', task_id: 't1', url: 'https://secret' }, 'export.users.success  t1'],
    [{ type: 'export.users.error', task_id: 't1', error: 'no room' }, 'export.users.error  t1  "no room"'],
    [{ type: 'import.updated', import_task: { id: 'i1', state: 'analyzing' } }, 'import.updated    i1  analyzing'],
    [{ type: 'import.updated', import_task, progress: { done: 3, total: 9 } }, 'import.updated    i1  importing  3/9  failed=2'],
    [
      { type: 'import.updated', import_task: { id: 'i1', state: 'analyze_failed', result: { reason: 'no list\u001b' } } },
      'import.updated    i1  analyze_failed  "no list\\u001b"',
    ],
  ] as const;
  for (const [event, line] of cases) assert.equal(formatEvent({ ...base, ...event }), `2026-11-21 10:00:00Z  #7  ${line}`);
});
