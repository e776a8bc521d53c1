/** MX2: what happens when the default address of the metrics is taken. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { loadConfig } from '../../../daemon/cli/config/config.ts';
import { METRICS_DEFAULT } from '../../../daemon/cli/config/watching-settings.ts';
import { listenForMetrics } from '../../../daemon/cli/serve/metrics.ts';

interface LogLine {
  readonly level: number;
  readonly msg: string;
}

async function listened(flags: Record<string, string>) {
  const lines: LogLine[] = [];
  const { config } = loadConfig({ flags, env: {}, cwd: '/' });
  const metrics = await listenForMetrics(config, pino({}, { write: (line: string) => lines.push(JSON.parse(line)) }));
  return { metrics, lines };
}

/** Takes the default address, unless another program has it already. */
async function takeDefault(t: TestContext): Promise<void> {
  const other = createServer();
  t.after(() => other.close());
  await new Promise<void>((resolve) => {
    other.once('error', () => resolve()).listen(METRICS_DEFAULT.port, METRICS_DEFAULT.host, () => resolve());
  });
}

test('MX2 where the default address is taken, the daemon goes without metrics and says what to set', async (t) => {
  await takeDefault(t);
  const { metrics, lines } = await listened({});
  await metrics.close();
  assert.equal(metrics.url, undefined);
  const text =
    "there are no metrics at 127.0.0.1:8801: another program has it, perhaps another rosterd; set metrics.listen to an address of this daemon's own, or to off";
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [[40, text]],
  );
});

test('MX2 the same address, when it is named, is a reason not to start', async (t) => {
  await takeDefault(t);
  await assert.rejects(
    listened({ 'metrics-listen': '127.0.0.1:8801' }),
    /^Error: cannot listen on 127\.0\.0\.1:8801: EADDRINUSE; .*--metrics-listen 127\.0\.0\.1:8811 /,
  );
});

test('MX2 the API may have the port that is the default of the metrics', async () => {
  const { metrics, lines } = await listened({ listen: '0.0.0.0:8801' });
  assert.equal(metrics.url, undefined);
  assert.match(lines[0]?.msg ?? '', /the API of this daemon has that port; set metrics\.listen/);
});

test('MX2 an address is listened on, off is none', async () => {
  const { metrics, lines } = await listened({ 'metrics-listen': '[::1]:0' });
  assert.match(metrics.url ?? '', /^http:\/\/\[::1\]:\d+\/metrics$/);
  assert.equal((await fetch(metrics.url ?? '')).status, 503);
  await metrics.close();
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [[30, 'metrics are served']],
  );
  const off = await listened({ 'metrics-listen': 'off' });
  assert.deepEqual([off.metrics.url, off.lines], [undefined, []]);
});
