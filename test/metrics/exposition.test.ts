/** MX3–MX5: the text of a scrape, from sources that the test makes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DURATION_BOUNDS_S, Durations } from '../../daemon/base/durations.ts';
import type { MetricSources } from '../../daemon/metrics/all-metrics.ts';
import { Exposition } from '../../daemon/metrics/exposition.ts';
import { by, counter, gauge, type MetricSpec, times } from '../../daemon/metrics/metric-spec.ts';
import { Scrape } from '../support/http/scrape.ts';

/** The sources are those that the rows close over. */
const NOTHING = {} as MetricSources;

function exposed(...specs: MetricSpec<MetricSources>[]) {
  const errors: object[] = [];
  const exposition = new Exposition({ sources: NOTHING, logger: { error: (details) => errors.push(details) }, specs });
  return { exposition, errors, scrape: async () => new Scrape(await exposition.text()) };
}

test('MX4 each scrape shows the numbers as they are then, with their labels', async () => {
  const [durations, fast] = [new Durations(), new Durations()];
  const counts = new Map([['a', 1]]);
  let value: number | undefined = 7;
  const { scrape, exposition } = exposed(
    gauge('one', '', 'One.', () => value),
    counter('some_total', 'kind', 'Some.', () => by('kind', counts)),
    times('took_seconds', '', 'Took.', () => durations),
    times('each_seconds', 'op', 'Each.', () => by('op', [['x"\n', fast]])),
  );
  const first = await scrape();
  assert.deepEqual(
    [first.types.get('rosterd_one'), first.types.get('rosterd_some_total'), first.types.get('rosterd_took_seconds')],
    ['gauge', 'counter', 'histogram'],
  );
  assert.deepEqual(
    [first.value('rosterd_one'), first.value('rosterd_some_total', { kind: 'a' }), first.value('rosterd_took_seconds_count')],
    [7, 1, 0],
  );
  assert.match(exposition.contentType, /^text\/plain/);
  value = 3;
  counts.set('a', 5).set('b', 2);
  durations.observe(20, 3);
  fast.observe(1);
  const second = await scrape();
  assert.deepEqual([second.value('rosterd_one'), second.all('rosterd_some_total').map((sample) => sample.value)], [3, [5, 2]]);
  const bucket = (le: string) => second.value('rosterd_took_seconds_bucket', { le });
  assert.deepEqual([bucket('0.01'), bucket('0.025'), bucket('10'), bucket('+Inf')], [0, 3, 3, 3]);
  assert.ok(Math.abs((second.value('rosterd_took_seconds_sum') ?? 0) - 0.06) < 1e-9);
  assert.equal(second.all('rosterd_took_seconds_bucket').length, DURATION_BOUNDS_S.length + 1);
  assert.equal(second.value('rosterd_each_seconds_count', { op: 'x\\"\\n' }), 1, 'a label cannot break out of its line');
  counts.delete('b');
  value = undefined;
  const third = await scrape();
  assert.deepEqual([third.all('rosterd_one'), third.all('rosterd_some_total').length], [[], 1], 'what is gone is shown no more');
});

test('MX3 a part that cannot be read costs its own metric and no other', async () => {
  const { scrape, errors } = exposed(
    gauge('broken', '', 'Broken.', () => {
      throw new Error('closed');
    }),
    gauge('late', '', 'Late.', () => Promise.reject(new Error('closed, too'))),
    gauge('well', '', 'Well.', async () => 1),
  );
  const found = await scrape();
  assert.deepEqual([found.all('rosterd_broken'), found.all('rosterd_late'), found.value('rosterd_well')], [[], [], 1]);
  assert.equal(errors.length, 2);
});

test('MX3 scrapes that come while one is in progress share it, and a later one is new', async () => {
  let reads = 0;
  let go = (): void => {};
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  const { exposition } = exposed(gauge('slow', '', 'Slow.', () => held.then(() => ++reads)));
  const both = [exposition.text(), exposition.text()];
  go();
  const [one, other] = await Promise.all(both);
  assert.equal(one, other);
  assert.equal(reads, 1);
  await exposition.text();
  assert.equal(reads, 2);
});

test('MX5 the delay of the event loop and the pauses of the collector are there from the first scrape', async () => {
  const found = await exposed().scrape();
  for (const kind of ['major', 'minor', 'incremental', 'weakcb'])
    assert.ok(found.value('nodejs_gc_duration_seconds_count', { kind }) !== undefined, kind);
  for (const name of ['nodejs_eventloop_lag_p99_seconds', 'nodejs_heap_size_used_bytes', 'process_cpu_seconds_total'])
    assert.equal(found.all(name).length, 1, name);
  assert.deepEqual(
    found.names.filter((name) => /active|open_fds/.test(name)),
    [],
    'nothing that takes longer with every connection',
  );
});
