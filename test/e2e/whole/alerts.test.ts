/** MX7: alerts and dashboard against a real scrape, and against Prometheus' own checks. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findProgram } from '../../../daemon/cli/cluster/programs.ts';
import { Scrape } from '../../support/http/scrape.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';
import { World } from '../../support/world.ts';

const deploy = join(import.meta.dirname, '../../../daemon/deploy');
const series = join(import.meta.dirname, 'alerts.promtool.yaml');
const alerts = readFileSync(join(deploy, 'alerts.yaml'), 'utf8');
const promtool = await findProgram('promtool');
const options = promtool === undefined ? { skip: 'THERE IS NO promtool ON THIS MACHINE' } : {};

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const dashboard: { readonly panels: readonly Panel[] } = JSON.parse(readFileSync(join(deploy, 'dashboard.json'), 'utf8'));
const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** Runs Prometheus' tool; fails with what it says. */
function promtoolPasses(args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(promtool ?? '', args, { input, encoding: 'utf8' });
  assert.equal(status, 0, `promtool ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout + stderr;
}

function metricsIn(text: string): ReadonlySet<string> {
  return new Set(text.match(/\b(?:rosterd|nodejs|process)_[a-z0-9_]+/g));
}

test('MX7 alerts and dashboard use only metrics that a scrape has', async (t) => {
  const scrape = await Scrape.of((await World.start(t, { flags: { 'metrics-listen': '127.0.0.1:0' } })).daemon.metricsUrl);
  const known = (name: string): boolean =>
    scrape.types.has(name) ||
    ['_bucket', '_sum', '_count'].some((end) => name.endsWith(end) && scrape.types.get(name.slice(0, -end.length)) === 'histogram');
  const used = { alerts: metricsIn(alerts), series: metricsIn(readFileSync(series, 'utf8')), dashboard: metricsIn(expressions.join('\n')) };
  for (const [where, names] of Object.entries(used)) {
    assert.ok(names.size >= 7, `${where} names ${names.size} metrics`);
    assert.deepEqual(
      [...names].filter((name) => !known(name)),
      [],
      where,
    );
  }
  const shown = [...scrape.types.keys()].filter((name) => name.startsWith('rosterd_'));
  const isShown = (name: string): boolean =>
    [...used.dashboard].some((one) => one === name || one.replace(/_(bucket|sum|count)$/, '') === name);
  assert.deepEqual(
    shown.filter((name) => !isShown(name)),
    [],
    'the dashboard shows every metric',
  );
});

test('MX7 every panel has its own id, a title and something to show', () => {
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  for (const { title, type, targets } of dashboard.panels) assert.ok(title !== '' && (type === 'row' || (targets?.length ?? 0) > 0), title);
});

test('MX7 each alert has series on which it fires, and others on which it does not', () => {
  const names = [...alerts.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  const [, ...tests] = readFileSync(series, 'utf8').split(/alertname: /);
  assert.equal(names.length, 9);
  for (const name of names) {
    const own = tests.filter((text) => new RegExp(`^${name}\\b`).test(text));
    const isQuiet = (text: string): boolean => /^\w+(,|\n) +exp_alerts: \[\]|^\w+, exp_alerts: \[\]/.test(text);
    assert.deepEqual([own.some(isQuiet), own.some((text) => !isQuiet(text))], [true, true], name);
  }
});

test('MX7 Prometheus takes the alerts, and each fires when it should and not otherwise', options, () => {
  assert.match(promtoolPasses(['check', 'rules', join(deploy, 'alerts.yaml')]), /SUCCESS: 9 rules found/);
  assert.match(promtoolPasses(['test', 'rules', series]), /SUCCESS/);
});

test('MX7 Prometheus understands every expression of the dashboard', options, async () => {
  const file = join(await temporaryDirectory(), 'rules.yaml');
  const rules = expressions.map(
    (expr, n) => `      - record: panel:${n}\n        expr: ${JSON.stringify(expr.replaceAll('$__rate_interval', '5m'))}`,
  );
  writeFileSync(file, `groups:\n  - name: dashboard\n    rules:\n${rules.join('\n')}\n`);
  assert.match(promtoolPasses(['check', 'rules', file]), new RegExp(`SUCCESS: ${expressions.length} rules found`));
});

test('MX7 a real scrape passes the check of Prometheus, at the start and after some work', options, async (t) => {
  const world = await World.start(t, { flags: { 'metrics-listen': '127.0.0.1:0' } });
  const first = await Scrape.of(world.daemon.metricsUrl);
  await world.upsert({ id: 'ann' });
  await world.subscriber({ durable: 'mirror', subs: [{ sub: 'all', all: true }] });
  for (const { text } of [first, await Scrape.of(world.daemon.metricsUrl)]) assert.equal(promtoolPasses(['check', 'metrics'], text), '');
});
