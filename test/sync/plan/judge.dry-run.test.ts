/** PN1, PN5, PN7, PN11, PC10: what an answer says would become of a batch of users. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMPARE, dryRunJudge, type Judgement, queryById, usersIn } from '../../../daemon/sync/plan/judge.ts';
import { replyOf } from '../../../daemon/sync/transport.ts';

const batch = ['a', 'b', 'c', 'd', 'e', 'f'].map((id, index) => ({ line: index + 1, id, json: `{"id":"${id}"}`, bytes: 9 }));

const judged = (body: unknown, status = 200): Judgement => dryRunJudge('leave').read(batch, replyOf(status, JSON.stringify(body)));

test('PN1 each user is written as the list says that names it, with its revision and its changes, or is unchanged, or an error', () => {
  const { lines, unchanged, takenOut } = judged({
    ...{ created: ['a'], updated: ['b'], reactivated: ['c'], restored: ['d'], unchanged: ['e'] },
    revs: { a: 0, b: 7, c: 'x' },
    changes: { b: { name: ['old', 'new'], image: [undefined, 'i'], role: ['r'], odd: 'x' }, c: 'x' },
    errors: [{ path: 'users[f].role', code: 4, message: 'does not exist' }],
    taken_out: { e: 'deactivated', f: 'deleted', x: 7 },
  });
  const user = (id: string) => ({ user: { id } });
  assert.deepEqual(lines, [
    { do: 'create', line: 1, id: 'a', rev: 0, ...user('a'), changes: {} },
    { do: 'update', line: 2, id: 'b', rev: 7, ...user('b'), changes: { name: ['old', 'new'], image: [null, 'i'], role: ['r', null] } },
    { do: 'reactivate', line: 3, id: 'c', rev: null, ...user('c'), changes: {} },
    { do: 'restore', line: 4, id: 'd', rev: null, ...user('d'), changes: {} },
    { error: { line: 6, id: 'f', code: 4, reason: 'role: does not exist' } },
  ]);
  assert.equal(unchanged, 1);
  assert.deepEqual(takenOut, [
    { id: 'e', how: 'deactivated' },
    { id: 'f', how: 'deleted' },
  ]);
});

test('PN5 a user that the answer does not name is an error', () => {
  const untold = { code: -1, reason: 'the daemon does not say what would become of the user' };
  for (const errors of [undefined, [], [{ path: 'body', message: 'x' }], 'x']) {
    const { lines } = judged({ revs: {}, changes: {}, created: ['a', 'b', 'c', 'd', 'e'], errors });
    assert.deepEqual(lines.at(-1), { error: { line: 6, id: 'f', ...untold } });
  }
  assert.equal(judged({ revs: {}, changes: {}, created: 'a' }).lines.length, 6);
});

test('PN11 an answer that does not say that it only tried, or is none, is not believed', () => {
  for (const [body, status, message] of [
    [{ created: ['a'], changes: {} }, 200, /^the daemon did not say that it only tried/],
    [{ created: ['a'], revs: {} }, 200, /^the daemon did not say that it only tried/],
    [{ created: ['a'], revs: [], changes: {} }, 200, /^the daemon did not say that it only tried/],
    [{ message: 'no', revs: {}, changes: {} }, 300, /^the daemon answers 300: no$/],
    ['x'.repeat(300), 200, /^the answer is not that of a user directory: "x{199}$/],
  ] as const) {
    assert.throws(() => judged(body, status), { name: 'StrangeAnswer', message });
  }
  assert.equal(judged({ revs: {}, changes: {} }, 299).lines.length, 6);
});

test('PC10 a dry run asks for a hundred users, and says what becomes of returning ones', () => {
  const judge = dryRunJudge('restore');
  const { method, path, query, body = '' } = judge.request(batch.slice(0, 1));
  assert.deepEqual([judge.batchUsers, method, path, query], [100, 'POST', '/users', { dry_run: 'true' }]);
  assert.deepEqual(JSON.parse(body), { users: { a: { id: 'a' } }, returning: 'restore' });
});

test('PN7 another server is asked for thirty users, deactivated ones too, and an answer without users is strange', () => {
  assert.equal(COMPARE.batchUsers, 30);
  const request = queryById(['a', 'b']);
  assert.deepEqual(COMPARE.request(batch.slice(0, 2)), request);
  assert.deepEqual([request.method, request.path, Object.keys(request.query ?? {})], ['GET', '/users', ['payload']]);
  assert.deepEqual(JSON.parse(request.query?.payload ?? ''), {
    ...{ filter_conditions: { id: { $in: ['a', 'b'] } }, limit: 30, include_deactivated_users: true },
  });
  const users = (body: unknown) => usersIn(replyOf(200, JSON.stringify(body))).map(({ id }) => id);
  assert.deepEqual(users({ users: [{ id: 'a' }, { name: 'no id' }, { id: 'b' }] }), ['a', 'b']);
  for (const body of [{}, { users: {} }])
    assert.throws(() => users(body), { name: 'StrangeAnswer', message: 'the answer to GET /users has no users' });
});

test('PN7 compared are name, image and custom data, and the other fields where they are sent', () => {
  const changes = (shown: object, sent: object): unknown => {
    const one = [{ line: 1, id: 'a', json: JSON.stringify({ id: 'a', ...sent }), bytes: 1 }];
    const { lines, unchanged } = COMPARE.read(one, replyOf(200, JSON.stringify({ users: [{ id: 'a', ...shown }] })));
    const [line] = lines;
    return line !== undefined && 'changes' in line ? line.changes : unchanged;
  };
  assert.deepEqual(changes({ name: 'A', image: 'i', x: 1 }, {}), { name: ['A', null], image: ['i', null], 'custom.x': [1, null] });
  assert.deepEqual(changes({}, { name: 'A', image: 'i', x: 1 }), { name: [null, 'A'], image: [null, 'i'], 'custom.x': [null, 1] });
  const all = { role: 'admin', teams: ['red'], teams_role: { red: 'admin' }, language: 'de', invisible: true };
  assert.equal(changes(all, {}), 1, 'what is not sent stays');
  assert.equal(changes(all, all), 1);
  assert.deepEqual(changes({}, all), {
    role: [null, 'admin'],
    teams: [[], ['red']],
    teams_role: [{}, { red: 'admin' }],
    language: [null, 'de'],
    invisible: [false, true],
  });
  assert.equal(changes({}, { teams_role: {}, invisible: false }), 1, 'what a user has that never had anything else');
});
