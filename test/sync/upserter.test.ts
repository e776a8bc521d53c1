/** RN2, RN12, AP4, AP12, SY14: what is sent for a batch of users, and what its answer says of each. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import { Throttle } from '../../daemon/sync/throttle.ts';
import { type Reply, replyOf } from '../../daemon/sync/transport.ts';
import { dryRunRequest, Upserter, upsertRequest } from '../../daemon/sync/upserter.ts';
import { FakeClock } from '../support/sync/fake-server.ts';

const never = new AbortController().signal;

// Fake time takes no listener back.
setMaxListeners(0, never);

const user = (id: string, rev?: number) => ({ line: 1, id, json: `{"id":"${id}"}`, bytes: 9, ...(rev === undefined ? {} : { rev }) });

async function upserted(ids: readonly string[], answers: readonly [number, unknown][], usersPerSecond?: number, stopping = never) {
  const clock = new FakeClock();
  const fatal: string[] = [];
  const batches: string[] = [];
  const left = [...answers];
  const upserter = new Upserter({
    send: async (users): Promise<Reply> => {
      batches.push(users.map(({ id }) => id).join());
      const [status, body] = left.shift() ?? [500, {}];
      return replyOf(status, typeof body === 'string' ? body : JSON.stringify(body));
    },
    retrier: { request: async (send: (leaving: AbortSignal) => Promise<Reply>) => await send(never) } as never,
    pacer: undefined as never,
    throttle: usersPerSecond === undefined ? undefined : new Throttle(clock, usersPerSecond),
    stopping,
    onFatal: (reason) => fatal.push(reason),
  });
  const done = await upserter.upsert(ids.map((id) => user(id)));
  return { done, fatal, batches, slept: clock.slept };
}

const NONE = {
  created: [],
  updated: [],
  reactivated: [],
  restored: [],
  unchanged: [],
  sent: [],
  takenOut: [],
  inDoubt: new Set(),
  refused: [],
  notSent: [],
};

test('RN2 each user is in the list in which the answer names it; those that it does not name count as sent', async () => {
  const lists = { created: ['a'], updated: ['b'], reactivated: ['c'], restored: ['d'], unchanged: ['e'] };
  const ids = ['a', 'b', 'c', 'd', 'e'];
  assert.deepEqual((await upserted(ids, [[200, { users: {}, ...lists }]])).done, { ...NONE, ...lists });
  const some = await upserted([...ids, 'f', 'g'], [[201, { users: {}, ...lists, updated: undefined }]]);
  assert.deepEqual(some.done, { ...NONE, ...lists, updated: [], sent: ['b', 'f', 'g'] });
  assert.deepEqual((await upserted(['a', 'b'], [[200, { users: {} }]])).done, { ...NONE, sent: ['a', 'b'] });
});

test('RN12 an answer without users is none of a user directory, and ends the run', async () => {
  for (const [body, says] of [
    ['<html>\n hello', '<html> hello'],
    [{ users: [] }, '{"users":[]}'],
    [{ message: 'm' }, 'm'],
    ['x'.repeat(300), 'x'.repeat(200)],
  ] as const) {
    const { done, fatal } = await upserted(['a'], [[200, body]]);
    assert.deepEqual(fatal, [`the answer is not that of a user directory (status 200): ${says}`]);
    assert.deepEqual([done.notSent.map(({ id }) => id), [...done.inDoubt], done.sent], [['a'], ['a'], []]);
  }
});

test('SY14 users that an earlier sync took out are known from the answer, or from their refusal', async () => {
  const taken_out = { a: 'deactivated', b: 'deleted', c: 'something else' };
  const errors = [
    { path: 'users[d]', code: 16, message: 'the user d was deleted by a sync' },
    { path: 'users[e]', code: 16, message: 'the user e was deleted' },
  ];
  const { done, batches } = await upserted(
    ['a', 'b', 'c', 'd', 'e'],
    [
      [400, { code: 16, message: 'm', errors }],
      [200, { users: {}, unchanged: ['a', 'b', 'c'], taken_out }],
    ],
  );
  assert.deepEqual(done.takenOut, [
    { id: 'a', how: 'deactivated' },
    { id: 'b', how: 'deleted' },
    { id: 'd', how: 'deleted' },
  ]);
  assert.deepEqual(
    [done.refused.map(({ id }) => id), batches],
    [
      ['d', 'e'],
      ['a,b,c,d,e', 'a,b,c'],
    ],
  );
});

test('AP9 a batch waits until its users are within the rate, and is not sent after a stop', async () => {
  const answers: [number, unknown][] = [
    [400, { code: 4, message: 'm', errors: [{ path: 'users[a]', message: 'no' }] }],
    [200, { users: {}, created: ['b', 'c'] }],
  ];
  const { batches, slept } = await upserted(['a', 'b', 'c'], answers, 2);
  assert.deepEqual([batches, slept], [['a,b,c', 'b,c'], [1_500]]);
  const stopped = await upserted(['a', 'b'], answers, 2, AbortSignal.abort());
  assert.deepEqual([stopped.batches, stopped.done.notSent.length, stopped.done.inDoubt.size], [[], 2, 0]);
});

test('AP4 AP12 a request has the users, the revisions that are known, and the option only where it is used', () => {
  const body = (...more: Parameters<typeof upsertRequest>): string | undefined => upsertRequest(...more).body;
  assert.equal(body([user('a'), user('b')]), '{"users":{"a":{"id":"a"},"b":{"id":"b"}}}');
  assert.equal(
    body([user('a', 0), user('b'), user('c', 7)]),
    '{"users":{"a":{"id":"a"},"b":{"id":"b"},"c":{"id":"c"}},"if_rev":{"a":0,"c":7}}',
  );
  assert.equal(body([user('a')], 'leave'), '{"users":{"a":{"id":"a"}}}');
  assert.equal(body([user('a', 1)], 'restore'), '{"users":{"a":{"id":"a"}},"if_rev":{"a":1},"returning":"restore"}');
  const whole = upsertRequest([user('a', 1)], 'reactivate');
  assert.deepEqual([whole.method, whole.path, whole.query], ['POST', '/users', undefined]);
  assert.deepEqual(dryRunRequest([user('a', 1)], 'reactivate'), { ...whole, query: { dry_run: 'true' } });
});
