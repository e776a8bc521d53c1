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
