/** PL13: questions on one connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PgConnection, rowOf, sqlState } from '../../../../store/postgres/link/connection.ts';
import { postgresTargets } from '../../../../store/postgres/link/target.ts';
import { eventually } from '../../../support/eventually.ts';
import { answered, serverError } from '../../../support/nodes/scripted.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';
import { PgProxy } from '../../../support/store/pg-proxy.ts';

const kit = PgKit.ofProcess();

async function open(): Promise<PgConnection> {
  const [target] = postgresTargets(kit.url());
  return await PgConnection.open(target ?? assert.fail(), 'test');
}

test('PL13 questions asked together are answered in order, one after the other, and a warning belongs to its own', pgOptions, async (t) => {
  const warnings: string[] = [];
  const warned = ({ message }: Error) => void warnings.push(message);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  const connection = await open();
  const ended: string[] = [];
  const ask = async (name: string, text: string) => {
    const { isClean } = await connection.ask({ text }).finally(() => ended.push(name));
    return isClean;
  };
  const warning = "do $$ begin raise warning 'careful'; end $$";
  const answers = await Promise.allSettled([
    ask('slow', 'select pg_sleep(0.1)'),
    ask('wrong', 'select nonsense'),
    ask('warned', warning),
    ask('last', 'select 1'),
  ]);
  assert.deepEqual(ended, ['slow', 'wrong', 'warned', 'last']);
  assert.deepEqual(
    answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : answer.status)),
    [true, 'rejected', false, true],
  );
  await connection.close();
  assert.deepEqual(warnings, []);
});

test('PL13 when the connection is closed, what is asked and what waits are refused', pgOptions, async () => {
  const connection = await open();
  const asked = ['select pg_sleep(60)', 'select 1'].map((text) => connection.ask({ text }));
  const ends = Promise.allSettled(asked);
  await connection.close();
  assert.deepEqual(
    (await ends).map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  await assert.rejects(connection.ask({ text: 'select 1' }));
});

test('PL6 a connection that is lost says so once, whenever somebody asks to know, and refuses what is asked', pgOptions, async () => {
  const connection = await open();
  const told: string[] = [];
  connection.onLost = ({ message }) => void told.push(message);
  assert.equal(connection.isLost, false);
  const pid = Number((await connection.ask({ text: 'select pg_backend_pid() as pid' })).rows[0]?.pid);
  assert.equal(connection.announcedPid, pid);
  await kit.postgres.sql(`select pg_terminate_backend(${pid})`);
  await eventually(() => connection.isLost, 'it is noticed');
  await assert.rejects(connection.ask({ text: 'select 1' }));
  await connection.close();
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /terminating connection|Connection terminated|closed/);
  let later: Error | undefined;
  connection.onLost = (error) => {
    later = error;
  };
  assert.equal(later?.message, told[0]);
});

test('PL6 a close waits one second for the goodbye of a server that says nothing, and leaves no socket', pgOptions, async (t) => {
  const proxy = await PgProxy.open(kit.postgres.port);
  t.after(() => proxy.close());
  const [target] = postgresTargets(kit.url(proxy.port));
  const connection = await PgConnection.open(target ?? assert.fail(), 'silent');
  proxy.isSilent = true;
  await connection.close();
  assert.equal(connection.isLost, true);
  const left = "select count(*) from pg_stat_activity where application_name = 'rosterd-silent'";
  await eventually(async () => (await kit.postgres.sql(left)) === '0\n', 'the socket is closed');
});

test(
  'PL13 truth and numbers are read as such, everything else as its text; what is announced without a text is empty',
  pgOptions,
  async () => {
    const connection = await open();
    const { rows } = await connection.ask({
      text: "select true as yes, false as no, 1::int2 as small, 2::int4 as int, 3::int8 as big, 1.50 as exact, 'x' as text, '{1}'::int[] as list, null as none, $1 as given",
      values: ['given'],
    });
    assert.deepEqual(rows, [
      { yes: true, no: false, small: 1, int: 2, big: 3, exact: '1.50', text: 'x', list: '{1}', none: null, given: 'given' },
    ]);
    const heard: string[] = [];
    connection.onNotification = (payload) => void heard.push(payload);
    for (const text of ['listen heard', 'notify heard', "notify heard, 'said'"]) await connection.ask({ text });
    await eventually(() => heard.length >= 2, 'it is heard');
    assert.deepEqual(heard, ['', 'said']);
    await connection.close();
  },
);

test('PL2 only errors that the server sent have a state; an answer without a row is a mistake', async () => {
  assert.deepEqual([serverError('53100'), Object.assign(new Error('x'), { code: '53100' }), '53100', undefined].map(sqlState), [
    '53100',
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual(rowOf(answered({ n: 1 }, { n: 2 })), { n: 1 });
  assert.throws(() => rowOf(answered()), /the answer has no row/);
});
