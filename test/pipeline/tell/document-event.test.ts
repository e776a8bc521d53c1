/** DE3: how an event about a document is written down. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachText } from '../../../daemon/pipeline/tell/frame.ts';
import { batchFromLog } from '../../../daemon/pipeline/tell/user-event.ts';
import { toNanos, toRfc3339 } from '../../../protocol/base/time.ts';
import { docEventType, renderDocEvent } from '../../../protocol/live/document-events.ts';
import type { DocFact } from '../../../protocol/log/documents.ts';
import { AT, benchOf, importTask, lookupsOf, START, task } from '../../support/document-kit.ts';
import { RulesBench } from '../../support/rules-bench.ts';

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
  const urls = [1, 2].map(() => [...eachText(event.frame('live', '', true))].map((text) => JSON.parse(text).url));
  assert.deepEqual(urls, [['link 1'], ['link 2']]);
  const bare = renderDocEvent(fact, 1, AT, 'live', { ...lookups, exportUrl: () => undefined });
  assert.ok(!('url' in bare));
});
