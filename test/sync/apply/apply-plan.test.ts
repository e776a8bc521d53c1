/** AP: how a plan is applied, with fake time and without a daemon. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { applyPlan } from '../../../daemon/sync/apply/apply-plan.ts';
import { sumOf } from '../../../daemon/sync/counts.ts';
import { PlanFile, PlanWriter } from '../../../daemon/sync/plan/plan-file.ts';
import type { PlanLine } from '../../../daemon/sync/plan/plan-lines.ts';
import { type AskRequest, type Reply, replyOf, type SyncServer, TransportError } from '../../../daemon/sync/transport.ts';
import { FakeClock } from '../../support/sync/fake-server.ts';

const never = new AbortController().signal;

// Fake time takes no listener back.
setMaxListeners(0, never);

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rosterd-apply-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return replyOf(status, JSON.stringify(body), (name) => headers[name]);
}

interface Setup {
  readonly stop?: AbortSignal;
  readonly usersPerSecond?: number;
  readonly clock?: FakeClock;
  readonly lines: readonly PlanLine[];
  readonly base?: { readonly epoch: string; readonly seq: number } | null;
  readonly ask: (request: AskRequest) => Promise<Reply>;
  readonly list?: string;
}

async function applied(
  t: TestContext,
  { lines, base = null, ask, list = '', stop = never, usersPerSecond, clock = new FakeClock() }: Setup,
) {
  const path = join(folder(t), 'plan.ndjson');
  const options = { missing: 'ignore', scope: null } as const;
  const writer = await PlanWriter.create(path, { rosterd_plan: 1, created_at: '', url: '', source: '', base, options });
  await writer.add(lines);
  await writer.finish({ rows: lines.length, unchanged: 0, missing: 0 });
  const plan = await PlanFile.open(path);
  const talk: string[] = [];
  const checkpoints: { at: number; finished: boolean; reportLines: number }[] = [];
  const reported: unknown[] = [];
  async function* chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from(list);
  }
  const server: SyncServer = { ask: (request) => ask(request), stream: async () => ({ status: 200, chunks: chunks() }) };
  const summary = await applyPlan(
    { concurrency: 3, retryForMs: 60_000, ifUnchanged: false, ...(usersPerSecond === undefined ? {} : { usersPerSecond }) },
    {
      plan,
      server,
      clock,
      random: () => 0.5,
      report: { isFull: true, add: async (entries) => void reported.push(...entries), sync: async () => reported.length },
      checkpoints: { write: async ({ at, finished }, reportLines) => void checkpoints.push({ at, finished, reportLines }) },
      onProgress: () => {},
      onTalk: (text) => talk.push(text),
      stop,
      leave: never,
    },
  );
  await plan.close();
  return { ...summary, talk, checkpoints, reported };
}

const creation = (n: number, rev: number | null): PlanLine => ({ do: 'create', line: n, id: `u${n}`, rev, user: { id: `u${n}` } });

test('AP11 a server that is not rosterd: it is said, no revision is sent, and its tasks are waited for', async (t) => {
  const asked: AskRequest[] = [];
  let polls = 0;
  const ran = await applied(t, {
    lines: [creation(1, null), creation(2, null), { do: 'deactivate', id: 'old', rev: null }],
    ask: async (request) => {
      asked.push(request);
      if (request.path === '/users') return answer(201, { users: { u1: {}, u2: {} } });
      if (request.method === 'POST') return answer(201, { task_id: 't1' });
      return answer(200, ++polls < 4 ? { status: 'running' } : { status: 'completed', result: {} });
    },
  });
  assert.equal(ran.status, 'done');
  assert.match(ran.talk.join('\n'), /the server is not rosterd/);
  assert.deepEqual([ran.counts.sent, sumOf(ran.counts), ran.total], [3, 3, 3]);
  assert.ok(asked.every(({ body = '' }) => !body.includes('if_rev')));
  assert.deepEqual(
    asked.map(({ path }) => path),
    ['/users', '/users/deactivate', '/tasks/t1', '/tasks/t1', '/tasks/t1', '/tasks/t1'],
  );
  assert.deepEqual(ran.checkpoints.at(-1), { at: 4, finished: true, reportLines: 3 });
});

const BASE = { epoch: 'e1', seq: 10 };

const position = (seq: number, epoch = 'e1') => answer(200, { epoch, seq, users: 0 });

test('AP2 a directory that was put back to an earlier state, or is none of rosterd, is refused', async (t) => {
  for (const [told, message] of [
    [position(9), /put back to an earlier state/],
    [position(99, 'e2'), /another directory/],
    [answer(404, { message: 'no such path' }), /does not tell its position \(status 404/],
  ] as const) {
    const ran = await applied(t, {
      lines: [creation(1, 0)],
      base: BASE,
      ask: async ({ path }) => (path === '/sync/position' ? told : answer(404, {})),
    });
    assert.equal(ran.status, 'refused');
    assert.match(ran.problems[0] ?? '', message);
    assert.deepEqual(ran.checkpoints, []);
  }
});

test('AP2 a directory that is replaced while the plan is applied ends it', async (t) => {
  const ran = await applied(t, {
    lines: Array.from({ length: 5_000 }, (_, n) => creation(n, 0)),
    base: BASE,
    ask: async ({ path }) => {
      if (path === '/sync/position') return position(10);
      if (path !== '/users') return answer(404, {});
      return answer(201, { users: {}, created: [] }, { 'x-rosterd-position': 'e2:4' });
    },
  });
  assert.equal(ran.status, 'gave-up');
  assert.match(ran.problems[0] ?? '', /put in the place of another one/);
  assert.ok(ran.left > 0);
});

test('AP6 giving up: what was settled counts, the rest is left, and the checkpoint says how far it is', async (t) => {
  let writes = 0;
  const ran = await applied(t, {
    lines: Array.from({ length: 1_000 }, (_, n) => creation(n, 0)),
    base: BASE,
    ask: async ({ path, body = '' }) => {
      if (path === '/sync/position') return position(10);
      if (path !== '/users') return answer(404, {});
      if (++writes > 4) throw new TransportError('connect ECONNREFUSED');
      return answer(201, { users: {}, created: Object.keys(JSON.parse(body).users) });
    },
  });
  assert.equal(ran.status, 'gave-up');
  assert.match(ran.problems[0] ?? '', /ECONNREFUSED/);
  assert.deepEqual([ran.counts.created, ran.left, ran.outcomeUnknown], [400, 300, 300]);
  assert.deepEqual(ran.checkpoints.at(-1), { at: 401, finished: false, reportLines: 400 });
  assert.deepEqual(ran.reported.at(-1), { from_plan_line: 402, result: 'not_applied', reason: ran.problems[0] });
});

const unknownIn = (reported: readonly unknown[]): unknown[] =>
  reported.filter((line) => typeof line === 'object' && line !== null && 'code' in line && line.code === 'outcome_unknown');

test('AP13 users that were sent and may be stored are counted and named apart from those that are left', async (t) => {
  const unsent = new TransportError('refused', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) });
  for (const [end, isUnknown] of [
    [() => answer(503, { code: -1, message: 'away', outcome: 'unknown' }), true],
    [() => answer(503, { code: -1, message: 'away', outcome: 'not_stored' }), false],
    [() => new TransportError('the connection was cut'), true],
    [() => unsent, false],
  ] as const) {
    const ran = await applied(t, {
      lines: Array.from({ length: 250 }, (_, n) => creation(n + 1, null)),
      ask: async ({ body = '' }) => {
        if (body.includes('"u150"')) {
          const ended = end();
          if (ended instanceof Error) throw ended;
          return ended;
        }
        return answer(201, { users: {}, created: Object.keys(JSON.parse(body).users) });
      },
    });
    assert.equal(ran.status, 'gave-up');
    const numbers = [ran.counts.created, ran.left, ran.outcomeUnknown];
    assert.deepEqual(numbers, isUnknown ? [100, 50, 100] : [100, 150, 0]);
    const unknown = unknownIn(ran.reported);
    assert.equal(unknown.length, ran.outcomeUnknown);
    if (isUnknown) {
      const reason = 'the run ended before an answer said what became of the user, which may be stored';
      assert.deepEqual(unknown[0], { line: 101, id: 'u101', result: 'not_applied', code: 'outcome_unknown', reason });
      assert.deepEqual(unknown.at(-1), { ...(unknown[0] as object), line: 200, id: 'u200' });
    }
    assert.deepEqual(ran.reported.at(-1), { from_plan_line: 102, result: 'not_applied', reason: ran.problems[0] });
    // A run that goes on writes the report anew from here.
    assert.deepEqual(ran.checkpoints.at(-1), { at: 101, finished: false, reportLines: 100 });
  }
});

test('AP13 so are removals: those without an answer, and those whose task nobody tells the end of', async (t) => {
  for (const [path, lost] of [
    ['/users/deactivate', ['old']],
    ['/tasks/t1', ['old']],
    ['', []],
  ] as const) {
    const ran = await applied(t, {
      lines: [creation(1, null), { do: 'deactivate', id: 'old', rev: null }],
      ask: async (request) => {
        if (request.path === path) throw new TransportError('the connection was cut');
        if (request.path === '/users') return answer(201, { users: {}, created: ['u1'] });
        if (request.path === '/tasks/t1') return answer(200, { status: 'completed', result: { old: { status: 'ok' } } });
        return answer(201, { task_id: 't1' });
      },
    });
    assert.deepEqual([ran.outcomeUnknown, ran.left, ran.counts.created], [lost.length, 0, 1], path);
    assert.deepEqual(
      unknownIn(ran.reported).map((line) => (line as { id: string }).id),
      lost,
    );
  }
});

test('AP3 a list of users that breaks off is asked for again', async (t) => {
  const ran = await applied(t, {
    lines: [creation(1, 0)],
    base: BASE,
    list: '{"epoch":"e1","seq":20,"count":2}\n{"id":"u5","rev":3}\n',
    ask: async ({ path }) => (path === '/sync/position' ? position(20) : answer(404, {})),
  });
  assert.equal(ran.status, 'gave-up');
  assert.match(ran.talk.join('\n'), /the list of users broke off.*trying again/);
});

test('AP1 a hard delete of a user that is soft-deleted already is sent, a removal that has nothing left to do is not', async (t) => {
  for (const [removal, list, requests] of [
    ['hard-delete', [], ['POST /users/delete', 'GET /tasks/t1']],
    ['soft-delete', [], []],
    ['deactivate', [{ id: 'old', rev: 15, deactivated: true }], []],
    ['deactivate', [{ id: 'old', rev: 3 }], ['POST /users/deactivate', 'GET /tasks/t1']],
  ] as const) {
    const asked: string[] = [];
    const head = { epoch: 'e1', seq: 20, count: list.length };
    const ran = await applied(t, {
      lines: [{ do: removal, id: 'old', rev: 3 }],
      base: BASE,
      list: [head, ...list, { end: true, count: list.length }].map((line) => `${JSON.stringify(line)}\n`).join(''),
      ask: async ({ method, path }) => {
        if (path === '/sync/position') return position(20);
        if (path === '/rate_limits') return answer(404, {});
        asked.push(`${method} ${path}`);
        return method === 'POST' ? answer(201, { task_id: 't1' }) : answer(200, { status: 'completed', result: { old: { status: 'ok' } } });
      },
    });
    assert.deepEqual([ran.status, asked], ['done', requests], removal);
    const isNew = list.length > 0 && requests.length > 0;
    assert.deepEqual([ran.counts.deactivated, ran.counts.unchanged], isNew ? [1, 0] : [0, 1], removal);
  }
});

test('AP9 limits that are known are kept from the first request on', async (t) => {
  const asked: string[] = [];
  await applied(t, {
    lines: [creation(1, 0)],
    base: BASE,
    ask: async ({ path, query }) => {
      asked.push(`${path} ${query?.endpoints ?? ''}`.trim());
      if (path === '/sync/position') return position(10);
      if (path === '/rate_limits') return answer(200, { server_side: { UpdateUsers: { limit: 300, remaining: 0, reset: 1_800_000_020 } } });
      return answer(201, { users: {}, created: ['u1'] });
    },
  });
  assert.deepEqual(asked, ['/rate_limits UpdateUsers,DeactivateUsers,DeleteUsers,GetTask', '/sync/position', '/users']);
});

test('AP9 each kind of request keeps its own limit', async (t) => {
  const asked: string[] = [];
  const clock = new FakeClock();
  const startMs = clock.now();
  const limit = (remaining: number) => ({ limit: 300, remaining, reset: startMs / 1_000 + 30 });
  const ran = await applied(t, {
    lines: [creation(1, 0), { do: 'soft-delete', id: 'b', rev: 1 }, { do: 'deactivate', id: 'a', rev: 1 }],
    base: BASE,
    clock,
    ask: async ({ method, path }) => {
      if (path === '/sync/position') return position(10);
      if (path === '/rate_limits')
        return answer(200, { server_side: { UpdateUsers: limit(300), DeactivateUsers: limit(0), DeleteUsers: limit(300) } });
      asked.push(`${method} ${path} ${clock.now() - startMs >= 30_000}`);
      if (path === '/users') return answer(201, { users: {}, created: ['u1'] });
      return method === 'POST'
        ? answer(201, { task_id: 't' })
        : answer(200, { status: 'completed', result: { a: { status: 'ok' }, b: { status: 'ok' } } });
    },
  });
  assert.deepEqual([ran.counts.created, ran.counts.deactivated, ran.counts.soft_deleted], [1, 1, 1]);
  const posts = asked.filter((line) => line.startsWith('POST'));
  assert.deepEqual([...posts].sort(), ['POST /users false', 'POST /users/deactivate true', 'POST /users/delete false']);
});

test('AP6 AP7 a run that is stopped says where, with the reason, and its checkpoint is not the end', async (t) => {
  const stop = new AbortController();
  const ran = await applied(t, {
    lines: Array.from({ length: 1_000 }, (_, n) => creation(n, null)),
    stop: stop.signal,
    ask: async ({ body = '' }) => {
      stop.abort();
      return answer(201, { users: {}, created: Object.keys(JSON.parse(body).users) });
    },
  });
  assert.deepEqual([ran.status, ran.problems, ran.counts.created + ran.left, ran.heldBack], ['interrupted', [], 1_000, 0]);
  const at = ran.counts.created + 1;
  assert.deepEqual(ran.checkpoints.at(-1), { at, finished: false, reportLines: ran.counts.created });
  assert.deepEqual(ran.reported.at(-1), { from_plan_line: at + 1, result: 'not_applied', reason: 'interrupted' });
});

test('AP9 at a slow rate the batches are small, so that writes are spread evenly', async (t) => {
  for (const [usersPerSecond, size] of [
    [0.5, 1],
    [7.9, 7],
    [100, 100],
    [5_000, 100],
  ] as const) {
    const sizes: number[] = [];
    await applied(t, {
      lines: Array.from({ length: 200 }, (_, n) => creation(n, null)),
      usersPerSecond,
      ask: async ({ body = '' }) => {
        const ids = Object.keys(JSON.parse(body).users);
        sizes.push(ids.length);
        return answer(201, { users: {}, created: ids });
      },
    });
    assert.equal(sizes[0], size, `${usersPerSecond}`);
    assert.equal(
      sizes.reduce((sum, one) => sum + one, 0),
      200,
    );
  }
});
