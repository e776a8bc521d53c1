/** CO43: the list of tasks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { httpWorld, NOW_MS } from '../../support/http/fake-backend.ts';

test('CO43 tasks are listed newest first, in pages, and by status', async () => {
  const world = httpWorld();
  const status = ['waiting', 'running', 'completed', 'failed', 'completed'] as const;
  for (const [n, one] of status.entries()) {
    const at = (NOW_MS - 1_000 + n) * 1_000;
    const doc = { id: `t${n}`, kind: 'delete_users', status: one, created_at: at, updated_at: at, progress: { done: n, total: 9 } };
    await world.backend.submit({ kind: 'docs', changes: [{ kind: 'task', id: doc.id, doc }] }, 'bulk');
  }
  const ids = async (query: string): Promise<string[]> => {
    const { status: code, body } = await world.send('GET', `/api/v2/tasks${query}`);
    assert.equal(code, 200, JSON.stringify(body));
    return body.tasks.map((task: { task_id: string }) => task.task_id);
  };
  assert.deepEqual(await ids(''), ['t4', 't3', 't2', 't1', 't0']);
  assert.deepEqual(await ids('?limit=2&offset=1'), ['t3', 't2']);
  assert.deepEqual(await ids('?status=completed'), ['t4', 't2']);
  const { body } = await world.send('GET', '/tasks?limit=1');
  const [{ kind, progress, created_at }] = body.tasks;
  assert.deepEqual([kind, progress, typeof created_at], ['delete_users', { done: 4, total: 9 }, 'string']);
  for (const query of ['?status=odd', '?offset=-1', '?limit=x']) {
    const refused = await world.send('GET', `/api/v2/tasks${query}`);
    assert.equal(refused.status, 400, query);
    assert.match(refused.text, new RegExp(`"path":"${query.slice(1).split('=')[0]}"`), query);
  }
});
