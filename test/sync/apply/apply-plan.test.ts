/** AP: the parts of `sync apply`, with fake time and without a daemon. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CheckpointFile, readCheckpoint } from '../../../daemon/cli/sync/checkpoint-file.ts';
import { ReportFile } from '../../../daemon/cli/sync/report.ts';
import { applyPlan } from '../../../daemon/sync/apply/apply-plan.ts';
import { Checkpointer } from '../../../daemon/sync/apply/checkpoint.ts';
import { NO_RESULTS, sumOf } from '../../../daemon/sync/counts.ts';
import { inOrder } from '../../../daemon/sync/in-order.ts';
import { Pacer } from '../../../daemon/sync/pacer.ts';
import { PlanFile, PlanWriter } from '../../../daemon/sync/plan/plan-file.ts';
import type { PlanLine } from '../../../daemon/sync/plan/plan-lines.ts';
import { isPrecondition, readRefusal } from '../../../daemon/sync/refusal.ts';
import { Throttle } from '../../../daemon/sync/throttle.ts';
import { type AskRequest, type Reply, replyOf, type SyncServer, TransportError } from '../../../daemon/sync/transport.ts';
import { seeded } from '../../support/random.ts';
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

test('AP6 batches settle in the order in which they were read, whatever takes long, and nothing behind one that is not done', async () => {
  const random = seeded(7);
  const settled: number[] = [];
  async function* numbers(): AsyncGenerator<number> {
    for (let n = 0; n < 500; n++) yield n;
  }
  const isAtEnd = await inOrder<number, number>({
    batches: numbers(),
    concurrency: 7,
    work: async (n) => {
      for (let turns = Math.floor(random() * 5); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      return n * 2;
    },
    settle: async (n, double) => {
      assert.equal(double, n * 2);
      if (n === 400) return false;
      settled.push(n);
      return true;
    },
    stopping: never,
    onError: (error) => assert.fail(String(error)),
  });
  assert.equal(isAtEnd, true);
  assert.deepEqual(
    settled,
    Array.from({ length: 400 }, (_, n) => n),
  );
});

test('AP6 a source or a batch that breaks is told, and what was read before is settled', async () => {
  for (const part of ['source', 'work'] as const) {
    const told: string[] = [];
    const settled: number[] = [];
    const stop = new AbortController();
    async function* numbers(): AsyncGenerator<number> {
      for (let n = 0; n < 5; n++) yield n;
      if (part === 'source') throw new Error('broken');
    }
    await inOrder<number, number>({
      batches: numbers(),
      concurrency: 2,
      work: async (n) => {
        if (part === 'work' && n === 3) throw new Error('broken');
        return n;
      },
      settle: async (n) => {
        settled.push(n);
        return true;
      },
      stopping: stop.signal,
      onError: (error) => {
        told.push(`${part}: ${error instanceof Error ? error.message : error}`);
        stop.abort();
      },
    });
    assert.deepEqual(told, [`${part}: broken`]);
    assert.deepEqual(settled, part === 'source' ? [0, 1, 2, 3, 4] : [0, 1, 2]);
  }
});

test('AP9 --rate: so many users in a second and no more, whatever the batches', async () => {
  const clock = new FakeClock();
  const throttle = new Throttle(clock, 250);
  const startMs = clock.now();
  await Promise.all(Array.from({ length: 20 }, () => throttle.take(100, never)));
  assert.equal(clock.now() - startMs, (19 * 100 * 1_000) / 250);
});

/** Counts requests in fixed windows of a minute and of a second that begin with their first request, as rosterd does. */
class WindowedServer {
  refused = 0;
  served = 0;
  readonly #clock: FakeClock;
  readonly #perMinute: number;
  #minute = { endsMs: 0, used: 0 };
  #second = { endsMs: 0, used: 0 };

  constructor(clock: FakeClock, perMinute: number) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  async request(latencyMs: number): Promise<Reply> {
    await this.#clock.sleep(latencyMs);
    const now = this.#clock.now();
    if (now >= this.#minute.endsMs) this.#minute = { endsMs: now + 60_000, used: 0 };
    if (now >= this.#second.endsMs) this.#second = { endsMs: now + 1_000, used: 0 };
    this.#minute.used++;
    this.#second.used++;
    const isTooMuch = this.#minute.used > this.#perMinute || this.#second.used > Math.max(1, Math.floor(this.#perMinute / 30));
    if (isTooMuch) this.refused++;
    else this.served++;
    return answer(
      isTooMuch ? 429 : 200,
      {},
      {
        'x-ratelimit-limit': String(this.#perMinute),
        'x-ratelimit-remaining': String(Math.max(0, this.#perMinute - this.#minute.used)),
        'x-ratelimit-reset': String(Math.ceil(this.#minute.endsMs / 1_000)),
      },
    );
  }
}

test('AP9 a careful pacer is never refused, from the first request on, and uses what it may', async () => {
  for (const perMinute of [6, 60, 300, 1_000]) {
    const clock = new FakeClock();
    const server = new WindowedServer(clock, perMinute);
    const random = seeded(perMinute);
    const pacer = new Pacer(clock, { isCareful: true });
    const startMs = clock.now();
    // Three minutes' worth, or enough of it to tell.
    const requests = Math.min(perMinute * 3, 1_100);
    const worker = async () => {
      while (server.served + server.refused < requests) {
        assert.ok(await pacer.acquire(never));
        pacer.release(await server.request(1 + random() * 60));
      }
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    assert.equal(server.refused, 0, `${perMinute} a minute`);
    const minutes = (clock.now() - startMs) / 60_000;
    assert.ok(minutes < requests / perMinute + 0.5, `${requests} at ${perMinute} a minute took ${minutes} minutes`);
  }
});

test('AP9 a pacer that is told what is left begins with that', async () => {
  const clock = new FakeClock();
  const pacer = new Pacer(clock, { isCareful: true });
  const reset = clock.now() / 1_000 + 30;
  pacer.begin({ limit: 300, remaining: 0, reset }, answer(200, {}));
  assert.ok(await pacer.acquire(never));
  assert.ok(clock.now() >= reset * 1_000);
});

test('AP4 only the words for another revision are taken for it', () => {
  const yes = ['the user ann has revision 17, not 12', 'the user ann does not exist', 'the user ann exists already (revision 17)'];
  const no = ['the user ann was deleted', 'role "boss" does not exist', 'the name is taken', 'the user ann has revision 17'];
  for (const text of yes) assert.equal(isPrecondition(text), true, text);
  for (const text of no) assert.equal(isPrecondition(text), false, text);
  const body = {
    code: 4,
    message: 'no',
    errors: [
      { path: 'users[a]', code: 4, message: 'the user a has revision 2, not 1' },
      { path: 'users[b]', code: 4, message: 'the user b has revision 2, not 1' },
      { path: 'users[b].role', code: 4, message: 'does not exist' },
    ],
  };
  const refusal = readRefusal(answer(412, body), [{ id: 'a' }, { id: 'b' }]);
  assert.ok(refusal.kind === 'named');
  assert.deepEqual([refusal.reasons.get('a')?.isPrecondition, refusal.reasons.get('b')?.isPrecondition], [true, undefined]);
});

test('AP7 a checkpoint is written at most once a second, after the report, and at the end', async () => {
  const clock = new FakeClock();
  const written: string[] = [];
  const store = {
    write: async ({ at, finished }: { at: number; finished: boolean }, bytes: number) => {
      written.push(`${at} ${finished} ${bytes}`);
    },
  };
  let bytes = 0;
  const checkpointer = new Checkpointer(store, async () => ++bytes, clock);
  for (let at = 1; at <= 40; at++) {
    await clock.sleep(100);
    await checkpointer.note(at, NO_RESULTS);
  }
  await checkpointer.write(40, NO_RESULTS, true);
  assert.deepEqual(written, ['10 false 1', '20 false 2', '30 false 3', '40 false 4', '40 true 5']);
});

test('AP7 a checkpoint file is replaced as a whole; what is none is told apart', async (t) => {
  const path = join(folder(t), 'progress.json');
  assert.equal(await readCheckpoint(path), 'none');
  const identity = { plan: 'f'.repeat(64), plan_path: '/plan', is_plan_temporary: false, reportPath: '/report', now: () => 0 };
  const file = new CheckpointFile(path, identity);
  await file.write({ at: 7, counts: { ...NO_RESULTS, created: 5 }, finished: false }, 99);
  await file.write({ at: 9, counts: { ...NO_RESULTS, created: 7 }, finished: true }, 120);
  const found = await readCheckpoint(path);
  assert.ok(typeof found === 'object');
  assert.deepEqual([found.at, found.counts.created, found.finished, found.report], [9, 7, true, { path: '/report', bytes: 120 }]);
  assert.deepEqual(readdirSync(join(path, '..')), ['progress.json']);
});

test('AP7 a report that goes on is cut to what its checkpoint knows', async (t) => {
  const path = join(folder(t), 'report.ndjson');
  const first = await ReportFile.open({ path, isFull: true });
  await first.add([{ id: 'ann', result: 'created' }]);
  const bytes = await first.sync();
  await first.add([{ id: 'bob', result: 'created' }]);
  await first.close();
  const second = await ReportFile.open({ path, isFull: true, keepBytes: bytes });
  await second.add([{ id: 'bob', result: 'updated', fields: ['name'] }]);
  assert.equal(await second.close(), path);
  assert.equal(readFileSync(path, 'utf8'), '{"id":"ann","result":"created"}\n{"id":"bob","result":"updated","fields":["name"]}\n');
});

test('AP7 without --report only those that were not applied are written down', async (t) => {
  const path = join(folder(t), 'report.ndjson');
  const report = await ReportFile.open({ path, isFull: false });
  await report.add([{ id: 'ann', result: 'created' }]);
  assert.equal(await report.sync(), 0);
  assert.ok(!existsSync(path));
  await report.add([{ id: 'bob', result: 'failed', line: 2, code: 4, reason: 'no' }]);
  await report.close();
  assert.equal(readFileSync(path, 'utf8'), '{"id":"bob","result":"failed","line":2,"code":4,"reason":"no"}\n');
});

interface Setup {
  readonly lines: readonly PlanLine[];
  readonly base?: { readonly epoch: string; readonly seq: number } | null;
  readonly ask: (request: AskRequest) => Promise<Reply>;
  readonly list?: string;
}

async function applied(t: TestContext, { lines, base = null, ask, list = '' }: Setup) {
  const path = join(folder(t), 'plan.ndjson');
  const options = { missing: 'ignore', scope: null } as const;
  const writer = await PlanWriter.create(path, { rosterd_plan: 1, created_at: '', url: '', source: '', base, options });
  await writer.add(lines);
  await writer.finish({ rows: lines.length, unchanged: 0, missing: 0 });
  const plan = await PlanFile.open(path);
  const talk: string[] = [];
  const checkpoints: { at: number; finished: boolean }[] = [];
  const reported: unknown[] = [];
  async function* chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from(list);
  }
  const server: SyncServer = { ask: (request) => ask(request), stream: async () => ({ status: 200, chunks: chunks() }) };
  const summary = await applyPlan(
    { concurrency: 3, retryForMs: 60_000, ifUnchanged: false },
    {
      plan,
      server,
      clock: new FakeClock(),
      random: () => 0.5,
      report: { isFull: true, add: async (entries) => void reported.push(...entries), sync: async () => reported.length },
      checkpoints: { write: async ({ at, finished }) => void checkpoints.push({ at, finished }) },
      onProgress: () => {},
      onTalk: (text) => talk.push(text),
      stop: never,
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
  assert.deepEqual(ran.checkpoints.at(-1), { at: 4, finished: true });
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
  assert.deepEqual([ran.counts.created, ran.left], [400, 600]);
  assert.deepEqual(ran.checkpoints.at(-1), { at: 401, finished: false });
  assert.deepEqual(ran.reported.at(-1), { from_plan_line: 402, result: 'not_applied', reason: ran.problems[0] });
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
