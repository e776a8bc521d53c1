/** PL6: a connection beside the log, opened when it is needed. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, test } from 'node:test';
import { LogClosed } from '../../../../store/log.ts';
import { SideConnection } from '../../../../store/postgres/link/side-connection.ts';
import { eventually } from '../../../support/eventually.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

beforeEach(() => kit.closeNodes());

const PID = { text: 'select pg_backend_pid() as pid' };
const backends = async (purpose: string): Promise<number> =>
  Number(await kit.postgres.sql(`select count(*) from pg_stat_activity where application_name = 'rosterd-${purpose}'`));

test('PL6 it is opened by the first question, kept, and opened anew when it or its link was lost', pgOptions, async () => {
  const { log } = await kit.node(randomUUID(), { pulseMs: 600_000 });
  const side = new SideConnection(log.links, 'kept');
  assert.equal(await backends('kept'), 0);
  const pidOf = async () => (await side.ask(PID)).rows[0]?.pid;
  const [first, second] = await Promise.all([pidOf(), pidOf()]);
  assert.equal(first, second);
  assert.equal(await backends('kept'), 1);
  await kit.postgres.sql(`select pg_terminate_backend(${first})`);
  await eventually(
    async () => (await side.ready().catch(() => undefined)) !== undefined && (await pidOf().catch(() => first)) !== first,
    'it is lost',
  );
  const third = await pidOf();
  const link = await log.links.ready();
  link.giveUp(new Error('cut'));
  assert.notEqual(await pidOf(), third, 'although it may have been alive');
  assert.equal(log.links.current === link, false);
  await side.close();
  await eventually(async () => (await backends('kept')) === 0, 'none is left');
  await assert.rejects(side.ask(PID), LogClosed);
});

test('PL6 an opening that fails is tried again by the next question', pgOptions, async (t) => {
  const { log } = await kit.node(randomUUID(), { pulseMs: 600_000 });
  const link = await log.links.ready();
  const failing = t.mock.method(link, 'side', async () => {
    throw new Error('too many connections');
  });
  const side = new SideConnection(log.links, 'again');
  await assert.rejects(side.ask(PID), /too many connections/);
  failing.mock.restore();
  assert.equal((await side.ask(PID)).rows.length, 1);
  await side.close();
});

test('PL6 a server that falls silent while a connection is opened is not waited for without an end', pgOptions, async () => {
  const { log, proxy } = await kit.node(randomUUID(), { pulseMs: 600_000 });
  const sides = ['silent-1', 'silent-2'].map((purpose) => new SideConnection(log.links, purpose));
  // The first questions of a connection: these arrive nowhere, and nobody is told.
  for (const question of ['set_config(name', 'pg_control_system']) proxy.once(question, () => new Promise(() => {}));
  await Promise.all(sides.map((side) => assert.rejects(side.ask(PID))));
  for (const side of sides) assert.equal((await side.ask(PID)).rows.length, 1);
  await Promise.all(sides.map((side) => side.close()));
});

test('LG10 a close refuses what is under way; while no server is there, it does not wait for one', pgOptions, async () => {
  const { log, proxy } = await kit.node(randomUUID(), { pulseMs: 600_000 });
  const side = new SideConnection(log.links, 'closed');
  await side.ask(PID);
  const sleeping = assert.rejects(side.ask({ text: 'select pg_sleep(60)' }));
  await side.close();
  await sleeping;
  const opening = new SideConnection(log.links, 'opening');
  const asked = opening.ask(PID).then(
    () => 'answered',
    (error: Error) => error.name,
  );
  await opening.close();
  await eventually(async () => (await backends('opening')) === 0, 'it is closed');
  await asked;
  proxy.isAway = true;
  proxy.cutAll();
  await eventually(() => log.links.current === undefined, 'the server is away');
  const waiting = new SideConnection(log.links, 'waiting');
  const refused = assert.rejects(waiting.ask(PID));
  await waiting.close();
  await log.close();
  await refused;
});
