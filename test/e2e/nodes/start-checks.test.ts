/** OP3, OP4: what `serve` refuses to start on, as an operator meets it: exit code 1, one line that says what to do. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { findProgram } from '../../../daemon/cli/cluster/programs.ts';
import { folder, run } from '../../support/cli-run.ts';
import { eventually } from '../../support/eventually.ts';
import { startPgBouncer } from '../../support/nodes/pg-bouncer.ts';
import { type PgServeOptions, pgServe, refusedStart } from '../../support/nodes/pg-serve.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { pgWorld } from '../../support/store/pg-world.ts';
import { PG_PASSWORD } from '../../support/sync/postgres.ts';

const kit = PgKit.ofProcess();
const bouncer = await findProgram('pgbouncer');

async function database(): Promise<string> {
  const name = `d${randomUUID().replaceAll('-', '')}`;
  await kit.postgres.sql(`create database ${name}`);
  await kit.postgres.sql(`grant create on database ${name} to reader`);
  return kit.url(undefined, name);
}

function refusal(t: Parameters<typeof refusedStart>[0]) {
  return async (options: Partial<PgServeOptions>, text: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await refusedStart(t, { url: kit.url(), app: randomUUID(), ...options });
    assert.deepEqual([code, stdout], [1, ''], stderr);
    assert.match(stderr, text);
    const lines = stderr.split('\n').filter((line) => line.startsWith('rosterd: '));
    assert.equal(lines.length, 1, stderr);
    assert.ok(!stderr.includes(PG_PASSWORD) && !stderr.includes('    at '), stderr);
  };
}

test('OP3 serve refuses another secret, tables of others, newer tables, and a name that is taken', pgOptions, async (t) => {
  const refuses = refusal(t);
  const app = randomUUID();
  const one = await pgServe(t, { url: kit.url(), app, node: 'blue' });
  await one.listening();
  await Promise.all([
    refuses(
      { app, node: 'green', secret: 'x'.repeat(40) },
      /was made with another API secret: start with that secret, or with another API key/,
    ),
    refuses({ app, node: 'blue' }, /another node named "blue" is running: give each node a name of its own \(node\.name\)/),
  ]);
  const { code } = await one.kill('SIGTERM');
  assert.equal(code, 0);
  const again = await pgServe(t, { url: kit.url(), app, node: 'blue' });
  await again.listening();
  const foreign = await database();
  const [, name = ''] = /\/(d\w+)$/.exec(foreign) ?? [];
  const owner = { url: foreign };
  await kit.postgres.in(name, 'create schema rosterd; create table rosterd.head (mine text)');
  await refuses(owner, /the role reader may not use its schema "rosterd": let an administrator give it to that role/);
  await kit.postgres.in(name, 'alter schema rosterd owner to reader');
  await refuses(owner, /its schema "rosterd" holds tables that rosterd did not make \(head\): use another database, or rename that schema/);
  await kit.postgres.in(name, 'alter schema rosterd rename to mine');
  await (await pgServe(t, { ...owner, app })).listening();
  await kit.postgres.in(name, 'update rosterd.schema_format set format = 99');
  await refuses(
    { ...owner, node: 'other' },
    /its tables have format 99, and this rosterd knows formats up to \d+: start the version that made them/,
  );
});

test('OP13 after a start that failed, another secret and the same name start at once', pgOptions, async (t) => {
  const [app, flags] = [randomUUID(), ['--log-require-sync', 'false', '--listen', `127.0.0.1:${kit.postgres.port}`]];
  const failed = await refusedStart(t, { url: kit.url(), app, node: 'blue', flags });
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /rosterd: cannot listen on/);
  const again = await pgServe(t, { url: kit.url(), app, node: 'blue', secret: 'corrected-'.repeat(4) });
  await again.listening();
});

test('OP3 serve refuses a database without a synchronous standby, unless told not to ask for one', pgOptions, async (t) => {
  await refusal(t)(
    { flags: [] },
    /asks for a synchronous standby, and the server names none: set synchronous_standby_names, or turn log\.require_sync off/,
  );
});

test(
  'OP3 serve refuses PgBouncer in transaction mode, and nodes says that it is there',
  bouncer === undefined ? { skip: 'THERE IS NO PGBOUNCER ON THIS MACHINE' } : pgOptions,
  async (t) => {
    if (bouncer === undefined) return;
    const app = randomUUID();
    const port = await startPgBouncer(t, bouncer, kit.postgres.port);
    await refusal(t)(
      { url: kit.url(port) },
      /a pooler such as PgBouncer stands between, which loses announcements: connect to PostgreSQL itself/,
    );
    await kit.node(app);
    const { code, out, err } = await run(folder(t), `nodes --log ${kit.url(port)} --api-key ${app}`);
    assert.equal(code, 0, err);
    assert.match(out, /^pooler +yes$/m);
    assert.match(err, /daemons refuse to start over it/);
  },
);

test('OP4 a node whose settings differ from those of another starts, and both say which ones to compare', pgOptions, async (t) => {
  const app = randomUUID();
  const flags = ['--log-require-sync', 'false'];
  const one = await pgServe(t, { url: kit.url(), app, node: 'blue', flags });
  await one.listening();
  const two = await pgServe(t, { url: kit.url(), app, node: 'green', flags: [...flags, '--connect-role', 'keep', '--tasks-keep-h', '1'] });
  await two.listening();
  const says = (stderr: string, node: string) =>
    stderr
      .split('\n')
      .some((line) => line.includes('"settings-differ"') && line.includes(`"node":"${node}","settings":["connect.role","tasks.keep_h"]`));
  await eventually(
    () => says(one.stderr, 'green') && says(two.stderr, 'blue'),
    () => `${one.stderr}${two.stderr}`,
  );
});

test(
  'OP5 a server that names no synchronous standby any more: writes are refused, reads go on, and /readyz says why',
  pgOptions,
  async (t) => {
    const app = randomUUID();
    const { world } = await pgWorld(t, kit, app);
    assert.equal((await world.upsert({ id: 'ann' })).status, 201);
    const requires = (value: boolean) => kit.postgres.sql(`update rosterd.head set is_synced = ${value} where app = '${app}'`);
    const readyIs = async (status: number): Promise<string> => {
      let answer = await world.http('GET', '/readyz');
      await eventually(
        async () => {
          answer = await world.http('GET', '/readyz');
          return answer.status === status;
        },
        () => `${answer.status}`,
      );
      return answer.body.reason;
    };
    await requires(true);
    assert.match(
      await readyIs(503),
      /the storage refuses writes \(no synchronous standby is named: set synchronous_standby_names, or turn/,
    );
    assert.equal((await world.upsert({ id: 'bob' })).status, 503);
    const read = await world.http('GET', '/users');
    assert.deepEqual([read.status, read.headers.get('x-rosterd-stale')], [200, null]);
    await requires(false);
    await readyIs(200);
    assert.equal((await world.upsert({ id: 'bob' })).status, 201);
  },
);

// The last one: the server stays a standby.
test('OP3 OP6 serve waits for a standby to become the primary and says so; nodes says what it can', pgOptions, async (t) => {
  const app = randomUUID();
  await (await kit.node(app)).log.close();
  await kit.closeNodes();
  await kit.postgres.standBy();
  const flags = `--log ${kit.url()} --api-key ${app}`;
  const { code, out, err } = await run(folder(t), `nodes ${flags}`);
  assert.equal(code, 0, err);
  assert.match(out, /, a standby$/m);
  assert.match(err, /is a standby, where the nodes are not known: name the primary/);
  const starting = await pgServe(t, { url: kit.url(), app });
  await eventually(
    () => starting.stderr.includes('"storage-awaited"'),
    () => starting.stderr,
  );
  assert.match(starting.stderr, /is a standby: name the primary, or all servers of the cluster \(host1,host2\)/);
  const stopped = await starting.kill('SIGTERM');
  assert.deepEqual([stopped.code, stopped.stdout], [0, '']);
  assert.match(stopped.stderr, /^rosterd: stopped before it had started$/m);
});
