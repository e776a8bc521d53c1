/** PL13: questions on one connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PgConnection } from '../../../../store/postgres/link/connection.ts';
import { postgresTargets } from '../../../../store/postgres/link/target.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

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
