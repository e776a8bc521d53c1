/** RN: a whole run against a server that misbehaves. Time is fake wherever something waits. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHttpClient, type HttpClient } from '../../daemon/cli/sync/http-client.ts';
import { ReportFile } from '../../daemon/cli/sync/report.ts';
import type { SyncCounts } from '../../daemon/sync/counts.ts';
import { jsonLines } from '../../daemon/sync/json-rows.ts';
import type { ReportEntry } from '../../daemon/sync/report.ts';
import type { RunDeps, RunOptions } from '../../daemon/sync/run.ts';
import { rowCheck, type SourceUser } from '../../daemon/sync/source-user.ts';
import { type SyncSummary, syncUsers } from '../../daemon/sync/sync-users.ts';
import { replyOf, type Send, TransportError } from '../../daemon/sync/transport.ts';
import { upsertRequest } from '../../daemon/sync/upserter.ts';
import { heldBytes } from '../support/memory.ts';
import { FakeClock, FakeServer } from '../support/sync/fake-server.ts';

interface Ran extends SyncSummary, SyncCounts {
  readonly reportPath: string | undefined;
  readonly report: { line?: number; id?: string; result: string; code: unknown; reason: string }[];
  readonly talk: string[];
  readonly clock: FakeClock;
}

interface RunSetup extends Partial<RunDeps>, Partial<RunOptions> {
  readonly source?: AsyncIterable<Buffer>;
  readonly send?: Send<SourceUser>;
  readonly timeoutMs?: number;
}

function clientOf(t: TestContext, url: string, timeoutMs = 10_000): HttpClient {
  const client = createHttpClient({ url, apiKey: 'k&y', token: 'a.b.c', client: 'rosterd-sync/0.0.0', sockets: 4, timeoutMs });
  t.after(() => client.close());
  return client;
}

function sendTo(client: HttpClient): Send<SourceUser> {
  return (users, signal) => client.ask(upsertRequest(users), signal);
}

function ndjson(count: number, change: (i: number) => object = () => ({})): string {
  return Array.from({ length: count }, (_, i) => `${JSON.stringify({ id: `u${i}`, name: `User ${i}`, ...change(i) })}\n`).join('');
}

async function* chunks(text: string): AsyncGenerator<Buffer> {
  for (let at = 0; at < text.length; at += 4096) yield Buffer.from(text.slice(at, at + 4096));
}

async function run(t: TestContext, url: string, text: string, setup: RunSetup = {}): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-sync-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'report.ndjson');
  const clock = new FakeClock();
  const talk: string[] = [];
  const { concurrency = 4, retryForMs = 300_000, source = chunks(text), timeoutMs, ...deps } = setup;
  const report = await ReportFile.open({ path, isFull: false });
  const summary = await syncUsers(
    { concurrency, retryForMs },
    {
      source: jsonLines(source),
      check: rowCheck({ map: (value) => ({ value }) }),
      send: sendTo(clientOf(t, url, timeoutMs)),
      clock,
      random: () => 0.5,
      report,
      onTalk: (line) => talk.push(line),
      ...deps,
    },
  );
  const reportPath = await report.close();
  assert.equal(reportPath !== undefined, existsSync(path), 'the report is there exactly when it is named');
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
  return { ...summary, ...summary.counts, reportPath, report: lines.map((line) => JSON.parse(line)), talk, clock };
}

function counts({ counts: { created, updated, unchanged, sent, failed }, notSent }: SyncSummary): number[] {
  return [created, updated, unchanged, sent, failed, notSent];
}

test('RN1 a file is brought over in batches of 100; a second run changes nothing', async (t) => {
  const server = await FakeServer.start(t);
  const first = await run(t, server.url, ndjson(1_050));
  assert.equal(first.status, 'done');
  assert.deepEqual(counts(first), [1_050, 0, 0, 0, 0, 0]);
  assert.equal(server.requests.length, 11);
  assert.equal(server.directory.size, 1_050);
  const [request] = server.requests;
  assert.equal(request?.method, 'POST');
  assert.equal(request?.url, '/users?api_key=k%26y');
  assert.equal(request?.headers.authorization, 'a.b.c');
  assert.equal(request?.headers['stream-auth-type'], 'jwt');
  assert.equal(request?.headers['x-stream-client'], 'rosterd-sync/0.0.0');
  assert.equal(request?.headers['content-type'], 'application/json');
  assert.deepEqual(request?.users.u0, { id: 'u0', name: 'User 0' });

  const second = await run(
    t,
    server.url,
    ndjson(1_050, (i) => (i < 7 ? { name: 'new' } : {})),
  );
  assert.deepEqual(counts(second), [0, 7, 1_043, 0, 0, 0]);
});

test('RN2 a server that does not tell the changes: the users count as sent', async (t) => {
  const server = await FakeServer.start(t);
  server.tellsChanges = false;
  assert.deepEqual(counts(await run(t, server.url, ndjson(150))), [0, 0, 0, 150, 0, 0]);
});

test('RN3 the path of the address is kept', async (t) => {
  const server = await FakeServer.start(t);
  await run(t, `${server.url}/roster/`, ndjson(1));
  assert.equal(server.requests[0]?.url, '/roster/users?api_key=k%26y');
});

test('RN4 429, 408, 5xx, resets, cut answers and silence are tried again until all is in', async (t) => {
  const server = await FakeServer.start(t);
  server.misbehaviours.push(
    { kind: 'status', status: 429, headers: { 'Retry-After': '3' } },
    { kind: 'status', status: 408 },
    { kind: 'status', status: 500 },
    { kind: 'status', status: 503, body: 'busy' },
    { kind: 'reset' },
    { kind: 'cut' },
    { kind: 'hang' },
    { kind: 'status', status: 502, body: '<html>' },
  );
  const ran = await run(t, server.url, ndjson(500), { timeoutMs: 1_000 });
  assert.equal(ran.status, 'done');
  // The batch whose answer was cut had been stored: sent again, it changes nothing.
  assert.deepEqual(counts(ran), [400, 0, 100, 0, 0, 0]);
  assert.equal(server.directory.size, 500);
  assert.equal(server.requests.length, 13);
  assert.match(ran.talk[0] ?? '', /does not take users .*trying again for up to 5 min/);
  assert.match(ran.talk.join('\n'), /it goes on/);
});

test('RN5 Retry-After is honoured, with a little spread', async (t) => {
  const server = await FakeServer.start(t);
  server.misbehaviours.push({ kind: 'status', status: 429, headers: { 'Retry-After': '3' } });
  const { clock } = await run(t, server.url, ndjson(1));
  assert.deepEqual(clock.slept, [3_125]);
});

test('RN6 back-off doubles, with full jitter and a cap', async (t) => {
  const server = await FakeServer.start(t);
  for (let i = 0; i < 10; i++) server.misbehaviours.push({ kind: 'status', status: 500 });
  const { clock } = await run(t, server.url, ndjson(1));
  assert.deepEqual(clock.slept, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
});

test('RN7 users that the answer names are taken out, with every reason; the others get through', async (t) => {
  const server = await FakeServer.start(t);
  const long = 'long-'.repeat(40);
  server.problemsOf = (users) =>
    Object.keys(users).flatMap((id) => {
      if (id === 'u3')
        return [
          { path: 'users[u3].role', code: 4, message: 'role "boss" does not exist' },
          { path: 'users[u3].teams', message: 'too many' },
        ];
      if (id === 'u150') return [{ path: 'users[u150]', code: 16, message: 'the user u150 was deleted' }];
      if (id === long) return [{ path: `users[${long.slice(0, 64)}…].name`, code: 6, message: 'taken' }];
      return [];
    });
  const ran = await run(t, server.url, `${ndjson(200)}{"id":"${long}"}\n`);
  assert.equal(ran.status, 'done');
  assert.deepEqual(counts(ran), [198, 0, 0, 0, 3, 0]);
  assert.deepEqual(
    ran.report.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)),
    [
      { line: 4, id: 'u3', result: 'failed', code: 4, reason: 'role: role "boss" does not exist; teams: too many' },
      { line: 151, id: 'u150', result: 'failed', code: 16, reason: 'the user u150 was deleted' },
      { line: 201, id: long, result: 'failed', code: 6, reason: 'name: taken' },
    ],
  );
  assert.ok(!server.directory.has('u3') && server.directory.has('u4'));
});

test('RN8 exception_fields name users too', async (t) => {
  const server = await FakeServer.start(t);
  const body = { code: 4, message: 'no', exception_fields: { 'users[u1].online': 'is a reserved field' } };
  server.misbehaviours.push({ kind: 'status', status: 400, body });
  const ran = await run(t, server.url, ndjson(3));
  assert.deepEqual(ran.report, [{ line: 2, id: 'u1', result: 'failed', code: 4, reason: 'online: is a reserved field' }]);
  assert.equal(ran.created, 2);
});

test('RN9 when the answer names nobody, halving finds the bad users', async (t) => {
  const server = await FakeServer.start(t);
  const bad = new Set(['u0', 'u41', 'u42', 'u99', 'u117']);
  server.isUnnamedProblem = ({ id }) => bad.has(String(id));
  const ran = await run(t, server.url, ndjson(150));
  assert.deepEqual(counts(ran), [145, 0, 0, 0, 5, 0]);
  assert.deepEqual(new Set(ran.report.map(({ id }) => id)), bad);
  assert.ok(ran.report.every(({ code, reason }) => code === 4 && reason === 'somebody is wrong'));
  assert.ok(server.requests.length < 80, `${server.requests.length} requests`);
  assert.ok([...bad].every((id) => !server.directory.has(id)));
});

test('RN10 errors that name users of no batch do not loop', async (t) => {
  const server = await FakeServer.start(t);
  server.problemsOf = () => [{ path: 'users[stranger].name', message: 'no' }];
  const ran = await run(t, server.url, ndjson(4));
  assert.deepEqual(counts(ran), [0, 0, 0, 0, 4, 0]);
});

test('RN11 a request that is too big is halved', async (t) => {
  const server = await FakeServer.start(t);
  server.misbehaviours.push({ kind: 'status', status: 413, body: 'too big' });
  assert.deepEqual(counts(await run(t, server.url, ndjson(100))), [100, 0, 0, 0, 0, 0]);
  assert.equal(server.requests.length, 3);
});

const pointless: [string, number, unknown][] = [
  ['a wrong key', 401, { code: 2, message: 'UpdateUsers failed with error: "api_key not valid"' }],
  ['a wrong secret', 401, { code: 43, message: 'UpdateUsers failed with error: "the token signature is invalid"' }],
  ['a caller that may not', 403, { code: 17, message: 'not allowed' }],
  ['a path that is not there', 404, '<html>not found</html>'],
  ['another address', 301, ''],
  ['something that is not rosterd', 200, '<html>welcome</html>'],
];
for (const [what, status, body] of pointless) {
  test(`RN12 ${what} ends the run at once`, async (t) => {
    const server = await FakeServer.start(t);
    for (let i = 0; i < 4; i++) server.misbehaviours.push({ kind: 'status', status, body });
    const ran = await run(t, server.url, ndjson(5_000));
    assert.equal(ran.status, 'gave-up');
    assert.match(ran.problem ?? '', new RegExp(String(status)));
    assert.ok(server.requests.length <= 4);
    assert.equal(
      counts(ran)
        .slice(0, 5)
        .every((count) => count === 0),
      true,
    );
    // Whoever was read and everything behind is in the report.
    const last = ran.report.at(-1) as { from_line?: number; code: unknown } | undefined;
    assert.equal(last?.code, 'not_read');
    const read = ran.notSent + ran.outcomeUnknown;
    assert.equal(last?.from_line, read + 1);
    assert.equal(ran.notReadFrom, read + 1);
    const reported = (wanted: string): number => ran.report.filter(({ code }) => code === wanted).length;
    assert.deepEqual([reported('not_sent'), reported('outcome_unknown')], [ran.notSent, ran.outcomeUnknown]);
    assert.equal(ran.outcomeUnknown > 0, status === 200, 'whoever answers so may have stored them');
  });
}

test('RN17 a batch that was on its way when the run ended is among what was not read', async (t) => {
  const server = await FakeServer.start(t);
  server.misbehaviours.push({ kind: 'status', status: 401, body: '{}' });
  let ended = (): void => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const lines = ndjson(300).split('\n');
  async function* source(): AsyncGenerator<Buffer> {
    yield Buffer.from(`${lines.slice(0, 100).join('\n')}\n`);
    await end;
    yield Buffer.from(lines.slice(100).join('\n'));
  }
  const added: ReportEntry[] = [];
  const report = {
    isFull: false,
    // The first lines are written when the run has ended, and the source goes on meanwhile.
    add: async (entries: readonly ReportEntry[]) => {
      added.push(...entries);
      ended();
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
  };
  const ran = await run(t, server.url, '', { source: source(), report });
  assert.deepEqual([ran.status, ran.notSent, ran.notReadFrom, ran.rows], ['gave-up', 100, 101, 100]);
  const last = added.at(-1);
  assert.equal(last !== undefined && 'from_line' in last ? last.from_line : undefined, 101);
});

test('RN13 a daemon that stays away: gives up after --retry-for and reports what was not sent', async (t) => {
  let tries = 0;
  const send: Send<SourceUser> = async () => {
    tries++;
    const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    throw new TransportError('connect ECONNREFUSED 127.0.0.1:8800', { cause });
  };
  const ran = await run(t, 'http://127.0.0.1:1', ndjson(250), { send, retryForMs: 60_000 });
  assert.equal(ran.status, 'gave-up');
  assert.match(ran.problem ?? '', /no batch got through for .*: connect ECONNREFUSED/);
  assert.deepEqual(counts(ran), [0, 0, 0, 0, 0, 250]);
  assert.equal(ran.report.length, 250);
  assert.deepEqual(ran.report[0] && { ...ran.report[0], line: 0, id: '' }, {
    line: 0,
    id: '',
    result: 'not_applied',
    code: 'not_sent',
    reason: 'the run ended before',
  });
  assert.ok(tries > 10);
  assert.ok(ran.elapsedMs <= 60_000, `${ran.elapsedMs} ms`);
});

test('RN13 SQ11 users that were sent and may be stored are reported apart from those that were not', async (t) => {
  const body = (outcome?: string) => JSON.stringify({ code: -1, message: 'away', ...(outcome === undefined ? {} : { outcome }) });
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  for (const [end, code] of [
    [() => replyOf(503, body('not_stored')), 'not_sent'],
    [() => replyOf(503, body('unknown')), 'outcome_unknown'],
    [() => replyOf(502, '<html>'), 'outcome_unknown'],
    [() => new TransportError('refused', { cause: refused }), 'not_sent'],
    [() => new TransportError('cut'), 'outcome_unknown'],
  ] as const) {
    const send: Send<SourceUser> = async () => {
      const ended = end();
      if (ended instanceof Error) throw ended;
      return ended;
    };
    const ran = await run(t, 'http://127.0.0.1:1', ndjson(1), { send, retryForMs: 0 });
    assert.deepEqual(
      ran.report.map((line) => 'code' in line && line.code),
      [code],
    );
    assert.deepEqual([ran.notSent, ran.outcomeUnknown], code === 'not_sent' ? [1, 0] : [0, 1]);
  }
});

test('RN14 patience starts anew whenever a batch gets through', async (t) => {
  const server = await FakeServer.start(t);
  let tries = 0;
  const real = sendTo(clientOf(t, server.url));
  // Each batch gets through at its ninth try, after some 20 s; together that is far more than the patience.
  const send: Send<SourceUser> = (users, signal) => (++tries % 9 === 0 ? real(users, signal) : Promise.reject(new TransportError('cut')));
  const ran = await run(t, server.url, ndjson(500), { send, concurrency: 1, retryForMs: 30_000 });
  assert.equal(ran.status, 'done');
  assert.ok(ran.elapsedMs > 90_000, `${ran.elapsedMs} ms`);
});

test('RN15 a server that asks for more patience than there is ends the run at once', async (t) => {
  const server = await FakeServer.start(t);
  server.misbehaviours.push({ kind: 'status', status: 429, headers: { 'Retry-After': '3600' } });
  const ran = await run(t, server.url, ndjson(1));
  assert.equal(ran.status, 'gave-up');
  assert.deepEqual(ran.clock.slept, []);
});

test('RN16 a patience of 0 tries once', async (t) => {
  const server = await FakeServer.start(t);
  server.misbehaviours.push({ kind: 'status', status: 500 });
  const ran = await run(t, server.url, ndjson(1), { retryForMs: 0 });
  assert.equal(ran.status, 'gave-up');
  assert.equal(server.requests.length, 1);
});

test('RN17 bad lines, duplicates and refused users share one report, and every line is accounted for', async (t) => {
  const server = await FakeServer.start(t);
  server.problemsOf = (users) => ('u5' in users ? [{ path: 'users[u5].role', code: 4, message: 'does not exist' }] : []);
  const ran = await run(t, server.url, `{oops\n${ndjson(10)}{"id":"u1"}\n\n{"id":"a b"}\n`);
  assert.deepEqual(counts(ran), [9, 0, 0, 0, 4, 0]);
  assert.deepEqual(
    ran.report.map(({ line, id, result, code }) => [line, id, result, code]),
    [
      [1, undefined, 'error', 'invalid_json'],
      [12, 'u1', 'error', 'duplicate_id'],
      [14, undefined, 'error', 'invalid_user'],
      [7, 'u5', 'failed', 4],
    ],
  );
});

test('RN18 Ctrl-C: no more is read, what is out finishes, the rest is not sent', async (t) => {
  const server = await FakeServer.start(t);
  const stop = new AbortController();
  server.beforeAnswer = () => {
    if (server.requests.length === 4) stop.abort();
  };
  const ran = await run(t, server.url, ndjson(3_000), { stop: stop.signal });
  assert.equal(ran.status, 'interrupted');
  assert.equal(ran.created, server.directory.size);
  assert.equal(ran.created, server.requests.length * 100);
  assert.ok(server.requests.length <= 8, `${server.requests.length} requests`);
  assert.equal(ran.reportPath, undefined, 'there is nothing to report: the job is run again');
  const again = await run(t, server.url, ndjson(3_000));
  assert.equal(again.status, 'done');
  assert.deepEqual(counts(again), [3_000 - ran.created, 0, ran.created, 0, 0, 0]);
});

test('RN19 Ctrl-C while it waits for the daemon does not wait on', async (t) => {
  const stop = new AbortController();
  const send: Send<SourceUser> = () => {
    queueMicrotask(() => stop.abort());
    return Promise.reject(new TransportError('refused'));
  };
  const ran = await run(t, 'http://127.0.0.1:1', ndjson(100), { send, stop: stop.signal });
  assert.equal(ran.status, 'interrupted');
  assert.deepEqual([...counts(ran), ran.outcomeUnknown], [0, 0, 0, 0, 0, 0, 100]);
  assert.equal(ran.elapsedMs, 0);
});

test('RN20 Ctrl-C ends a run whose source is silent', async (t) => {
  const server = await FakeServer.start(t);
  const stop = new AbortController();
  async function* silent(): AsyncGenerator<Buffer> {
    yield Buffer.from(ndjson(100));
    setImmediate(() => stop.abort());
    await new Promise(() => {});
  }
  assert.equal((await run(t, server.url, '', { source: silent(), stop: stop.signal })).status, 'interrupted');
});

test('RN13 RN21 the second Ctrl-C leaves although an answer is still out', async (t) => {
  const server = await FakeServer.start(t);
  server.misbehaviours.push({ kind: 'hang' });
  const stop = new AbortController();
  const leave = new AbortController();
  server.beforeAnswer = () => {
    stop.abort();
    setImmediate(() => leave.abort(new Error('left')));
  };
  const ran = await run(t, server.url, ndjson(100), { stop: stop.signal, leave: leave.signal });
  assert.equal(ran.status, 'interrupted');
  assert.deepEqual([...counts(ran), ran.outcomeUnknown], [0, 0, 0, 0, 0, 0, 100]);
  assert.deepEqual(ran.report.map(({ id, code }) => `${id} ${code}`).slice(0, 2), ['u0 outcome_unknown', 'u1 outcome_unknown']);
  assert.equal(ran.report.length, 100, 'RN13 whoever may be stored is named, although the run is simply run again');
});

test('RN22 no more requests at a time than asked for', async (t) => {
  const server = await FakeServer.start(t);
  server.beforeAnswer = async () => {
    while (server.openMost < 3) await new Promise((resolve) => setImmediate(resolve));
  };
  await run(t, server.url, ndjson(3_000), { concurrency: 3 });
  assert.equal(server.openMost, 3);
});

test('RN23 the source is not read far ahead of the sender, and a long one costs no memory', async (t) => {
  const users = 20_000;
  const perChunk = 50;
  let made = 0;
  let done = 0;
  let aheadMost = 0;
  let heldMost = 0;
  async function* generated(): AsyncGenerator<Buffer> {
    const filler = 'x'.repeat(1_000);
    while (made < users) {
      const lines = Array.from({ length: perChunk }, () => `{"id":"u${made++}","about":"${filler}"}\n`);
      aheadMost = Math.max(aheadMost, made - done);
      yield Buffer.from(lines.join(''));
    }
  }
  const send: Send<SourceUser> = async (sent) => {
    await new Promise((resolve) => setImmediate(resolve));
    done += sent.length;
    if (done % 5_000 === 0) heldMost = Math.max(heldMost, heldBytes());
    return replyOf(200, JSON.stringify({ users: {}, created: sent.map(({ id }) => id) }));
  };
  const before = heldBytes();
  const ran = await run(t, 'http://127.0.0.1:1', '', { source: generated(), send });
  assert.equal(ran.created, users);
  // 4 batches out, 4 waiting, one being filled, one chunk.
  assert.ok(aheadMost <= 1_000 + perChunk, `${aheadMost} users were read ahead`);
  // The source has 20 MB; what may stay is some 100 bytes for each id, and what is being worked on.
  assert.ok(heldMost - before < 200 * users + 4 * 2 ** 20, `${Math.round((heldMost - before) / 1024 / 1024)} MiB`);
});

test('RN24 a source that breaks ends the run with the reason', async (t) => {
  const server = await FakeServer.start(t);
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.from(ndjson(150));
    throw new Error('EIO: i/o error, read');
  }
  const ran = await run(t, server.url, '', { source: broken() });
  assert.equal(ran.status, 'gave-up');
  assert.match(ran.problem ?? '', /the source cannot be read: EIO/);
  assert.equal(ran.created, 150, 'who stood before the break is in');
  const reason = 'from this line on nothing was read: the source cannot be read: EIO: i/o error, read';
  assert.deepEqual(ran.report, [{ from_line: 151, result: 'not_applied', code: 'not_read', reason }]);
  const cut = await run(t, server.url, `${ndjson(2)}{"id":"u2","na`);
  assert.deepEqual([cut.status, cut.problem], ['gave-up', 'the source cannot be read: it breaks off in its last line, 3']);
  assert.deepEqual(counts(cut), [0, 0, 2, 0, 0, 0]);
});

test('RN25 a report that cannot be written ends the run', async (t) => {
  const server = await FakeServer.start(t);
  const report = { isFull: false, add: () => Promise.reject(new Error('ENOSPC: no space left')) };
  const ran = await run(t, server.url, `{oops\n${ndjson(10_000)}`, { report });
  assert.equal(ran.status, 'gave-up');
  assert.match(ran.problem ?? '', /the report cannot be written: ENOSPC/);
  assert.ok(ran.created < 10_000);
});

test('RN26 connections are kept open', async (t) => {
  const server = await FakeServer.start(t);
  await run(t, server.url, ndjson(2_000));
  assert.equal(server.requests.length, 20);
  assert.ok(server.connections <= 4, `${server.connections} connections`);
});
