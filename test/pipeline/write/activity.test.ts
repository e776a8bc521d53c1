/** Connections that stay open: UA10. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActivityRounds } from '../../../daemon/pipeline/write/activity.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Command } from '../../../protocol/log/command.ts';
import { RulesBench } from '../../support/rules-bench.ts';

function activityOf(bench: RulesBench, connected: readonly string[], fail: () => boolean = () => false) {
  const sizes: number[] = [];
  const errors: unknown[] = [];
  const activity = new ActivityRounds({
    connected: () => connected,
    lastActive: (id) => bench.directory.user(id)?.last_active,
    submit: async (command: Command) => {
      if (fail()) throw new Error('full');
      assert.ok(command.kind === 'active');
      sizes.push(command.ids.length);
      bench.run(command);
    },
    now: () => bench.now,
    onError: (error) => errors.push(error),
  });
  return { activity, sizes, errors };
}

test('UA10 who stays connected over midnight is active on the new day, silently, and counted in the new month', async () => {
  const bench = new RulesBench({}, '2026-11-30T23:50:00Z');
  const { activity, sizes } = activityOf(bench, ['ann', 'bob']);
  bench.connect('ann');
  const before = bench.user('ann');
  bench.at('2026-11-30T23:59:59Z');
  await activity.round();
  assert.deepEqual(sizes, [], 'nobody is due');
  bench.at('2026-12-01T00:00:10Z');
  bench.connect('bob');
  const facts = bench.entries.length;
  await activity.round();
  assert.deepEqual(sizes, [1]);
  assert.deepEqual(
    bench.entries.slice(facts).flatMap((entry) => entry.facts.map((fact) => fact.t === 'user' && [fact.event, fact.user.id])),
    [['silent', 'ann']],
  );
  const { last_active, ...after } = bench.user('ann');
  assert.equal(last_active, bench.now);
  assert.deepEqual({ ...after, last_active: before.last_active }, before);
  assert.deepEqual([bench.directory.usage.get('2026-11').users, bench.directory.usage.get('2026-12').users], [1, 2]);
  await activity.round();
  assert.deepEqual(sizes, [1]);
});

test('UA10 many go in batches; who is gone or deactivated is passed over, and a failed round is made up for by the next', async () => {
  const bench = new RulesBench();
  const ids = Array.from({ length: 250 }, (_, i) => `u${i}`);
  for (const id of ids) bench.connect(id);
  bench.delete('u0');
  bench.run({ kind: 'deactivate', ids: ['u1'], options: {} });
  bench.at('2026-11-21T12:00:00Z');
  let fails = true;
  const { activity, sizes, errors } = activityOf(bench, [...ids, 'nobody'], () => fails);
  await activity.round();
  assert.deepEqual([sizes, errors.length], [[], 1]);
  fails = false;
  await Promise.all([activity.round(), activity.round()]);
  assert.deepEqual(sizes, [LIMITS.batchUsers, LIMITS.batchUsers, 49]);
  assert.equal(bench.user('u1').last_active !== undefined && bench.user('u1').last_active === bench.user('u2').last_active, false);
  assert.ok(ids.slice(2).every((id) => (bench.user(id).last_active ?? 0) >= Date.parse('2026-11-21T11:59:59Z') * 1000));
});

test('UA10 rounds come once a minute, keep no process alive, and end with a stop', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let rounds = 0;
  const activity = new ActivityRounds({
    connected: () => {
      rounds++;
      return [];
    },
    ...{ lastActive: () => 0, submit: async () => {}, now: () => 1 },
    onError: (error) => assert.fail(String(error)),
  });
  activity.start();
  const pass = async (ms: number): Promise<number> => {
    t.mock.timers.tick(ms);
    await new Promise((resolve) => setImmediate(resolve));
    return rounds;
  };
  assert.deepEqual([await pass(59_999), await pass(1), await pass(60_000)], [0, 1, 2]);
  activity.stop();
  assert.equal(await pass(180_000), 2);
  t.mock.timers.reset();
  const before = process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length;
  activity.start();
  assert.equal(process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length, before);
  activity.stop();
});

test('UA10 a stop ends a round between two batches, and an error that comes with it is no news', async () => {
  for (const fails of [true, false]) {
    let submitted = 0;
    const errors: unknown[] = [];
    const activity: ActivityRounds = new ActivityRounds({
      connected: () => Array.from({ length: 250 }, (_, n) => `u${n}`),
      ...{ lastActive: () => 0, now: () => Date.now() * 1_000, onError: (error) => void errors.push(error) },
      submit: async () => {
        submitted++;
        activity.stop();
        if (fails) throw new Error('shutting down');
      },
    });
    await activity.round();
    assert.deepEqual([submitted, errors], [1, []]);
  }
});

test('UA10 a round that waits for its turn is not overtaken by another, and one after it is', async () => {
  let release = (): void => {};
  let rounds = 0;
  const activity = new ActivityRounds({
    connected: () => {
      rounds++;
      return ['ann'];
    },
    ...{ lastActive: () => 0, now: () => Date.now() * 1_000, onError: (error) => assert.fail(String(error)) },
    submit: () => new Promise<void>((resolve) => (release = resolve)),
  });
  const first = activity.round();
  await new Promise((resolve) => setImmediate(resolve));
  await activity.round();
  assert.equal(rounds, 1);
  release();
  await first;
  void activity.round();
  assert.equal(rounds, 2);
  await new Promise((resolve) => setImmediate(resolve));
  release();
});
