/** PN2, PN7, PN11, PN14, AP9: what planning tells while it runs, how it asks, and when it waits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PlanProgress } from '../../../daemon/sync/plan/plan-types.ts';
import { type AskRequest, type Reply, replyOf } from '../../../daemon/sync/transport.ts';
import { ndjson, numberedUsers, PlanDirectory, planOf } from '../../support/sync/plan-kit.ts';

const row = (line: number, value: unknown) => ({ line, value });

test('PN2 progress counts rows, errors and bytes while the source is read, and users and bytes while they are compared', async (t) => {
  const told: PlanProgress[] = [];
  async function* rows() {
    yield { rows: [row(1, { id: 'a' }), row(2, { id: 'no id' })], bytes: 40 };
    yield { rows: [], bytes: 2 };
    yield { rows: [row(3, { id: 'b', name: 'B' })], bytes: 30 };
  }
  await planOf(t, '', new PlanDirectory(), { maxErrors: 1 }, { rows: rows(), onProgress: (progress) => told.push({ ...progress }) });
  const spooled = '1 a {"id":"a"}\n3 b {"id":"b","name":"B"}\n'.length;
  const sent = '{"id":"a"}{"id":"b","name":"B"}'.length;
  assert.deepEqual(told, [
    { phase: 'reading', rows: 2, errors: 1, bytes: 40 },
    { phase: 'reading', rows: 2, errors: 1, bytes: 42 },
    { phase: 'reading', rows: 3, errors: 1, bytes: 72 },
    { phase: 'comparing', rows: 2, errors: 1, bytes: sent, totalBytes: spooled },
  ]);
});

test('PN11 a daemon that does not answer for a while is talked about', async (t) => {
  const server = new PlanDirectory();
  let failing = 1;
  const ask = async (request: AskRequest): Promise<Reply> =>
    request.method === 'POST' && failing-- > 0 ? replyOf(503, '{}') : await server.ask(request);
  const talk: string[] = [];
  const options = { retryForMs: 60_000 };
  const deps = { onTalk: (text: string) => talk.push(text) };
  const { summary } = await planOf(t, '{"id":"a"}\n', { ask, stream: (request) => server.stream(request) }, options, deps);
  assert.equal(summary.status, 'planned');
  assert.match(talk[0] ?? '', /^the daemon does not take users \(status 503/);
  assert.equal(talk[1], 'it goes on');
  failing = 1;
  const silent = await planOf(t, '{"id":"a"}\n', { ask, stream: (request) => server.stream(request) }, options);
  assert.equal(silent.summary.status, 'planned', 'nobody has to listen');
});

test('PN7 PN11 only a whole position makes a server rosterd; only a missing path makes it another one', async (t) => {
  const meet = async (status: number, body: unknown): Promise<string> => {
    const server = new PlanDirectory(numberedUsers(1));
    const ask = async (request: AskRequest): Promise<Reply> => {
      if (request.path === '/sync/position') return replyOf(status, JSON.stringify(body));
      server.isRosterd = status === 200;
      return await server.ask(request);
    };
    const { summary, header } = await planOf(t, ndjson(numberedUsers(1)), { ask, stream: () => assert.fail() });
    if (summary.status !== 'planned') return summary.problems.join();
    return `${header?.base === null ? 'other' : `${header?.base.epoch}:${header?.base.seq}`}`;
  };
  const position = { epoch: 'e', seq: 9 };
  assert.equal(await meet(200, position), 'e:9');
  for (const status of [404, 405]) assert.equal(await meet(status, position), 'other');
  for (const status of [201, 403, 406]) assert.match(await meet(status, position), new RegExp(`^the daemon answers ${status}: `));
  for (const body of [{ epoch: 'e' }, { seq: 9 }, { epoch: 9, seq: 9 }, { epoch: 'e', seq: '9' }, 'x'])
    assert.match(await meet(200, body), /^the daemon answers 200: /);
});

test('PN10 a server that does not tell how many users it has is not said to have others', async (t) => {
  const server = new PlanDirectory();
  const notes = async (users: unknown): Promise<readonly string[]> => {
    const ask = async (request: AskRequest): Promise<Reply> =>
      request.path === '/sync/position' ? replyOf(200, JSON.stringify({ epoch: 'e', seq: 9, users })) : await server.ask(request);
    return (await planOf(t, '{"id":"a"}\n', { ask, stream: () => assert.fail() })).summary.notes;
  };
  assert.equal((await notes(3)).length, 1);
  for (const users of [undefined, '3', 0]) assert.deepEqual(await notes(users), []);
});

test('AP9 PN9 the first question about users is answered before the next is asked; missing users of a team are asked for by thirty', async (t) => {
  const users = Array.from({ length: 250 }, (_, n) => ({ id: `u${n}`, name: 'U', teams: ['red'] }));
  const server = new PlanDirectory([...users, ...Array.from({ length: 70 }, (_, n) => ({ id: `gone${n}`, teams: ['red'] }))]);
  let open = 0;
  let answered = 0;
  let mostAtFirst = 0;
  server.beforeAnswer = async ({ path }) => {
    if (path !== '/users') return;
    open++;
    if (answered === 0) mostAtFirst = Math.max(mostAtFirst, open);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    open--;
    answered++;
  };
  const options = { missing: 'deactivate', team: 'red', maxMissing: 1 } as const;
  const { summary } = await planOf(t, ndjson(users), server, options);
  assert.deepEqual([summary.status, summary.counts.unchanged, summary.counts.deactivate], ['planned', 250, 70]);
  assert.deepEqual([mostAtFirst, answered], [1, 6]);
  const asked = server.asked.filter(({ method, path }) => method === 'GET' && path === '/users');
  const ids = asked.map(({ query }) => JSON.parse(query?.payload ?? '').filter_conditions.id.$in.length);
  assert.deepEqual(ids, [30, 30, 10]);
});

test('PN14 the plan is written line by line: nothing goes on before what was added is taken, and an early end leaves nothing', async (t) => {
  const steps: string[] = [];
  const sink = {
    add: async (lines: readonly unknown[]) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (lines.length > 0) steps.push(`added ${lines.length}`);
    },
    finish: async () => {
      steps.push('finished');
      return { end: true as const, counts: {} as never, sha256: '' };
    },
    abandon: async () => void steps.push('abandoned'),
  };
  const server = new PlanDirectory(numberedUsers(3));
  const text = `nonsense\n${ndjson(numberedUsers(2, 1))}{"id":"new"}\n`;
  const onProgress = ({ phase }: PlanProgress) => void steps.push(phase);
  await planOf(t, text, server, { missing: 'soft-delete', maxMissing: 1, maxErrors: 1 }, { openSink: async () => sink, onProgress });
  // A row without an id refuses a plan that removes users.
  assert.deepEqual(steps, ['added 1', 'reading', 'reading', 'abandoned']);
  steps.length = 0;
  const whole = `${ndjson(numberedUsers(2, 1))}{"id":"new"}\n{"id":"x","role":7}\n`;
  await planOf(t, whole, server, { missing: 'soft-delete', maxMissing: 1, maxErrors: 1 }, { openSink: async () => sink, onProgress });
  assert.deepEqual(steps, ['added 1', 'reading', 'reading', 'added 1', 'comparing', 'added 1', 'finished']);
});

test('PN7 with a server that is not rosterd, nothing that returns is asked for; a plan without a sink only counts', async (t) => {
  const server = new PlanDirectory(numberedUsers(1));
  const returning = async (value: 'leave' | 'restore'): Promise<unknown> =>
    (await planOf(t, ndjson(numberedUsers(1)), server, { returning: value, team: 'red', maxErrors: 1 })).header?.options;
  assert.deepEqual(await returning('leave'), { missing: 'ignore', scope: 'team=red' });
  assert.deepEqual(await returning('restore'), { missing: 'ignore', scope: 'team=red', returning: 'restore' });
  server.isRosterd = false;
  assert.deepEqual(await returning('restore'), { missing: 'ignore', scope: 'team=red' });
  const counted = await planOf(t, ndjson(numberedUsers(1)), server, {}, { openSink: undefined as never });
  assert.deepEqual([counted.summary.status, counted.summary.counts.unchanged, 'trailer' in counted.summary], ['planned', 1, false]);
});

test('PN9 missing users of a team that are in others, too, are counted in the words for one or for many', async (t) => {
  const notes = async (count: number): Promise<readonly string[]> => {
    const both = Array.from({ length: count }, (_, n) => ({ id: `both${n}`, teams: ['red', 'blue'] }));
    const server = new PlanDirectory([{ id: 'r', teams: ['red'] }, ...both]);
    return (await planOf(t, ndjson([{ id: 'r', teams: ['red'] }]), server, { missing: 'deactivate', team: 'red', maxMissing: 1 })).summary
      .notes;
  };
  assert.deepEqual(await notes(0), []);
  assert.deepEqual(await notes(1), ['1 missing user of the team red is in other teams too and left alone']);
  assert.deepEqual(await notes(2), ['2 missing users of the team red are in other teams too and left alone']);
});
