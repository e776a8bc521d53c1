/** PG: users from PostgreSQL. Needs its programs (initdb, pg_ctl, psql); where they are missing the tests say so and are skipped. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { findPostgres } from '../../../daemon/cli/cluster/programs.ts';
import { runCli } from '../../../daemon/cli/commands.ts';
import { openPostgres } from '../../../daemon/cli/sync/sources/postgres-source.ts';
import { compileMapping } from '../../../daemon/sync/plan/mapping.ts';
import { BrokenSource } from '../../../daemon/sync/rows.ts';
import { rowCheck } from '../../../daemon/sync/source-user.ts';
import type { OpenedSource } from '../../../daemon/sync/sources/opened-source.ts';
import { fakeIo } from '../../support/sync/fake-server.ts';
import { PG_PASSWORD, PG_USER, type Postgres, startPostgres } from '../../support/sync/postgres.ts';
import { API_KEY, API_SECRET, World } from '../../support/world.ts';

const bin = await findPostgres();
const options = bin === undefined ? { skip: 'THERE IS NO POSTGRESQL ON THIS MACHINE (initdb was not found)' } : { timeout: 120_000 };
let postgres: Postgres;

before(async () => {
  if (bin === undefined) return;
  postgres = await startPostgres(bin);
  process.env.PGPASSWORD = PG_PASSWORD;
});

after(async () => {
  delete process.env.PGPASSWORD;
  if (bin !== undefined) await postgres.stop();
});

async function open(t: TestContext, query: string, url = postgres.url): Promise<OpenedSource> {
  const source = await openPostgres({ url, query, stop: new AbortController().signal });
  t.after(() => source.close());
  return source;
}

async function valuesOf(source: OpenedSource): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const { rows } of source.chunks) {
    for (const row of rows) {
      assert.equal(row.line, values.length + 1);
      values.push('value' in row ? row.value : row.reason);
    }
  }
  return values;
}

test('PG1 every row once, numbered, with its columns; 2,500 of them and none', options, async (t) => {
  const source = await open(t, "select 'u' || n as id, n from generate_series(1, 2500) n order by n");
  assert.deepEqual(source.columns, ['id', 'n']);
  assert.deepEqual(
    await valuesOf(source),
    Array.from({ length: 2_500 }, (_, i) => [`u${i + 1}`, i + 1]),
  );
  const none = await open(t, 'select 1 as id where false');
  assert.deepEqual([none.columns, await valuesOf(none)], [['id'], []]);
});

test('PG2 values are what JSON has, and times are the same whatever the server is set to', options, async (t) => {
  await postgres.sql(`alter role ${PG_USER} set timezone = 'Asia/Tokyo'; alter role ${PG_USER} set datestyle = 'German'`);
  t.after(() => postgres.sql(`alter role ${PG_USER} reset all`));
  const query = `select 7::int8, 9007199254740993::int8, 1.50::numeric, 2.5::float8, true, null::text, '{"a":[1]}'::jsonb, array['x','y'],
    '2026-01-02'::date, '2026-01-02 03:04:05'::timestamp, '2026-01-02 03:04:05+00'::timestamptz, 'Zoë 🎈'::text, '\\x00ff'::bytea, '1 day'::interval`;
  assert.deepEqual(await valuesOf(await open(t, query)), [
    [
      7,
      '9007199254740993',
      '1.50',
      2.5,
      true,
      null,
      { a: [1] },
      ['x', 'y'],
      '2026-01-02',
      '2026-01-02T03:04:05',
      '2026-01-02T03:04:05Z',
      'Zoë 🎈',
      '\\x00ff',
      'P1D',
    ],
  ]);
});

test('PG3 nothing there can be changed', options, async (t) => {
  await postgres.sql(`create table kept (id text); insert into kept values ('a'); grant all on kept to ${PG_USER}`);
  const refused: readonly [string, RegExp][] = [
    ['delete from kept returning id', /cannot execute DELETE in a read-only transaction/],
    [
      "select set_config('transaction_read_only', 'off', true); delete from kept",
      /cannot insert multiple commands into a prepared statement/,
    ],
    ['commit', /it gives no columns; it must be one SELECT/],
  ];
  for (const [query, reason] of refused) await assert.rejects(open(t, query), reason, query);
  assert.equal((await postgres.sql('select count(*) from kept')).trim(), '1');
});

const wrong: readonly [string, (url: string) => [string, string], RegExp][] = [
  ['bad SQL', (url) => [url, 'selec 1'], /the query failed: syntax error at or near "selec"/],
  ['a table that is not there', (url) => [url, 'select * from nobody'], /the query failed: relation "nobody" does not exist/],
  [
    'a wrong password',
    (url) => [url.replace(PG_USER, `${PG_USER}:hunter2secret`), 'select 1'],
    /cannot connect: password authentication failed/,
  ],
  [
    'a database that is not there',
    (url) => [url.replace(/postgres$/, 'nobase'), 'select 1'],
    /cannot connect: database "nobase" does not exist/,
  ],
  ['a server that is not there', (url) => [url.replace(/:\d+\//, ':1/'), 'select 1'], /cannot connect: connect ECONNREFUSED/],
];
for (const [what, make, reason] of wrong) {
  test(`PG4 ${what}: a clear message without the password`, options, async (t) => {
    const [url, query] = make(postgres.url);
    await assert.rejects(open(t, query, url), (error) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, reason);
      assert.ok(error.message.startsWith('postgres://'), error.message);
      for (const secret of ['hunter2secret', PG_PASSWORD, encodeURIComponent(PG_PASSWORD)])
        assert.ok(!error.message.includes(secret), error.message);
      return true;
    });
  });
}

test('PG5 the password may stand in the address, and is not shown', options, async (t) => {
  const url = postgres.url.replace(PG_USER, `${PG_USER}:${encodeURIComponent(PG_PASSWORD)}`);
  const kept = process.env.PGPASSWORD;
  delete process.env.PGPASSWORD;
  t.after(() => {
    process.env.PGPASSWORD = kept;
  });
  const source = await open(t, 'select 1 as id', url);
  assert.equal(source.name, postgres.url);
  assert.deepEqual(await valuesOf(source), [[1]]);
});

test('PG6 a connection that is lost in the middle is a source that is not whole', options, async (t) => {
  const source = await open(t, "select 'u' || n as id from generate_series(1, 1000000) n");
  let rows = 0;
  const reading = (async () => {
    for await (const chunk of source.chunks) {
      rows += [...chunk.rows].length;
      if (rows === 2_000)
        await postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rosterd-sync'");
    }
  })();
  await assert.rejects(reading, (error) => error instanceof BrokenSource && /it broke off after row \d+: /.test(error.message));
  assert.ok(rows < 1_000_000);
});

test('PG7 an error in a later row is one too', options, async (t) => {
  const source = await open(t, 'select 10 / (5000 - n) as id from generate_series(1, 10000) n');
  await assert.rejects(valuesOf(source), /it broke off after row 4000: division by zero/);
});

test('PG8 Ctrl-C ends a query that takes long', options, async () => {
  const stop = new AbortController();
  const opening = openPostgres({ url: postgres.url, query: 'select pg_sleep(60)', stop: stop.signal });
  for (;;) {
    const busy = await postgres.sql("select count(*) from pg_stat_activity where application_name = 'rosterd-sync' and state = 'active'");
    if (busy.trim() === '1') break;
  }
  stop.abort();
  await assert.rejects(opening, /the query failed/);
});

test('PG9 a plan of a query, by the names of its columns', options, async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: '1', name: 'Ann', teams: ['red'], custom: { age: 30 } }, { id: '9', name: 'Old' });
  await postgres.sql(`create table staff (no int primary key, full_name text, teams text[], age numeric); grant select on staff to ${PG_USER};
    insert into staff values (1, 'Ann', '{red}', 30), (2, 'Bob', '{}', null), (3, null, '{red,blue}', 4.5)`);
  const cwd = mkdtempSync(join(tmpdir(), 'rosterd-plan-cli-'));
  t.after(() => rmSync(cwd, { recursive: true, force: true }));
  const io = fakeIo({ cwd, env: { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET } });
  const query = 'select no as id, full_name as name, teams, age as "custom.age:number" from staff order by no';
  const args = ['--from', postgres.url, '--query', query, '--missing', 'deactivate', '--max-missing', '50%', '--url', world.daemon.url];
  const code = await runCli(['sync', 'plan', ...args, '--json', '--quiet'], io, { serve: () => assert.fail('serve was called') });
  assert.equal(code, 2, io.stderr.text);
  const { create, update, unchanged, deactivate, examples } = JSON.parse(io.stdout.text);
  assert.deepEqual({ create, update, unchanged, deactivate }, { create: 2, update: 0, unchanged: 1, deactivate: 1 });
  assert.deepEqual(
    examples.create.map(({ user }: { user: unknown }) => user),
    [
      { id: '2', name: 'Bob', teams: [] },
      { id: '3', teams: ['red', 'blue'], age: 4.5 },
    ],
  );
});

test('PG10 numbers in JSON and in lists keep their digits, or are errors of their row', options, async (t) => {
  const lists = "select array[9007199254740993, 1.5, 7]::numeric[], array[9007199254740993]::int8[], array['[1]'::jsonb, '{\"a\":2}']";
  assert.deepEqual(await valuesOf(await open(t, lists)), [[['9007199254740993', 1.5, 7], ['9007199254740993'], [[1], { a: 2 }]]]);
  const query = `select * from (values ('a', '{"discord":175928847299117063}'::jsonb, 1.7e17::float8), ('b', '{"discord":"175928847299117063"}', 2))
    v(id, custom, "custom.f")`;
  const check = rowCheck(compileMapping({ columns: ['id', 'custom', 'custom.f'] }));
  const found: unknown[] = [];
  for await (const { rows } of (await open(t, query)).chunks) for (const row of rows) if ('value' in row) found.push(check(row));
  assert.deepEqual(
    found.map((one) => Object(one).reason ?? JSON.parse(Object(one).json)),
    ['discord: 175928847299117063 is too big to be an exact number; write it as text', { id: 'b', discord: '175928847299117063', f: 2 }],
  );
  const [byFloat] = await valuesOf(await open(t, 'select 175928847299117063::float8'));
  const read = compileMapping({ columns: ['id'] }).map(byFloat);
  assert.ok('problems' in read && /^id: \d+ is too big to be an exact number/.test(read.problems[0] ?? ''), JSON.stringify(read));
});
