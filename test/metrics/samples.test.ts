/** CO30: the samples of the last minutes, over numbers of the test's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Durations } from '../../daemon/base/durations.ts';
import { SAMPLES_MAX, type SampleSources, Samples } from '../../daemon/metrics/samples.ts';

interface Played {
  readonly samples: Samples;
  readonly events: Map<string, number>;
  readonly delays: Durations;
  readonly measures: { hook: string; dead: number; results: { delivered: number; failed: number }; oldestAt: number | undefined }[];
  readonly errors: unknown[];
  fails: boolean;
}

function play(): Played {
  const [events, delays, errors] = [new Map([['user.updated', 10]]), new Durations(), [] as unknown[]];
  const measures: Played['measures'] = [];
  const played = { events, delays, measures, errors, fails: false };
  const sources: SampleSources = {
    roster: {
      hub: { counts: { events, delays } },
      directory: { states: { alive: 3, deactivated: 1, deleted: 0 } },
    } as unknown as SampleSources['roster'],
    get admission() {
      if (played.fails) throw new Error('the daemon stops');
      return { connections: 7 };
    },
    appends: new Durations(),
    hooks: { measures: () => measures, durations: new Durations() },
    nowMs: () => 100_000,
    logger: { error: (details) => void errors.push(details) },
  };
  return Object.assign(played, { samples: new Samples(sources) });
}

test('CO30 a sample says what happened since the one before, and null where there was nothing to measure', () => {
  const played = play();
  played.samples.take();
  played.events.set('user.updated', 1_000_000);
  played.delays.observe(3, 100);
  played.measures.push(
    { hook: 'a', dead: 0, results: { delivered: 0, failed: 0 }, oldestAt: 90e6 },
    { hook: 'b', dead: 0, results: { delivered: 0, failed: 0 }, oldestAt: undefined },
  );
  played.samples.take();
  const { at, ...columns } = played.samples.after(0);
  assert.equal(at.length, 2);
  assert.deepEqual(columns.connections, [7, 7]);
  assert.deepEqual(columns.users, [3, 3]);
  assert.equal(columns.events_per_s[0], 0, 'what came before the first sample is in none');
  assert.ok((columns.events_per_s[1] ?? 0) > 0);
  assert.equal(columns.delivery_p99_ms[0], null);
  assert.ok((columns.delivery_p99_ms[1] ?? 0) > 2 && (columns.delivery_p99_ms[1] ?? 0) <= 5);
  assert.deepEqual(columns.append_p99_ms, [null, null]);
  assert.equal(columns.webhook_lag_s[0], null);
  assert.equal(columns.webhook_lag_s[1], 10, 'of the hook that is furthest behind');
  assert.ok((columns.rss_bytes[1] ?? 0) > 1_000_000);
});

test('CO30 samples are bounded, and asked for from a time on', () => {
  const { samples } = play();
  for (let taken = 0; taken < SAMPLES_MAX + 20; taken++) samples.take();
  const { at } = samples.after(0);
  assert.equal(at.length, SAMPLES_MAX);
  assert.deepEqual(samples.after(at.at(-1) ?? 0).at, []);
});

test('CO30 a part that cannot be asked costs a sample, and is logged', () => {
  const played = play();
  played.fails = true;
  played.samples.take();
  assert.deepEqual(played.samples.after(0).at, []);
  assert.equal(played.errors.length, 1);
});
