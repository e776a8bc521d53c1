/** AP2, AP3, AP11: whether a plan still fits the directory, before anything is written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Prechecked, precheck } from '../../../daemon/sync/apply/precheck.ts';
import { countOf, NO_COUNTS, type PlanLine } from '../../../daemon/sync/plan/plan-lines.ts';
import { type AskRequest, type Reply, replyOf } from '../../../daemon/sync/transport.ts';

const never = new AbortController().signal;

const write = (id: string, rev: number | null, does: 'create' | 'update' | 'reactivate' = 'update'): PlanLine => ({
  ...{ do: does, line: 1, id, rev, user: { id } },
});
const removal = (id: string, rev: number | null, does: 'deactivate' | 'soft-delete' | 'hard-delete' = 'soft-delete'): PlanLine => ({
  ...{ do: does, id, rev },
});

interface Setup {
  readonly lines: readonly PlanLine[];
  readonly base?: { readonly epoch: string; readonly seq: number } | null;
  readonly afterAt?: number;
  readonly ifUnchanged?: boolean;
  readonly position?: Reply | undefined;
  /** `id rev` or `-id rev` for a deactivated user. */
  readonly listed?: readonly string[];
  readonly listStatus?: number;
  /** Answers a dry run. */
  readonly judge?: (ids: readonly string[], body: string) => Reply | undefined;
  readonly returning?: 'restore';
}

const reply = (status: number, body: unknown): Reply => replyOf(status, JSON.stringify(body));

async function checked(setup: Setup): Promise<{ found: Prechecked; asked: string[]; talk: string[] }> {
  const { lines, base = { epoch: 'e', seq: 10 }, afterAt = 1, ifUnchanged = false, listed = [], listStatus = 200 } = setup;
  const { judge = () => reply(200, { errors: [] }), returning } = setup;
  const position = 'position' in setup ? setup.position : reply(200, { epoch: 'e', seq: 11 });
  const stop = new AbortController();
  const asked: string[] = [];
  const talk: string[] = [];
  const counts = { ...NO_COUNTS };
  for (const line of lines) counts[countOf(line)]++;
  const numbered = lines.map((line, index) => ({ at: index + 2, line }));
  const plan = {
    header: { base, options: { missing: 'ignore', scope: null, ...(returning === undefined ? {} : { returning }) } },
    trailer: { counts },
    async *lines() {
      yield numbered.slice(0, 3);
      yield numbered.slice(3);
    },
  };
  const users = listed.map((text) => {
    const [id = '', rev] = text.replace(/^-/, '').split(' ');
    return { id, rev: Number(rev), ...(text.startsWith('-') ? { deactivated: true } : {}) };
  });
  const list = [{ epoch: 'e', seq: 11, count: users.length }, ...users, { end: true, count: users.length }];
  async function* chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from(listStatus === 200 ? list.map((line) => `${JSON.stringify(line)}\n`).join('') : '{"message":"no list"}');
  }
  const server = {
    ask: async ({ method, path, query, body = '' }: AskRequest): Promise<Reply | undefined> => {
      asked.push(`${method} ${path}${query === undefined ? '' : `?dry_run=${query.dry_run}`}`);
      if (path === '/sync/position') return position;
      const answer = judge(Object.keys(JSON.parse(body).users), body);
      // There is none only when the run was stopped or gave up.
      if (answer === undefined) stop.abort();
      return answer;
    },
    stream: async ({ path }: AskRequest) => {
      asked.push(`list ${path}`);
      return { status: listStatus, chunks: chunks() };
    },
  };
  const found = await precheck({
    ...{ plan: plan as never, afterAt, ifUnchanged, server: server as never, concurrency: 2, stopping: stop.signal },
    retrier: { request: async (send: (signal: AbortSignal) => Promise<Reply>) => await send(never) } as never,
    ...{ writes: undefined as never, reads: undefined as never, onTalk: (text: string) => talk.push(text) },
  });
  return { found, asked, talk };
}

/** In words: the removed, the problem, or the stale with both revisions. */
function outcome({ found }: { readonly found: Prechecked }): string {
  if (found.kind === 'ended') return 'ended';
  if (found.kind === 'fine') return `fine ${[...found.removed]}`.trim();
  const { problems, staleCount, stale } = found;
  return [
    ...problems,
    ...(staleCount === 0 ? [] : [staleCount, ...stale.map(({ id, planned, found: now }) => `${id} ${planned} ${now}`)]),
  ].join(', ');
}

const POSITION = 'GET /sync/position';
const LIST = 'list /sync/users';
const DRY_RUN = 'POST /users?dry_run=true';

test('AP11 a server that is not rosterd is asked nothing, and that is told', async () => {
  const { found, asked, talk } = await checked({ lines: [write('a', null)], base: null });
  assert.deepEqual([outcome({ found }), asked, talk.length], ['fine', [], 1]);
  assert.match(talk[0] ?? '', /is not rosterd: whether users changed .* could not be checked/);
});

test('AP2 another epoch, an earlier position or no position refuse the plan; nothing is looked at but that', async () => {
  const lines = [write('a', 1)];
  const at = (body: unknown, status = 200) => checked({ lines, position: reply(status, body) });
  for (const [body, problem] of [
    [{ epoch: 'f', seq: 11 }, /^the plan was made for another directory \(e, this is f\): .* Plan again$/],
    [{ epoch: 'e', seq: 9 }, /^the directory stands at position 9, the plan was made at 10: .* Plan again$/],
    [{ epoch: 'e' }, /^the server does not tell its position \(status 200: \{"epoch":"e"\}\)/],
    [{ epoch: 7, seq: 11 }, /^the server does not tell its position/],
    [{ epoch: 'e', seq: '11' }, /^the server does not tell its position/],
    ['text', /^the server does not tell its position/],
  ] as const) {
    const ran = await at(body);
    assert.match(outcome(ran), problem);
    assert.deepEqual([ran.asked, ran.found.kind === 'refused' && ran.found.staleCount], [[POSITION], 0]);
  }
  assert.match(outcome(await at({ epoch: 'e', seq: 11 }, 201)), /does not tell its position \(status 201/);
  assert.equal(outcome(await checked({ lines, position: undefined })), 'ended');
});

test('AP3 the users are listed only when something was written since, and when it matters who changed', async () => {
  const same = reply(200, { epoch: 'e', seq: 10 });
  assert.deepEqual((await checked({ lines: [write('a', 1)], position: same })).asked, [POSITION]);
  assert.deepEqual((await checked({ lines: [write('a', 1)], ifUnchanged: true })).asked, [POSITION]);
  for (const does of ['deactivate', 'soft-delete', 'hard-delete'] as const) {
    const ran = await checked({ lines: [removal('a', 1, does)], listed: ['a 1'], ifUnchanged: true });
    assert.deepEqual([ran.asked, outcome(ran)], [[POSITION, LIST], 'fine']);
  }
  const refused = await checked({ lines: [write('a', 1)], listStatus: 403 });
  assert.equal(outcome(refused), 'the users cannot be listed (status 403: no list)');
});

test('AP3 users with the revision of the plan are not asked for; the others may be as the plan wants them already', async () => {
  const lines = [write('a', 1), write('b', 2), write('c', 0, 'create'), write('d', null)];
  const listed = ['a 1', 'b 9', 'c 5', 'd 7', 'stranger 3'];
  const ids: (readonly string[])[] = [];
  const bodies: string[] = [];
  const judge = (batch: readonly string[], body: string): Reply => {
    ids.push(batch);
    bodies.push(body);
    return reply(200, { errors: [] });
  };
  const ran = await checked({ lines, listed, judge, returning: 'restore' });
  assert.deepEqual([outcome(ran), ids, ran.asked], ['fine', [['b', 'c']], [POSITION, LIST, DRY_RUN]]);
  assert.deepEqual(JSON.parse(bodies[0] ?? '').if_rev, { b: 2, c: 0 });
  assert.equal(JSON.parse(bodies[0] ?? '').returning, 'restore');
});

test('AP3 users that changed are named with both revisions; other errors of theirs do not matter here', async () => {
  const lines = [write('a', 1), write('b', 2), write('c', 0, 'create')];
  const error = (id: string, message: string, path = `users[${id}]`) => ({ path, message });
  const judge = (): Reply =>
    reply(200, {
      errors: [
        ...[error('a', 'the user a has revision 4, not 1'), error('c', 'the user c exists already (revision 5)'), error('b', 'is taken')],
        ...[error('stranger', 'the user stranger does not exist'), error('a', 'the user a has revision 4, not 1', 'users[a].role')],
        ...['text', null, { path: 7, message: 'x' }, { path: 'users[b]', message: 7 }],
      ],
    });
  assert.equal(outcome(await checked({ lines, listed: ['a 4', 'b 3', 'c 5'], judge })), '2, a 1 4, c 0 5');
});

test('AP3 an answer that does not list errors refuses the plan', async () => {
  const lines = [write('a', 1)];
  for (const [answer, problem] of [
    [reply(400, { errors: [], message: 'no' }), 'the users cannot be compared (status 400: no)'],
    [reply(300, { errors: [], message: 'no' }), 'the users cannot be compared (status 300: no)'],
    [reply(200, { errors: {} }), 'the users cannot be compared (status 200: {"errors":{}})'],
    [replyOf(200, 'text'), 'the users cannot be compared (status 200: text)'],
    [undefined, 'ended'],
  ] as const) {
    assert.equal(outcome(await checked({ lines, judge: () => answer })), problem);
  }
  assert.equal(outcome(await checked({ lines: [write('a', 1)], listed: ['a 1'], judge: () => assert.fail('nobody changed') })), 'fine');
});

test('AP3 a user to remove that changed is stale; one that is removed or deactivated already is not', async () => {
  const found = (line: PlanLine, ...listed: readonly string[]) =>
    checked({ lines: [line], listed, judge: () => assert.fail('a removal needs no dry run') }).then(outcome);
  assert.equal(await found(removal('a', 1), 'a 2'), '1, a 1 2');
  assert.equal(await found(removal('a', 1)), 'fine a');
  assert.equal(await found(removal('a', 1), '-a 2'), '1, a 1 2', 'it is to be deleted, and is only deactivated');
  assert.equal(await found(removal('a', 1, 'hard-delete')), 'fine a');
  assert.equal(await found(removal('a', 1, 'deactivate'), '-a 2'), 'fine a');
  assert.equal(await found(removal('a', 1, 'deactivate'), 'a 2'), '1, a 1 2');
  assert.equal(await found(removal('a', 1, 'deactivate')), '1, a 1 0', 'it is gone');
  assert.equal(await found(removal('a', null), 'a 2'), 'fine');
});

test('AP3 with --if-unchanged nobody is stale, and what is removed already is still known', async () => {
  const lines = [removal('a', 1), removal('b', 1), write('c', 1), write('d', 1, 'reactivate')];
  const ran = await checked({ lines, listed: ['b 2', 'c 2', '-d 2'], ifUnchanged: true });
  assert.deepEqual([outcome(ran), ran.asked], ['fine a', [POSITION, LIST]]);
});

test('AP3 a user to reactivate that somebody deactivated anew is stale; one that is active is asked for', async () => {
  const lines = [write('a', 1, 'reactivate'), write('b', 1, 'reactivate')];
  const ids: (readonly string[])[] = [];
  const judge = (batch: readonly string[]): Reply => {
    ids.push(batch);
    return reply(200, { errors: [] });
  };
  assert.deepEqual([outcome(await checked({ lines, listed: ['-a 5', 'b 5'], judge })), ids], ['1, a 1 5', [['b']]]);
});

test('AP3 what an earlier run has done is not looked at, and the first ten of many are named', async () => {
  assert.equal(outcome(await checked({ lines: [removal('a', 1), removal('b', 1)], listed: ['a 2', 'b 2'], afterAt: 2 })), '1, b 1 2');
  const ids = Array.from({ length: 11 }, (_, index) => `u${index}`);
  const many = await checked({ lines: ids.map((id) => removal(id, 1)), listed: ids.map((id) => `${id} 2`) });
  assert.equal(
    outcome(many),
    `11, ${ids
      .slice(0, 10)
      .map((id) => `${id} 1 2`)
      .join(', ')}`,
  );
});

test('AP3 users are asked for by the hundred', async () => {
  const sizes: number[] = [];
  const judge = (batch: readonly string[]): Reply => {
    sizes.push(batch.length);
    return reply(200, { errors: [] });
  };
  const ids = Array.from({ length: 201 }, (_, index) => `u${index}`);
  await checked({ lines: ids.map((id) => write(id, 1)), judge });
  await checked({ lines: ids.slice(0, 100).map((id) => write(id, 1)), judge });
  assert.deepEqual(sizes, [100, 100, 1, 100]);
});
