/** AP1, AP4, AP6: what becomes of a batch of users to remove. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import type { RemovalBatch } from '../../../daemon/sync/apply/plan-batches.ts';
import { Remover, removalEntries } from '../../../daemon/sync/apply/remover.ts';
import { NO_RESULTS } from '../../../daemon/sync/counts.ts';
import { Pacer } from '../../../daemon/sync/pacer.ts';
import type { Removal } from '../../../daemon/sync/plan/plan-lines.ts';
import { type AskRequest, type Reply, replyOf } from '../../../daemon/sync/transport.ts';
import { FakeClock } from '../../support/sync/fake-server.ts';

const never = new AbortController().signal;

// Fake time takes no listener back.
setMaxListeners(0, never);

const reply = (status: number, body: unknown): Reply => replyOf(status, JSON.stringify(body));

interface Setup {
  readonly removal?: Removal;
  readonly ids?: readonly string[];
  /** Known to be removed before. */
  readonly known?: readonly string[];
  readonly task: (poll: number) => Reply;
  readonly accepted?: Reply;
}

async function removed({ removal = 'deactivate', ids = ['a'], known = [], task, accepted = reply(201, { task_id: 't 1' }) }: Setup) {
  const clock = new FakeClock();
  const asked: AskRequest[] = [];
  const fatal: string[] = [];
  let polls = 0;
  const startMs = clock.now();
  const retrier = { request: async (send: (signal: AbortSignal) => Promise<Reply>) => await send(never) };
  const pacer = new Pacer(clock);
  const remover = new Remover({
    ask: async (request) => {
      asked.push(request);
      return request.method === 'POST' ? accepted : task(++polls);
    },
    ...{ retrier: retrier as never, finishing: retrier as never, removals: pacer, tasks: pacer, throttle: undefined },
    ...{
      removed: new Set(known),
      clock,
      patienceMs: 60_000,
      stopping: never,
      leaving: never,
      onFatal: (reason: string) => fatal.push(reason),
    },
  });
  const batch: RemovalBatch = { removal, users: ids.map((id, index) => ({ line: index + 2, id, rev: 7 })), lastAt: 9 };
  const outcome = await remover.remove(batch);
  const counts = { ...NO_RESULTS };
  const entries = removalEntries(batch, outcome, counts);
  return { outcome, counts, entries, asked, fatal, waitedMs: clock.now() - startMs };
}

const done = (result?: unknown): Reply => reply(200, { status: 'completed', ...(result === undefined ? {} : { result }) });
const error = (text: string) => ({ status: 'error', error: text });

test('AP6 each user of a batch is in one count, by the result of the task for it', async () => {
  const ids = ['gone', 'same', 'newer', 'bad', 'untold', 'known'];
  const { counts, entries } = await removed({
    ids,
    known: ['known'],
    removal: 'hard-delete',
    task: () =>
      done({
        gone: { status: 'ok' },
        same: error('the user same was deleted'),
        newer: error('the user newer has revision 9, not 7'),
        bad: error('no'),
        known: { status: 'ok' },
      }),
  });
  const { hard_deleted, unchanged, changed_meanwhile, failed, sent } = counts;
  assert.deepEqual([hard_deleted, unchanged, changed_meanwhile, failed, sent], [1, 2, 1, 1, 1]);
  assert.deepEqual(
    entries.map((entry) => ('id' in entry ? `${entry.id} ${entry.result}` : '')),
    ['gone hard_deleted', 'newer changed_meanwhile', 'bad failed', 'untold sent'],
  );
});

test('AP1 what is so already counts as unchanged; for a deactivation, a deleted user has changed', async () => {
  const results = { already: error('the user already is already deactivated'), lost: error('the user lost does not exist') };
  const deactivated = await removed({ ids: ['already', 'lost'], task: () => done(results) });
  assert.deepEqual([deactivated.counts.unchanged, deactivated.counts.changed_meanwhile], [1, 1]);
  const deleted = await removed({ removal: 'soft-delete', ids: ['already', 'lost'], task: () => done(results) });
  assert.deepEqual([deleted.counts.unchanged, deleted.counts.failed], [1, 1]);
});

test('AP4 the request names the users, the revision of each and the kind of removal', async () => {
  for (const [removal, path, user] of [
    ['deactivate', '/users/deactivate', undefined],
    ['soft-delete', '/users/delete', 'soft'],
    ['hard-delete', '/users/delete', 'hard'],
  ] as const) {
    const { asked } = await removed({ removal, ids: ['a', 'b'], task: () => done() });
    assert.equal(`${asked[0]?.method} ${asked[0]?.path}`, `POST ${path}`);
    const body = JSON.parse(asked[0]?.body ?? '');
    assert.deepEqual([body.user_ids, body.user, body.if_rev], [['a', 'b'], user, { a: 7, b: 7 }]);
    assert.equal(`${asked[1]?.method} ${asked[1]?.path}`, 'GET /tasks/t%201');
  }
});

test('AP11 a task is asked for at growing intervals until it ends, and not for ever', async () => {
  const { waitedMs, asked, counts } = await removed({
    task: (poll) => (poll < 8 ? reply(200, { status: 'running' }) : done({ a: { status: 'ok' } })),
  });
  assert.equal(waitedMs, 100 + 200 + 400 + 800 + 1_600 + 2_000 + 2_000);
  assert.deepEqual([asked.length, counts.deactivated], [9, 1]);
  const endless = await removed({ task: () => reply(200, { status: 'running' }) });
  assert.match(endless.fatal.join(), /^the task t 1 was not done within /);
  assert.ok(endless.waitedMs <= 60_000 && endless.waitedMs > 55_000, `${endless.waitedMs}`);
  assert.deepEqual(
    endless.outcome.notSent.map(({ id }) => id),
    ['a'],
  );
});

test('AP6 a task that fails, or is not there, fails its users with the reason; an answer without a task ends the run', async () => {
  const failed = await removed({ task: () => reply(200, { status: 'failed', error: { description: 'the disk' } }) });
  assert.deepEqual(
    failed.outcome.refused.map(({ id, reason }) => `${id}: ${reason}`),
    ['a: the task t 1 failed: the disk'],
  );
  const silent = await removed({ task: () => reply(200, { status: 'failed' }) });
  assert.match(silent.outcome.refused[0]?.reason ?? '', /failed: no explanation$/);
  const lost = await removed({ task: () => reply(404, { code: 16, message: 'no such task' }) });
  assert.match(lost.outcome.refused[0]?.reason ?? '', /failed: no such task$/);
  const strange = await removed({ accepted: reply(201, {}), task: () => done() });
  assert.match(strange.fatal.join(), /is not that of a user directory \(status 201\)/);
  assert.deepEqual([strange.asked.length, strange.outcome.notSent.length], [1, 1]);
});

test('AP11 an answer about a task that is no JSON, or says nothing of its end, is asked for again', async () => {
  const { asked, counts } = await removed({
    task: (poll) => (poll === 1 ? replyOf(200, 'soon') : poll === 2 ? reply(200, {}) : done({ a: { status: 'ok' } })),
  });
  assert.deepEqual([asked.length, counts.deactivated], [4, 1]);
});

test('AP1 a hard delete of users that are gone is sent; of another removal only the users that are not so already', async () => {
  const task = () => done({ a: { status: 'ok' }, b: { status: 'ok' } });
  for (const removal of ['deactivate', 'soft-delete'] as const) {
    const some = await removed({ removal, ids: ['a', 'b'], known: ['a'], task });
    assert.deepEqual(JSON.parse(some.asked[0]?.body ?? '').user_ids, ['b']);
    assert.deepEqual([some.outcome.unchanged, some.outcome.done], [['a'], ['b']]);
    assert.deepEqual((await removed({ removal, ids: ['a'], known: ['a'], task })).asked, []);
  }
  const hard = await removed({ removal: 'hard-delete', ids: ['a', 'b'], known: ['a'], task });
  assert.deepEqual(JSON.parse(hard.asked[0]?.body ?? '').user_ids, ['a', 'b']);
  assert.deepEqual([hard.outcome.unchanged, hard.outcome.done], [['a'], ['b']]);
});

test('AP12 deactivations and soft deletes are marked as those of a sync; a hard delete leaves nothing', async () => {
  const body = async (removal: Removal): Promise<unknown> =>
    JSON.parse((await removed({ removal, task: () => done() })).asked[0]?.body ?? '');
  assert.deepEqual(await body('deactivate'), { user_ids: ['a'], if_rev: { a: 7 }, by_sync: true });
  assert.deepEqual(await body('soft-delete'), { user_ids: ['a'], user: 'soft', if_rev: { a: 7 }, by_sync: true });
  assert.deepEqual(await body('hard-delete'), { user_ids: ['a'], user: 'hard', messages: 'hard', conversations: 'hard', if_rev: { a: 7 } });
});

test('AP4 AP6 what is said of each user of a removal: its reason, its code, and whether it was changed meanwhile', async () => {
  const ids = ['gone', 'deleted', 'newer', 'odd', 'silent'];
  const { outcome } = await removed({
    ids,
    task: () =>
      done({
        gone: error('the user gone does not exist'),
        deleted: error('the user deleted was deleted'),
        newer: error('the user newer has revision 9, not 7'),
        odd: error('was deleted by mistake'),
        silent: { status: 'error' },
      }),
  });
  assert.deepEqual(
    outcome.refused.map(({ line, id, code, reason, isPrecondition }) => `${line} ${id} ${code} ${reason} ${isPrecondition}`),
    [
      '2 gone 4 the user gone does not exist true',
      '3 deleted 4 the user deleted was deleted true',
      '4 newer 4 the user newer has revision 9, not 7 true',
      '5 odd 4 was deleted by mistake undefined',
      '6 silent 4 refused undefined',
    ],
  );
  const failing = await removed({ task: () => reply(500, { message: 'm' }) });
  assert.deepEqual(
    failing.outcome.refused.map(({ line, code, reason }) => `${line} ${code} ${reason}`),
    ['2 500 the task t 1 failed: m'],
  );
});
