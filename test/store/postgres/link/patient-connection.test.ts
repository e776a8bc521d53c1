/** BL8, PL3: questions that are asked until they are answered, or their time is over. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LogClosed, LogEpochChanged } from '../../../../store/log.ts';
import type { Question } from '../../../../store/postgres/link/connection.ts';
import { NoAnswer, PatientConnection } from '../../../../store/postgres/link/patient-connection.ts';
import { SideConnection } from '../../../../store/postgres/link/side-connection.ts';
import { answered, type Reply, scripted, serverError, warned } from '../../../support/nodes/scripted.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

beforeEach(() => kit.closeNodes());

interface Stage {
  readonly patient: PatientConnection;
  readonly asked: readonly Question[];
}

async function stage(t: TestContext, deadlineMs: number, ...replies: readonly Reply[]): Promise<Stage> {
  const { log } = await kit.node(randomUUID(), { pulseMs: 600_000 });
  const { reader } = await log.links.ready();
  t.mock.method(SideConnection.prototype, 'ready', async () => reader);
  const patient = new PatientConnection(log.links, 'patient', deadlineMs);
  t.after(() => patient.close());
  return { patient, asked: scripted(t, reader, ...replies) };
}

const one = { text: 'one' };

test('BL8 a question whose answer is lost, or that passes with the server, is asked again', pgOptions, async (t) => {
  const passing = ['08006', '40001', '40P01', '57P01', '25006'].map((code) => serverError(code));
  const { patient, asked } = await stage(t, 60_000, new Error('cut'), ...passing, answered({ n: 1 }));
  assert.deepEqual((await patient.ask(one)).rows, [{ n: 1 }]);
  assert.equal(asked.length, 7);
});

test('BL8 what stays when it is asked again is told at once', pgOptions, async (t) => {
  const stays = [
    serverError('23505'),
    serverError('53100'),
    serverError('RS002'),
    serverError('25001'),
    new LogClosed(),
    new LogEpochChanged('x', 'y'),
  ];
  const { patient, asked } = await stage(t, 60_000, ...stays);
  for (const error of stays) await assert.rejects(patient.ask(one), error);
  assert.equal(asked.length, stays.length);
});

test('PL3 a commit is asked again until its answer is clean; what changes nothing is not', pgOptions, async (t) => {
  const { patient, asked } = await stage(t, 60_000, warned({ n: 1 }), warned({ n: 2 }), answered({ n: 3 }), warned({ n: 4 }));
  assert.deepEqual((await patient.ask(one, true)).rows, [{ n: 3 }]);
  assert.deepEqual((await patient.ask(one)).rows, [{ n: 4 }]);
  assert.equal(asked.length, 4);
});

test('BL8 at its deadline a question is refused, and what waited behind it is never sent', pgOptions, async (t) => {
  let answer = (): void => {};
  const held = async () => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return answered();
  };
  const { patient, asked } = await stage(t, 80, held, answered({ n: 3 }));
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const both = [patient.ask(one), patient.ask({ text: 'two' })].map((asking) => assert.rejects(asking, NoAnswer));
  while (asked.length === 0) await nextTurn();
  nowMs = 80;
  t.mock.timers.tick(80);
  await Promise.all(both);
  answer();
  assert.deepEqual((await patient.ask({ text: 'three' })).rows, [{ n: 3 }]);
  assert.deepEqual(
    asked.map(({ text }) => text),
    ['one', 'three'],
  );
  t.mock.timers.reset();
});

test('BL8 a close refuses what is under way, and what comes later', pgOptions, async (t) => {
  const { patient } = await stage(t, 60_000, () => new Promise(() => {}));
  const asking = assert.rejects(patient.ask(one), NoAnswer);
  await patient.close();
  await asking;
  await assert.rejects(patient.ask(one), /the connection is closed/);
});
