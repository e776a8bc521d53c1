/** PN: what a plan says. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { NO_COUNTS } from '../../../daemon/sync/plan/plan-lines.ts';
import { BrokenSource } from '../../../daemon/sync/rows.ts';
import { type AskRequest, replyOf } from '../../../daemon/sync/transport.ts';
import { heldBytes } from '../../support/memory.ts';
import { ndjson, numberedUsers, PlanDirectory, planOf } from '../../support/sync/plan-kit.ts';

test('PN1 who would be created, updated, unchanged and removed, in the order of the source, with revisions and changes', async (t) => {
  const server = new PlanDirectory([
    { id: 'ann', name: 'Ann' },
    { id: 'bob', name: 'Bob' },
    { id: 'gone', name: 'Gone' },
  ]);
  const text = ndjson([
    { id: 'new', name: 'New' },
    { id: 'bob', name: 'Bob' },
    { id: 'ann', name: 'Anne' },
  ]);
  const { summary, lines, header, sink } = await planOf(t, text, server, { missing: 'deactivate', maxMissing: 0.5 });
  assert.deepEqual(summary.problems, []);
  assert.deepEqual(lines, [
    { do: 'create', line: 1, id: 'new', rev: 0, user: { id: 'new', name: 'New' }, changes: {} },
    { do: 'update', line: 3, id: 'ann', rev: 1, user: { id: 'ann', name: 'Anne' }, changes: { name: ['Ann', 'Anne'] } },
    { do: 'deactivate', id: 'gone', rev: 3 },
  ]);
  assert.equal(sink, 'finished');
  assert.deepEqual(header?.base, { epoch: 'e', seq: 9 });
  assert.deepEqual(header?.options, { missing: 'deactivate', scope: null });
  const counts = { ...NO_COUNTS, rows: 3, create: 1, update: 1, unchanged: 1, missing: 1, deactivate: 1 };
  assert.deepEqual(summary.counts, counts);
  assert.deepEqual(summary.fields, [{ field: 'name', changed: 1, removed: 0 }]);
});

test('PN2 the order is that of the source however the answers come, and every row is in exactly one count', async (t) => {
  const server = new PlanDirectory(numberedUsers(500));
  let open = 0;
  let most = 0;
  server.beforeAnswer = async () => {
    most = Math.max(most, ++open);
    for (let i = (server.asked.length * 7) % 5; i >= 0; i--) await new Promise(setImmediate);
    open--;
  };
  const users = numberedUsers(1_000, 250).map((user, i) => (i % 50 === 0 ? { ...user, role: 7 } : user));
  const { summary, lines } = await planOf(t, ndjson(users), server);
  const at = lines.flatMap((line) => ('user' in line ? [line.line] : []));
  assert.deepEqual(
    at,
    at.toSorted((a, b) => a - b),
  );
  const { rows, create, update, unchanged, errors } = summary.counts;
  assert.deepEqual([rows, create + update + unchanged + errors, errors], [1_000, 1_000, 20]);
  assert.ok(most > 1 && most <= 4, `${most} at a time`);
});

test('PN3 of rows with one id the first counts, and each other one names both lines', async (t) => {
  const users = [...numberedUsers(96), { id: 'a', name: '1' }, { id: 'b' }, { id: 'a', name: '2' }, { id: 'a', name: '3' }];
  const { lines, summary } = await planOf(t, ndjson(users), new PlanDirectory());
  const reason = (line: number) => ({
    error: { line, id: 'a', code: 'duplicate_id', reason: `line ${line} names the same user as line 97; line 97 counts` },
  });
  assert.deepEqual(
    lines.filter((line) => 'error' in line),
    [reason(99), reason(100)],
  );
  assert.deepEqual(
    lines.flatMap((line) => ('user' in line && line.id === 'a' ? [line.user.name] : [])),
    ['1'],
  );
  assert.equal(summary.counts.create, 98);
});

test('PN4 a row that is wrong does not claim its id, but its user is not missing', async (t) => {
  const server = new PlanDirectory([{ id: 'a' }, { id: 'b' }, { id: 'gone' }]);
  const rows = [{ id: 'a', role: 5 }, { id: 'a' }, { id: 'b', role: 5 }];
  // Neither brake is in the way: everybody who counts as missing would be removed.
  const { lines, summary } = await planOf(t, ndjson(rows), server, {
    missing: 'hard-delete',
    maxErrors: 1,
    maxMissing: 1,
    maxMissingCount: 10,
  });
  assert.equal(summary.status, 'planned');
  assert.deepEqual(
    lines.map((line) => ('error' in line ? `${line.error.line} ${line.error.id}` : `${line.do} ${line.id}`)),
    ['1 a', '3 b', 'hard-delete gone'],
  );
  assert.deepEqual([summary.counts.missing, summary.counts.unchanged], [1, 1]);
});

test('PN5 errors of the source and of the daemon are all in the plan', async (t) => {
  const server = new PlanDirectory();
  server.refuse = ({ id }) => (id === 'r' ? 'role "x" does not exist' : undefined);
  const { lines, summary } = await planOf(t, `nonsense\n{"id":"a","role":1}\n{"id":"r"}\n{"name":"x"}\n\n{"id":"ok"}\n`, server, {
    maxErrors: 1,
  });
  const errors = lines.flatMap((line) => ('error' in line ? [`${line.error.line} ${line.error.id ?? ''} ${line.error.code}`] : []));
  assert.deepEqual(errors, ['1  invalid_json', '2 a invalid_user', '4  invalid_user', '3 r 4']);
  assert.deepEqual([summary.status, summary.counts.rows, summary.counts.create], ['planned', 5, 1]);
});

test('PN6 what only the daemon sets does not travel', async (t) => {
  const sent = { id: 'a', name: 'A', rev: 7, devices: [{ id: 'push-token' }], online: true, revoke_tokens_issued_before: 'x' };
  const { lines } = await planOf(t, ndjson([sent]), new PlanDirectory());
  assert.deepEqual(
    lines.map((line) => 'user' in line && line.user),
    [{ id: 'a', name: 'A' }],
  );
});

test('PN7 another server is compared with by what it shows, and never asked to try', async (t) => {
  const shown = {
    id: 'a',
    name: 'A',
    role: 'user',
    teams: [],
    language: '',
    banned: false,
    online: true,
    invisible: false,
    city: 'Rome',
    created_at: 'x',
  };
  const server = new PlanDirectory([shown, { ...shown, id: 'b' }, { ...shown, id: 'c' }, { ...shown, id: 'd' }]);
  server.isRosterd = false;
  const users = [
    { id: 'a', name: 'A', city: 'Rome' },
    { id: 'b', name: 'B', role: 'admin' },
    { id: 'c', name: 'A', city: 'Rome', invisible: false, teams: [] },
    { id: 'x', n: 1 },
  ];
  const { lines, summary, header } = await planOf(t, ndjson(users), server);
  assert.deepEqual(lines, [
    {
      do: 'update',
      line: 2,
      id: 'b',
      rev: null,
      user: users[1],
      changes: { name: ['A', 'B'], role: ['user', 'admin'], 'custom.city': ['Rome', null] },
    },
    { do: 'create', line: 4, id: 'x', rev: null, user: users[3], changes: { 'custom.n': [null, 1] } },
  ]);
  assert.equal(header?.base, null);
  assert.equal(summary.counts.unchanged, 2);
  assert.match(summary.notes.join(), /not rosterd/);
  assert.ok(server.asked.every(({ method }) => method === 'GET'));
  const large = new PlanDirectory(numberedUsers(100));
  large.isRosterd = false;
  assert.equal((await planOf(t, ndjson(numberedUsers(100)), large)).summary.counts.unchanged, 100);
  const asked = large.asked.slice(1).map(({ query }) => JSON.parse(query?.payload ?? '{}'));
  assert.deepEqual(
    asked.map(({ limit, filter_conditions }) => [limit, filter_conditions.id.$in.length]),
    [
      [30, 30],
      [30, 30],
      [30, 30],
      [30, 10],
    ],
  );
});

test('PN8 deactivated users are not deactivated again, but can be deleted, and those of the source are pointed out', async (t) => {
  const directory = () => {
    const server = new PlanDirectory(numberedUsers(10));
    for (const id of ['u0', 'u1', 'u2']) server.deactivate(id);
    return server;
  };
  const text = ndjson(numberedUsers(8, 1).slice(0, 7));
  const soft = await planOf(t, text, directory(), { missing: 'soft-delete', maxMissing: 0.5 });
  assert.deepEqual(
    soft.lines.map((line) => 'do' in line && line.id),
    ['u0', 'u8', 'u9'],
  );
  const off = await planOf(t, text, directory(), { missing: 'deactivate', maxMissing: 0.5 });
  assert.deepEqual([off.summary.counts.missing, off.summary.counts.deactivate], [3, 2]);
  assert.deepEqual(off.summary.notes, ['2 users of the source are deactivated (not by a sync) and stay so']);
});

test('PN9 a scope keeps to its team on both sides, and leaves users of other teams alone', async (t) => {
  const server = new PlanDirectory([
    { id: 'r1', teams: ['red'] },
    { id: 'r2', teams: ['red'] },
    { id: 'both', teams: ['red', 'blue'] },
    { id: 'b1', teams: ['blue'] },
  ]);
  const users = [{ id: 'r1', teams: ['red'] }, { id: 'b1', teams: ['blue'] }, { id: 'no' }];
  const { lines, summary } = await planOf(t, ndjson(users), server, { missing: 'deactivate', team: 'red', maxMissing: 1, maxErrors: 1 });
  assert.deepEqual(lines, [
    { error: { line: 2, id: 'b1', code: 'out_of_scope', reason: 'the user is outside the scope team=red: its teams are "blue"' } },
    { error: { line: 3, id: 'no', code: 'out_of_scope', reason: 'the user is outside the scope team=red: the row names no team' } },
    { do: 'deactivate', id: 'r2', rev: 2 },
  ]);
  assert.deepEqual(summary.notes, ['1 missing user of the team red is in other teams too and left alone']);
  assert.deepEqual(
    server.asked.filter(({ path }) => path === '/sync/users').map(({ query }) => query),
    [{ team: 'red' }],
  );
});

test('PN10 none of the users is known where others are: that is pointed out', async (t) => {
  const { summary } = await planOf(t, ndjson([{ id: 'Ann', name: 'a7' }]), new PlanDirectory(numberedUsers(3)));
  assert.match(summary.notes.join(), /none of the users of the source is in the directory, which has 3: is the right column the id/);
});

const strange: readonly [string, (request: AskRequest) => { status: number; body: unknown } | undefined, RegExp][] = [
  [
    'a wrong key',
    ({ path }) => (path === '/sync/position' ? { status: 401, body: { message: 'api_key not valid' } } : undefined),
    /the daemon answers 401: api_key not valid/,
  ],
  [
    'a dry run that was none',
    ({ method }) => (method === 'POST' ? { status: 201, body: { users: {}, created: ['a'] } } : undefined),
    /did not say that it only tried/,
  ],
  [
    'a refusal as a whole',
    ({ method }) => (method === 'POST' ? { status: 403, body: { message: 'no' } } : undefined),
    /the daemon answers 403: no/,
  ],
  ['no JSON', ({ method }) => (method === 'POST' ? { status: 200, body: 'hello' } : undefined), /not that of a user directory/],
  ['an error that passes, for too long', ({ method }) => (method === 'POST' ? { status: 503, body: {} } : undefined), /503/],
];
for (const [what, answer, reason] of strange) {
  test(`PN11 ${what} ends the planning with its reason and without a plan`, async (t) => {
    const server = new PlanDirectory();
    const ask = async (request: AskRequest) => {
      const own = answer(request);
      return own === undefined ? await server.ask(request) : replyOf(own.status, JSON.stringify(own.body));
    };
    const { summary, sink } = await planOf(t, '{"id":"a"}\n', { ask, stream: (request) => server.stream(request) });
    assert.equal(summary.status, 'failed');
    assert.match(summary.problems.join(), reason);
    assert.ok(sink === 'abandoned' || sink === 'none', sink);
  });
}

test('PN12 a list of the directory that breaks off finds nobody missing', async (t) => {
  for (const lines of [0, 1, 5, 11]) {
    const server = new PlanDirectory(numberedUsers(10));
    server.listLines = lines;
    const { summary, sink } = await planOf(t, ndjson(numberedUsers(9)), server, { missing: 'deactivate', maxMissing: 1 });
    assert.equal(summary.status, 'failed');
    assert.match(
      summary.problems.join(),
      /the list of the directory's users \(GET \/sync\/users\) cannot be used: it broke off after \d+ users/,
    );
    assert.equal(sink, 'abandoned');
  }
});

test('PN13 Ctrl-C ends it at once, also while the source is silent, and leaves no plan', async (t) => {
  const stop = new AbortController();
  const silent = new Readable({ read: () => {} });
  silent.push(Buffer.from('{"id":"a"}\n'));
  const planning = planOf(
    t,
    '',
    new PlanDirectory(),
    {},
    {
      stop: stop.signal,
      rows: (async function* () {
        for await (const _ of silent) {
          stop.abort();
          yield { rows: [], bytes: 0 };
        }
      })(),
    },
  );
  const { summary, sink } = await planning;
  assert.deepEqual([summary.status, sink], ['interrupted', 'abandoned']);
  const asking = new AbortController();
  const server = new PlanDirectory();
  server.beforeAnswer = ({ method }) => {
    if (method === 'POST') asking.abort();
  };
  const during = await planOf(t, ndjson(numberedUsers(1_000)), server, {}, { stop: asking.signal });
  assert.deepEqual([during.summary.status, during.sink], ['interrupted', 'abandoned']);
});

test('PN14 a plan that cannot be written is no plan', async (t) => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  const { summary } = await planOf(t, '{"id":"a"}\n', new PlanDirectory(), {}, { openSink: () => Promise.reject(full) });
  assert.equal(summary.status, 'failed');
  assert.deepEqual(summary.problems, ['ENOSPC: no space left on device, write; TMPDIR names a directory with more room']);
  const broken = await planOf(
    t,
    '',
    new PlanDirectory(),
    {},
    {
      rows: (async function* () {
        yield { rows: [{ line: 1, value: { id: 'a' } }], bytes: 9 };
        throw new BrokenSource('it broke off after row 1');
      })(),
    },
  );
  assert.deepEqual([broken.summary.status, broken.sink], ['refused', 'abandoned']);
});

test('PN15 memory grows by the ids of the source alone', { timeout: 60_000 }, async (t) => {
  const rows = (count: number) =>
    (async function* () {
      for (let from = 0; from < count; from += 1_000) {
        yield {
          rows: Array.from({ length: 1_000 }, (_, i) => ({
            line: from + i + 1,
            value: { id: `user-number-${from + i}`, name: 'x'.repeat(1_000) },
          })),
          bytes: 0,
        };
      }
    })();
  // Everyone is unchanged for it, so that only the planner holds anything.
  const list = (count: number) =>
    (async function* () {
      yield Buffer.from(`${JSON.stringify({ epoch: 'e', seq: 9, count })}\n`);
      for (let i = 0; i < count; i++) yield Buffer.from(`{"id":"user-number-${i}","rev":1}\n`);
      yield Buffer.from(`${JSON.stringify({ end: true, count })}\n`);
    })();
  const peak = async (count: number) => {
    let most = 0;
    let asked = 0;
    const ask = async (request: AskRequest) => {
      if (asked++ % 50 === 0) most = Math.max(most, heldBytes());
      const ids = Object.keys(JSON.parse(request.body ?? '{"users":{}}').users);
      const body = request.path === '/sync/position' ? { epoch: 'e', seq: 9, users: count } : { revs: {}, changes: {}, unchanged: ids };
      return replyOf(200, JSON.stringify(body));
    };
    const server = { ask, stream: async () => ({ status: 200, chunks: list(count) }) };
    const { summary } = await planOf(t, '', server, { missing: 'deactivate' }, { rows: rows(count) });
    assert.deepEqual([summary.status, summary.counts.unchanged], ['planned', count]);
    return most;
  };
  await peak(3_000);
  const small = await peak(3_000);
  const large = await peak(20_000);
  // The users take 17 MB more; what is being worked on may differ.
  assert.ok(large - small < 17_000 * 200 + 4 * 2 ** 20, `3,000 rows: ${small >> 20} MiB, 20,000 rows: ${large >> 20} MiB`);
});
