/** PC: `rosterd sync plan` as it is called, against a real daemon. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { runCli } from '../../../daemon/cli/commands.ts';
import { PlanFile } from '../../../daemon/sync/plan/plan-file.ts';
import type { PlanLine } from '../../../daemon/sync/plan/plan-lines.ts';
import { isLong } from '../../support/long.ts';
import { type FakeIo, fakeIo } from '../../support/sync/fake-server.ts';
import { ndjson, numberedUsers } from '../../support/sync/plan-kit.ts';
import { API_KEY, API_SECRET, World } from '../../support/world.ts';

const env = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET };

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rosterd-plan-cli-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Runs it in a new folder with these files. */
async function plan(
  t: TestContext,
  url: string,
  files: Readonly<Record<string, string>>,
  args: readonly string[],
  more: { readonly stdin?: Readable; readonly cwd?: string } = {},
): Promise<{ code: number; io: FakeIo; cwd: string }> {
  const cwd = more.cwd ?? folder(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  const io = fakeIo({ cwd, env, ...(more.stdin === undefined ? {} : { stdin: more.stdin }) });
  const code = await runCli(['sync', 'plan', ...args, '--url', url], io, { serve: () => assert.fail('serve was called') });
  return { code, io, cwd };
}

async function linesOf(path: string): Promise<readonly PlanLine[]> {
  const file = await PlanFile.open(path);
  const lines: PlanLine[] = [];
  for await (const some of file.lines()) lines.push(...some.map(({ line }) => line));
  await file.close();
  return lines;
}

test('US13 teams in another order are no change for a plan, an event or a connect, and repetitions are not kept', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'to1', name: 'Ann', teams: ['red', 'red', 'blue'], custom: { tags: ['a', 'b'] } });
  assert.deepEqual(world.daemon.roster.directory.user('to1')?.teams, ['red', 'blue']);
  const { seq } = world.daemon.roster.position;
  const same = await plan(t, world.daemon.url, { 'a.csv': 'id,name,teams,custom.tags:list\nto1,Ann,blue;red;blue,a;b\n' }, ['a.csv']);
  assert.equal(same.code, 0, same.io.stdout.text);
  const other = await plan(t, world.daemon.url, { 'b.csv': 'id,name,teams,custom.tags:list\nto1,Ann,blue;red,b;a\n' }, ['b.csv']);
  assert.equal(other.code, 2);
  assert.match(other.io.stdout.text, /update +1\n {4}custom\.tags +1\n/);
  assert.doesNotMatch(other.io.stdout.text, /teams/);
  const client = await world.chat('to1', { teams: ['blue', 'red'] });
  assert.deepEqual(client.frames[0].me.teams, ['red', 'blue']);
  const found = encodeURIComponent(JSON.stringify({ filter_conditions: { teams: ['blue', 'red'] } }));
  assert.equal((await world.http('GET', `/users?payload=${found}`)).body.users.length, 1);
  assert.equal(world.daemon.roster.directory.user('to1')?.rev, seq, 'no event');
});

test('PC1 0: nothing to do; 2: changes, told with examples; the directory is left as it was', async (t) => {
  const world = await World.start(t);
  await world.upsert(...numberedUsers(3));
  const same = await plan(t, world.daemon.url, { 'users.ndjson': ndjson(numberedUsers(3)) }, ['users.ndjson']);
  assert.equal(same.code, 0, same.io.stderr.text);
  assert.equal(same.io.stdout.text, 'create       0\nupdate       0\nunchanged    3\nerrors       0\n');
  const users = [{ id: 'u0', name: 'Zoë', book: 'Emma' }, { id: 'u1' }, { id: 'u9' }];
  const { code, io, cwd } = await plan(t, world.daemon.url, { 'users.json': JSON.stringify(users) }, [
    'users.json',
    '--missing',
    'deactivate',
    '--max-missing',
    '50%',
    '--out',
    'plan.ndjson',
  ]);
  assert.equal(code, 2, io.stderr.text);
  assert.equal(
    io.stdout.text,
    [
      'create       1  u9 (line 3)',
      'update       2',
      '    name         2 (1 removed)',
      '    custom.book  1',
      '    u0 (line 1): name "U 0" → "Zoë", custom.book – → "Emma"',
      '    u1 (line 2): name "U 1" → –',
      'unchanged    0',
      'deactivate   1  u2',
      'errors       0',
      `plan         ${join(cwd, 'plan.ndjson')}`,
      '',
    ].join('\n'),
  );
  const lines = await linesOf(join(cwd, 'plan.ndjson'));
  assert.deepEqual(
    lines.map((line) => ('do' in line ? [line.do, line.id, line.rev] : line)),
    [
      ['update', 'u0', 1],
      ['update', 'u1', 2],
      ['create', 'u9', 0],
      ['deactivate', 'u2', 3],
    ],
  );
  const answer = await world.http('GET', '/sync/position');
  assert.deepEqual([answer.body.seq, answer.body.users], [3, 3]);
});

test('PC2 1: rows with errors; they are in the plan beside the others', async (t) => {
  const world = await World.start(t);
  const text = `id,name,role,custom.age:number\nann,Ann,,7\nbob,Bob,boss,\ncat,Cat,,old\ndan,Dan,admin,8\n`;
  const { code, io, cwd } = await plan(t, world.daemon.url, { 'users.csv': text }, [
    'users.csv',
    '--out',
    'p.ndjson',
    '--max-errors',
    '50%',
    '--quiet',
  ]);
  assert.equal(code, 1);
  assert.equal(io.stderr.text, '');
  assert.match(
    io.stdout.text,
    /errors +2\n +1 × custom\.age: "old" is no number \(line 4\)\n +1 × role: role "boss" does not exist \(line 3\)\n/,
  );
  const found = (await linesOf(join(cwd, 'p.ndjson'))).map((line) =>
    'error' in line ? `error ${line.error.line}` : `${line.do} ${line.id}`,
  );
  assert.deepEqual(found, ['error 4', 'create ann', 'error 3', 'create dan']);
});

test('PC3 --json is one object; stdin, a map and a scope', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: '7', name: 'Ann', teams: ['red'] }, { id: '8', teams: ['red'] }, { id: '9', teams: ['blue'] });
  const map = { id: 'no', name: 'full', teams: { column: 'team', type: 'list', separator: '|' }, 'custom.dept': { value: 'HR' } };
  const stdin = Readable.from([Buffer.from('no,full,team,x\n7,Anne,red|green,y\n')]);
  const args = ['-', '--map', 'map.json', '--missing', 'soft-delete', '--scope', 'team=red', '--max-missing', '50%', '--json'];
  const { code, io } = await plan(t, world.daemon.url, { 'map.json': JSON.stringify(map) }, args, { stdin });
  assert.equal(code, 2, io.stderr.text);
  const { seconds, base, examples, ...printed } = JSON.parse(io.stdout.text);
  assert.ok(seconds >= 0 && base.seq === 3 && examples.missing[0] === '8');
  assert.deepEqual(printed, {
    ...{
      status: 'planned',
      rows: 1,
      create: 0,
      update: 1,
      reactivate: 0,
      restore: 0,
      unchanged: 0,
      missing: 1,
      deactivate: 0,
      soft_delete: 1,
      hard_delete: 0,
      errors: 0,
    },
    plan: null,
    taken_out: { count: 0, first: [] },
    fields: ['custom.dept', 'name', 'teams'].map((field) => ({ field, changed: 1, removed: 0 })),
    error_groups: [],
    notes: ['left out, since the map does not name them: x'],
    problems: [],
  });
});

const wrong: readonly [string, readonly string[], RegExp][] = [
  ['an unknown flag', ['users.ndjson', '--nope'], /unknown option '--nope'/],
  ['no source', [], /give either a file \(- for stdin\) or --from/],
  ['two sources', ['users.ndjson', '--from', 'postgres://x/y', '--query', 'select 1'], /give either a file/],
  ['a query without a database', ['users.ndjson', '--query', 'select 1'], /--from and --query belong together/],
  ['no database', ['--from', 'mysql://x', '--query', 'q'], /It must be an address such as postgres:/],
  ['a file that is not there', ['nope.csv'], /nope\.csv cannot be read/],
  ['a map that is not there', ['users.ndjson', '--map', 'nope.json'], /the map .*nope\.json cannot be used/],
  ['a map that is no JSON', ['users.ndjson', '--map', 'users.csv'], /the map .*users\.csv cannot be used/],
  ['columns without a field', ['users.csv'], /unknown columns: dept/],
  ['a share that is none', ['users.ndjson', '--max-missing', '0.1'], /It must be a percentage/],
  ['a scope that is none', ['users.ndjson', '--scope', 'red'], /It must name a team/],
  [
    'hard-delete without a number',
    ['users.ndjson', '--missing', 'hard-delete'],
    /--missing hard-delete cannot be undone: say with --max-missing-count/,
  ],
  ['a plan over its source', ['users.ndjson', '--out', './users.ndjson'], /the plan would overwrite the source/],
  ['a plan over another file', ['users.ndjson', '--out', 'users.csv'], /is there already and is no plan; it is not overwritten/],
  ['a plan nowhere', ['users.ndjson', '--out', 'no/plan.ndjson'], /ENOENT/],
  ['a source that breaks off', ['cut.csv'], /cut\.csv is not whole: a quote that is opened on line 2 is not closed/],
  ['an empty file', ['empty.csv'], /empty\.csv is not whole: it is empty/],
];
for (const [what, args, reason] of wrong) {
  test(`PC4 1, and no plan: ${what}`, async (t) => {
    const world = await World.start(t);
    const files = { 'users.ndjson': '{"id":"a"}\n', 'users.csv': 'id,dept\na,b\n', 'cut.csv': 'id\n"a\n', 'empty.csv': '' };
    const { code, io, cwd } = await plan(t, world.daemon.url, files, args);
    assert.equal(code, 1);
    assert.match(io.stderr.text, reason);
    assert.equal(io.stdout.text, '');
    assert.deepEqual(readdirSync(cwd).sort(), Object.keys(files).sort());
  });
}

test('PC5 a brake leaves no plan, not even an older one that it was to replace is touched', async (t) => {
  const world = await World.start(t);
  await world.upsert(...numberedUsers(10));
  const cwd = folder(t);
  const first = await plan(t, world.daemon.url, { 'users.ndjson': ndjson(numberedUsers(10)) }, ['users.ndjson', '--out', 'plan.ndjson'], {
    cwd,
  });
  assert.equal(first.code, 0);
  const before = readFileSync(join(cwd, 'plan.ndjson'), 'utf8');
  const refused = await plan(
    t,
    world.daemon.url,
    { 'half.ndjson': ndjson(numberedUsers(5)) },
    ['half.ndjson', '--missing', 'deactivate', '--out', 'plan.ndjson'],
    { cwd },
  );
  assert.equal(refused.code, 1);
  assert.match(
    refused.io.stderr.text,
    /^rosterd: 5 of the 10 users of the directory are not in half\.ndjson \(50%\) and would be deactivated;.*If that is right: --max-missing 50%\n$/,
  );
  assert.equal(refused.io.stdout.text, '');
  assert.equal(readFileSync(join(cwd, 'plan.ndjson'), 'utf8'), before);
  const again = await plan(
    t,
    world.daemon.url,
    {},
    ['half.ndjson', '--missing', 'deactivate', '--max-missing', '50%', '--out', 'plan.ndjson'],
    { cwd },
  );
  assert.equal(again.code, 2);
  assert.deepEqual(readdirSync(cwd).sort(), ['half.ndjson', 'plan.ndjson', 'users.ndjson']);
});

test('PC6 Ctrl-C: 130, no plan, and nothing left in the temporary directory', async (t) => {
  const world = await World.start(t);
  const cwd = folder(t);
  // One of its own: other tests run at the same time.
  const temporary = folder(t);
  const elsewhere = tmpdir();
  process.env.TMPDIR = temporary;
  t.after(() => {
    process.env.TMPDIR = elsewhere;
  });
  const stdin = new Readable({ read: () => {} });
  stdin.push('{"id":"a"}\n');
  const io = fakeIo({ cwd, env, stdin });
  const running = runCli(['sync', 'plan', '-', '--url', world.daemon.url, '--out', 'plan.ndjson'], io, { serve: () => assert.fail() });
  while (readdirSync(cwd).length === 0 || readdirSync(temporary).length === 0) await new Promise(setImmediate);
  io.interrupt();
  assert.equal(await running, 130);
  assert.equal(io.stderr.text, 'rosterd: interrupted; nothing was planned\n');
  assert.deepEqual(readdirSync(cwd), []);
  assert.deepEqual(readdirSync(temporary), []);
});

test('PC6 Ctrl-C while nothing has come from stdin yet', async (t) => {
  const world = await World.start(t);
  const io = fakeIo({ cwd: folder(t), env, stdin: new Readable({ read: () => {} }) });
  const running = runCli(['sync', 'plan', '-', '--url', world.daemon.url], io, { serve: () => assert.fail() });
  await io.listens;
  io.interrupt();
  assert.equal(await running, 130, io.stderr.text);
  assert.equal(io.stderr.text, 'rosterd: interrupted; nothing was planned\n');
});

test('PC7 flags before `plan` are refused, and the straight form is what it was', async (t) => {
  const world = await World.start(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.ndjson'), '{"id":"a"}\n');
  const run = async (...args: string[]) => {
    const io = fakeIo({ cwd, env });
    return { code: await runCli(args, io, { serve: () => assert.fail() }), io };
  };
  const lost = await run('sync', '--url', world.daemon.url, 'plan', 'users.ndjson');
  assert.deepEqual([lost.code, lost.io.stderr.text], [1, 'rosterd: --url must come after plan\n']);
  const straight = await run('sync', 'users.ndjson', '--url', world.daemon.url);
  assert.match(straight.io.stdout.text, /^created +1$/m);
  assert.equal((await run('sync', '--nope')).code, 2);
  assert.equal((await run('sync')).code, 2);
  assert.equal((await run('sync', 'plan', '--help')).code, 0);
  assert.ok(!existsSync(join(cwd, 'plan.ndjson')));
});

test('PC8 a daemon that is not there, or does not know the key', async (t) => {
  const gone = await plan(t, 'http://127.0.0.1:9', { 'users.ndjson': '{"id":"a"}\n' }, ['users.ndjson', '--retry-for', '0s', '--quiet']);
  assert.equal(gone.code, 1);
  assert.match(gone.io.stderr.text, /ECONNREFUSED/);
  const world = await World.start(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.ndjson'), '{"id":"a"}\n');
  const io = fakeIo({ cwd, env: { ...env, ROSTERD_API_SECRET: 'another-secret-that-is-long-enough' } });
  assert.equal(await runCli(['sync', 'plan', 'users.ndjson', '--url', world.daemon.url], io, { serve: () => assert.fail() }), 1);
  assert.match(io.stderr.text, /the daemon answers 401: /);
});

test('PC9 a plan of thousands of rows in CSV finds exactly the differences', { timeout: 120_000 }, async (t) => {
  const world = await World.start(t);
  const users = numberedUsers(isLong ? 10_000 : 2_000);
  for (let at = 0; at < users.length; at += 100) await world.upsert(...users.slice(at, at + 100));
  // Every 7th has another name, every 11th is missing, and one in a hundred is new.
  const kept = users.filter((_, i) => i % 11 !== 0 || i % 7 === 0);
  const rows = kept.map(({ id, name }) => `${id},"${Number(id.slice(1)) % 7 === 0 ? `${name}, the 7th` : name}"\n`);
  const fresh = numberedUsers(100, 20_000).map(({ id, name }) => `${id},${name}\n`);
  const args = ['users.csv', '--missing', 'soft-delete', '--max-missing-count', '1000', '--json', '--quiet', '--concurrency', '8'];
  const { code, io } = await plan(t, world.daemon.url, { 'users.csv': `id,name\n${[...rows, ...fresh].join('')}` }, args);
  assert.equal(code, 2, io.stderr.text);
  const { create, update, unchanged, soft_delete, errors } = JSON.parse(io.stdout.text);
  const sevenths = Math.ceil(users.length / 7);
  const missing = users.length - kept.length;
  assert.deepEqual(
    { create, update, unchanged, soft_delete, errors },
    { create: 100, update: sevenths, unchanged: kept.length - sevenths, soft_delete: missing, errors: 0 },
  );
});
