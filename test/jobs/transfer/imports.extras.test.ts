/** JB1, IM1, IM2, IM4, IM12, IM15: an import with devices and mutes, how long it waits, and how it stops. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { taskWork } from '../../../daemon/jobs/transfer/exports.ts';
import { hasExtras, isUserRow } from '../../../daemon/jobs/transfer/import-item.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { ImportBench, lines, many } from '../../support/sync/import-bench.ts';

const device = (id: string, user_id: string): string =>
  `${JSON.stringify({ type: 'device', item: { id, user_id, push_provider: 'firebase' } })}\n`;

const DAY_MS = 24 * 3_600_000;

test('IM15 devices and mutes are added when all users are there, and counted', async () => {
  const text = device('d1', 'u1') + lines([{ id: 'u0', user_mutes: ['u1'] }, { id: 'u1' }]) + device('d2', 'u1');
  const bench = new ImportBench({ text });
  await bench.run();
  assert.deepEqual(bench.result, {
    ...{ users: 2, extras: 3, extras_done: 4, done: 4, created: 2, updated: 0, unchanged: 0, failed: 0 },
    ...{ devices: 2, mutes: 1, push_notifications: 0 },
  });
  assert.deepEqual([bench.task.state, bench.batches], ['completed', [2]], 'devices are in no batch of users');
  const { directory } = bench.bench;
  assert.deepEqual(
    [directory.user('u1')?.devices?.map(({ id }) => id), directory.user('u0')?.mutes?.map(({ id }) => id)],
    [['d1', 'd2'], ['u1']],
  );
});

test('IM15 a device that the directory refuses fails the import with its place', async () => {
  const bench = new ImportBench({ text: lines([{ id: 'u0' }]) + device('d1', 'nobody') });
  await bench.run();
  const errors = bench.result.errors as { item: number; id: string }[];
  assert.deepEqual(
    [bench.task.state, bench.result.failed, errors.map(({ item, id }) => [item, id])],
    ['import_failed', 1, [[2, 'device:d1']]],
  );
});

test('IM15 a file with more devices of a user than it may have: those beyond are errors, and none is dropped', async () => {
  const text = lines([{ id: 'u0' }, { id: 'u1' }]) + Array.from({ length: 54 }, (_, n) => device(`d${n}`, `u${n % 2}`)).join('');
  const bench = new ImportBench({ text });
  await bench.run();
  const errors = bench.result.errors as { item: number; reason: string }[];
  assert.deepEqual([bench.task.state, bench.result.devices, bench.result.failed], ['import_failed', 50, 4]);
  assert.deepEqual(errors.map(({ item }) => item).toSorted(), [53, 54, 55, 56]);
  assert.match(String(errors[0]?.reason), /^device: the user u[01] has 25 devices, and no more are held$/);
  for (const id of ['u0', 'u1']) {
    const own = Array.from({ length: 25 }, (_, n) => `d${2 * n + Number(id.slice(1))}`);
    assert.deepEqual(
      bench.bench.directory.user(id)?.devices?.map((one) => one.id),
      own,
    );
  }
});

test('IM4 IM15 an import that is stopped among its devices goes on there, and adds each once', async () => {
  const text = lines(many(10)) + Array.from({ length: 250 }, (_, n) => device(`d${n}`, `u${n % 10}`)).join('');
  const bench = new ImportBench({ text });
  const stop = new AbortController();
  const isAtExtras = (): boolean => bench.result.extras_done !== undefined;
  bench.onSleep = () => {
    if (isAtExtras()) stop.abort();
  };
  await bench.run(stop.signal);
  assert.deepEqual([bench.task.state, bench.result.extras_done, bench.result.devices], ['importing', 110, 100]);
  bench.onSleep = () => {};
  await bench.run();
  assert.deepEqual([bench.task.state, bench.result.extras_done, bench.result.devices], ['completed', 260, 250]);
  assert.deepEqual(bench.batches, [10], 'the users are not imported again');
});

test('IM12 an import waits after a batch before it goes on', async () => {
  const bench = new ImportBench({ text: lines(many(200)) });
  bench.batchMs = 40;
  let release: () => void = () => {};
  bench.onSleep = () =>
    new Promise((resolve) => {
      release = resolve;
    });
  const running = bench.run();
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([bench.batches, bench.slept], [[100], [40]]);
  bench.onSleep = () => {};
  release();
  await running;
  assert.deepEqual(bench.batches, [100, 100]);
  const devices = new ImportBench({ text: lines(many(5)) + Array.from({ length: 101 }, (_, n) => device(`d${n}`, `u${n % 5}`)).join('') });
  devices.onSleep = () => (devices.result.extras_done === undefined ? undefined : new Promise(() => {}));
  void devices.run();
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  const added = many(5).map(({ id }) => devices.bench.directory.user(id)?.devices?.length);
  assert.deepEqual(added, [20, 20, 20, 20, 20], 'and so after a batch of devices');
});

test('IM2 a directory that cannot store anything is waited for a day, and then the import fails with the reason', async () => {
  const bench = new ImportBench({ text: lines(many(1)) });
  const beganMs = bench.nowMs;
  bench.onSleep = (ms) => {
    bench.nowMs += ms;
  };
  bench.onBatch = () => {
    throw new RosterError('unavailable', 'no space');
  };
  await bench.run();
  const tookMs = bench.nowMs - beganMs;
  assert.ok(tookMs > DAY_MS - 60_000 && tookMs <= DAY_MS, `${tookMs / DAY_MS} days`);
  assert.equal(bench.task.state, 'import_failed');
  assert.match(String(bench.result.reason), /^no batch got through for .*no space/);
});

test('IM1 as many errors as users are no empty file; a stop ends the analysis where it is', async () => {
  const mixed = new ImportBench({ text: `${lines([{ id: 'u0' }])}nonsense\n` });
  await mixed.run();
  assert.deepEqual([mixed.task.state, mixed.result.users, mixed.result.failed, 'reason' in mixed.result], ['analyze_failed', 2, 1, false]);
  const stopped = new ImportBench({ text: lines(many(1)) });
  await stopped.run(AbortSignal.abort());
  assert.deepEqual([stopped.task.state, stopped.stored], ['uploaded', []]);
  await stopped.run();
  assert.equal(stopped.task.state, 'completed');
});

test('IM15 which rows are users, and which bring more than a user', () => {
  const row = (value: unknown) => ({ line: 1, value });
  const wrong = { line: 1, code: 'invalid_json', reason: 'r' };
  const user = { type: 'user', item: { id: 'a' } };
  for (const one of [wrong, row(7), row([]), row(user), row({})]) assert.equal(isUserRow(one), true, JSON.stringify(one));
  assert.equal(isUserRow(row({ type: 'device' })), false);
  for (const one of [wrong, row(7), row([]), row(user), row({}), row({ type: 'user', item: 7 })])
    assert.equal(hasExtras(one), false, JSON.stringify(one));
  const extras = [{ type: 'device' }];
  for (const more of [{ user_mutes: [] }, { push_notifications: {} }])
    for (const key of ['item', 'data']) extras.push({ type: 'user', [key]: { id: 'a', ...more } });
  for (const value of extras) assert.equal(hasExtras(row(value)), true, JSON.stringify(value));
});

test('JB1 two exports and one import at the same time', () => {
  const work = taskWork({ roster: new ImportBench({ text: '' }).bench as never, files: undefined as never, nowMs: () => 0 });
  assert.deepEqual([work.kind, work.concurrency], ['task', 2]);
  const imports = new ImportBench({ text: '' }).work;
  assert.deepEqual([imports.kind, imports.concurrency, imports.accept('x') instanceof Promise], ['import', 1, true]);
});

test('IM3 IM15 an insert leaves a user from before alone in everything; an upsert does not', async () => {
  for (const mode of ['insert', 'upsert'] as const) {
    const text = lines([
      { id: 'u0', user_mutes: ['u1'] },
      { id: 'u1', user_mutes: ['u0'] },
    ]);
    const bench = new ImportBench({ text, mode });
    bench.bench.upsert([{ id: 'u0' }]);
    const begun = (bench.bench.directory.user('u0')?.created_at ?? 0) + 1;
    bench.nowMs = begun / 1_000;
    await bench.run();
    const muted = (id: string): number => bench.bench.directory.user(id)?.mutes?.length ?? 0;
    assert.deepEqual([bench.task.state, muted('u0'), muted('u1')], ['completed', mode === 'insert' ? 0 : 1, 1], mode);
    assert.equal(bench.result.mutes, mode === 'insert' ? 1 : 2);
  }
});
