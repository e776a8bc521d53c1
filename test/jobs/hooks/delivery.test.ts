/** The delivery machine of one webhook (WH8–WH16, WH19), with a clock that moves when told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SendResult } from '../../../daemon/jobs/hooks/quick-attempts.ts';
import { answers, HookBench, OK, status } from '../../support/hooks/hook-bench.ts';

const HOUR_MS = 3_600_000;

const NETWORK: SendResult = { kind: 'network', reason: 'the connection failed (ECONNREFUSED)' };

test('WH8 events of one user go one after the other, others at the same time up to the limit', async (t) => {
  const open: (() => void)[] = [];
  let active = 0;
  let most = 0;
  const bench = await HookBench.open(t, {
    concurrency: 3,
    script: async () => {
      most = Math.max(most, ++active);
      await new Promise<void>((resolve) => open.push(resolve));
      active--;
      return OK;
    },
  });
  await bench.tell('ann', 'ann', 'bob', 'carl', 'dora', 'ann');
  assert.deepEqual(bench.sent, ['ann:1#1', 'bob:3#1', 'carl:4#1']);
  assert.equal(bench.line.position, 0);
  for (let done = 0; done < 6; done++) {
    open.shift()?.();
    await bench.settle();
  }
  assert.equal(most, 3);
  const ofAnn = bench.requests.filter(({ user }) => user === 'ann').map(({ seq }) => seq);
  assert.deepEqual(ofAnn, [1, 2, 6]);
  assert.equal(bench.line.position, 6);
});

test('WH8 the position stays before the oldest event that is under way', async (t) => {
  let release: () => void = () => {};
  const bench = await HookBench.open(t, {
    script: ({ user }) => (user === 'ann' ? new Promise((resolve) => (release = () => resolve(OK))) : OK),
  });
  await bench.tell('bob', 'ann', 'carl');
  assert.equal(bench.line.position, 1);
  release();
  await bench.settle();
  assert.equal(bench.line.position, 3);
});

test('WH9 the log is not read on while 1,000 events are in memory', async (t) => {
  let read = 0;
  const bench = await HookBench.open(t, { script: () => new Promise(() => {}) });
  const { log } = bench;
  const reading = log.read.bind(log);
  log.read = async function* (after, signal) {
    for await (const entry of reading(after, signal)) {
      read++;
      yield entry;
    }
  };
  await bench.restart();
  for (let entry = 0; entry < 20; entry++) await bench.tell(...Array.from({ length: 100 }, (_, index) => `u${entry}-${index}`));
  assert.ok(read >= 10 && read <= 11, `${read} entries of 100 were read`);
});

test('WH12 what fails while others get through is parked with everything later of its user, and retried with growing pauses', async (t) => {
  const bench = await HookBench.open(t, { script: answers({ ann: [status(500)] }), random: () => 0.999 });
  await bench.tell('ann', 'bob', 'ann');
  await bench.advance(10_000);
  assert.deepEqual([bench.letters.parked, bench.line.position], [2, 3]);
  await bench.tell('ann', 'bob');
  assert.deepEqual([bench.letters.parked, bench.line.position], [3, 5]);
  await bench.advance(23 * HOUR_MS);
  const slow = bench.requests.filter(({ attempt }) => attempt > 3);
  assert.ok(
    slow.every(({ seq }) => seq === 1),
    'only the first of a user is retried',
  );
  assert.deepEqual(
    slow.map(({ attempt }) => attempt),
    slow.map((_, index) => index + 4),
  );
  const pauses = slow.slice(1).map(({ atMs }, index) => atMs - (slow[index]?.atMs ?? 0));
  assert.deepEqual(
    pauses.slice(0, 4).map((ms) => Math.round(ms / 1_000)),
    [60, 120, 240, 480],
  );
  assert.ok(pauses.every((ms) => ms <= HOUR_MS));
  assert.equal(bench.line.isDown, true, 'nothing gets through any more');
});

test('WH12 a parked user that is taken again gets everything in order, and is parked no longer', async (t) => {
  const bench = await HookBench.open(t, { script: answers({ ann: [status(400), status(400), OK] }) });
  await bench.tell('bob', 'ann', 'ann');
  await bench.tell('ann');
  assert.equal(bench.letters.parked, 3);
  await bench.tell('bob');
  await bench.advance(30_000);
  await bench.tell('bob');
  await bench.advance(60_000);
  await bench.tell('ann');
  assert.deepEqual(
    bench.sent.filter((text) => text.startsWith('ann')),
    ['ann:2#1', 'ann:2#2', 'ann:2#3', 'ann:3#1', 'ann:4#1', 'ann:7#1'],
  );
  assert.deepEqual([bench.letters.parked, bench.letters.dead, bench.line.position], [0, 0, 7]);
});

test('WH12 an event that is too old is a dead letter, and the next one of its user has its turn', async (t) => {
  const retryMs = HOUR_MS;
  const bench = await HookBench.open(t, { retryMs, script: ({ seq, user }) => (user === 'ann' && seq === 2 ? status(400) : OK) });
  await bench.tell('bob', 'ann', 'ann');
  for (let minute = 0; minute < 62; minute++) {
    await bench.tell('bob');
    await bench.advance(60_000);
  }
  const dead = bench.letters.all('dead');
  assert.deepEqual(
    dead.map(({ seq, reason }) => [seq, reason]),
    [[2, 'answered 400']],
  );
  assert.equal(bench.letters.parked, 0);
  assert.equal(bench.requests.filter(({ user }) => user === 'ann').at(-1)?.seq, 3);
  const last = bench.requests.findLast(({ seq }) => seq === 2)?.atMs ?? 0;
  assert.ok(last >= retryMs && last < retryMs + 1_000, `the last try was at ${last}`);
});

test('WH13 when nothing gets through the hook is down: nothing is parked, one request probes at growing pauses', async (t) => {
  const bench = await HookBench.open(t, { script: () => NETWORK, random: () => 0.999 });
  await bench.tell(...Array.from({ length: 30 }, (_, index) => `u${index}`));
  await bench.advance(1_000);
  assert.equal(bench.line.isDown, true);
  assert.equal(bench.letters.parked, 0);
  assert.equal(bench.line.position, 0);
  const before = bench.requests.length;
  // The eight that were under way together, and those begun before the fifth of them had failed: two quick attempts each.
  assert.ok(before <= 24, `${before} requests before it was down`);
  await bench.advance(2 * HOUR_MS);
  const probes = bench.requests.slice(before);
  assert.equal(new Set(probes.map(({ user }) => user)).size > 10, true, 'each probe tries somebody else');
  const pauses = probes.slice(1).map(({ atMs }, index) => atMs - (probes[index]?.atMs ?? 0));
  assert.ok(
    pauses.every((ms) => ms <= 300_000),
    'at most 5 min apart',
  );
  assert.ok(pauses.slice(-5).every((ms) => ms > 290_000));
  assert.ok(bench.logged.some((text) => text.includes('is down')));
});

test('WH13 the first success ends it: everything follows at once, in order, and nothing is parked', async (t) => {
  let isDead = true;
  const bench = await HookBench.open(t, { script: () => (isDead ? NETWORK : OK) });
  await bench.tell(...Array.from({ length: 40 }, (_, index) => `u${index % 10}`));
  await bench.advance(60_000);
  assert.equal(bench.line.isDown, true);
  isDead = false;
  await bench.advance(300_000);
  assert.deepEqual([bench.line.isDown, bench.line.position, bench.letters.parked], [false, 40, 0]);
  assert.equal(bench.logged.filter((text) => text === 'a webhook takes events again').length, 1);
  for (let user = 0; user < 10; user++) {
    const got = bench.requests.filter((request) => request.user === `u${user}`).map(({ seq }) => seq);
    assert.deepEqual(
      [...got].sort((a, b) => a - b),
      got,
    );
  }
});

test('WH13 one event that is refused for ever does not make a hook with few events wait for long', async (t) => {
  const bench = await HookBench.open(t, { script: answers({ ann: [status(400)] }) });
  await bench.tell('ann');
  await bench.advance(HOUR_MS);
  assert.equal(bench.line.isDown, true, 'nobody knows better');
  await bench.tell('bob');
  await bench.advance(300_000);
  assert.deepEqual([bench.line.isDown, bench.letters.parked, bench.line.position], [false, 1, 2]);
  const before = bench.requests.length;
  await bench.tell('carl');
  assert.equal(
    bench.requests.slice(before).some(({ user }) => user === 'carl'),
    true,
    'at once',
  );
});

test('WH13 events that become too old while it is down are dead letters; younger ones wait', async (t) => {
  const bench = await HookBench.open(t, { retryMs: HOUR_MS, script: () => NETWORK });
  await bench.tell(...Array.from({ length: 8 }, (_, index) => `u${index % 4}`));
  await bench.advance(HOUR_MS / 2);
  await bench.tell('young');
  await bench.advance(HOUR_MS / 2 + 60_000);
  assert.deepEqual(
    bench.letters.all('dead').map(({ seq }) => seq),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  assert.equal(bench.line.position, 8);
  // A reader that comes late finds everything too old at once, more than fits into memory.
  for (let entry = 0; entry < 15; entry++) await bench.tell(...Array.from({ length: 100 }, (_, index) => `v${index}`));
  await bench.advance(HOUR_MS + 60_000);
  // Each lane gives up one after the other, and each is on the disk first.
  for (let round = 0; round < 10; round++) await bench.settle();
  assert.equal(bench.letters.dead, 1_509);
});

test('WH10 beyond what may be parked nothing is put aside, and the position stays', async (t) => {
  const bench = await HookBench.open(t, { limits: { parked: 3 }, script: ({ user }) => (user.startsWith('bad') ? status(400) : OK) });
  await bench.tell('good', 'bad1', 'bad2', 'bad3', 'bad4', 'good');
  await bench.advance(1_000);
  assert.equal(bench.letters.parked, 3);
  assert.equal(bench.line.position, 4, 'bad4 holds it');
  await bench.tell('good');
  assert.equal(bench.requests.at(-1)?.user, 'good', 'others go on');
  bench.script = () => OK;
  await bench.advance(120_000);
  assert.deepEqual([bench.letters.parked, bench.line.position], [0, 7]);
});

test('WH14 a dead letter that is replayed goes before later events, once, and leaves the list when it is delivered', async (t) => {
  const bench = await HookBench.open(t, { retryMs: HOUR_MS, script: () => NETWORK });
  await bench.tell('ann', 'bob');
  await bench.advance(HOUR_MS + 60_000);
  assert.equal(bench.letters.dead, 2);
  const replay = async (): Promise<void> => {
    const dead = bench.letters.all('dead');
    for (const { id, attempts, retries, reason } of dead) {
      await bench.letters.move(id, { state: 'parked', attempts, retries, whenMs: bench.clock.now(), reason, isReplay: true });
    }
    bench.line.replay(dead.flatMap(({ id }) => bench.letters.get(id) ?? []));
    await bench.settle();
  };
  await replay();
  await bench.advance(600_000);
  assert.equal(bench.letters.dead, 2, 'it failed again, and is back');
  await bench.tell('ann');
  bench.script = ({ user }) => (user === 'bob' ? status(400) : OK);
  await replay();
  await bench.advance(600_000);
  assert.deepEqual(
    bench.letters.all('dead').map(({ seq }) => seq),
    [2],
  );
  const ok = bench.requests
    .filter(({ user }) => user === 'ann')
    .slice(-2)
    .map(({ seq }) => seq);
  assert.deepEqual(ok, [1, 3]);
});

test('WH15 what the log no longer has is counted and told', async (t) => {
  const bench = await HookBench.open(t, { script: () => NETWORK });
  await bench.line.stop(0);
  for (let entry = 0; entry < 5; entry++) await bench.tell('ann', 'bob');
  await bench.log.snapshotSaved(8);
  bench.script = () => OK;
  await bench.restart(0);
  await bench.settle();
  assert.deepEqual(bench.sent, ['ann:9#1', 'bob:10#1']);
  assert.equal(bench.letters.lost, 8);
  assert.ok(bench.logged.some((text) => text.includes('lost')));
});

test('WH16 after a crash everything later than the position written is sent again, in order, and what was put aside is not', async (t) => {
  const bench = await HookBench.open(t, { script: answers({ ann: [status(400)] }) });
  await bench.tell('bob', 'ann', 'bob', 'ann');
  assert.deepEqual([bench.letters.parked, bench.line.position], [2, 4]);
  const before = bench.requests.length;
  bench.script = () => OK;
  await bench.restart(0);
  await bench.settle();
  assert.deepEqual(bench.sent.slice(before), ['bob:1#1', 'bob:3#1']);
  await bench.advance(60_000);
  assert.deepEqual(bench.sent.slice(before + 2), ['ann:2#2', 'ann:4#1']);
  assert.equal(bench.letters.parked, 0);
});

test('WH19 a hook gets the types that it asks for, and at once those that it asks for later', async (t) => {
  const bench = await HookBench.open(t, { hook: { eventTypes: ['user.deleted'] } });
  await bench.tell('ann');
  assert.deepEqual([bench.sent, bench.line.position], [[], 1]);
  bench.line.update({ ...bench.hook, eventTypes: ['user.updated'] });
  await bench.tell('ann');
  assert.deepEqual(bench.sent, ['ann:2#1']);
});

test('WH13 an event that is too old when it comes to a hook that is down is given up at once, with the last reason', async (t) => {
  const bench = await HookBench.open(t, { retryMs: HOUR_MS, script: () => NETWORK });
  await bench.tell('a', 'b', 'c', 'd', 'e');
  await bench.advance(60_000);
  assert.equal(bench.line.isDown, true);
  bench.aheadMs = -2 * HOUR_MS;
  await bench.tell('old');
  await bench.settle();
  assert.deepEqual(
    bench.letters.all('dead').map(({ lane, reason }) => [lane, reason]),
    [['old', 'the connection failed (ECONNREFUSED)']],
  );
});
