/** CO35: what the overview plots, in words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { currentOf, PLOTS, plotText } from '../../../daemon/console/overview/plot-list.ts';
import { NodeSamples } from '../../../daemon/edge/nodes/node-state.ts';

test('CO35 every column of a sample is plotted once', () => {
  const plotted = PLOTS.flatMap(({ lines }) => lines.map(({ column }) => column));
  assert.deepEqual([...plotted, 'at'].sort(), Object.keys(NodeSamples.properties).sort());
});

test('CO35 the current number is the last one there is, within a minute', () => {
  const samples = { at: [0, 100, 150, 155], users: [1, 2, 3, null], idle: [1, null, null, null] };
  assert.equal(currentOf(samples, 'users'), 3);
  assert.equal(currentOf(samples, 'idle'), undefined);
  assert.equal(currentOf(samples, 'unknown'), undefined);
});

test('CO35 a plot says what it shows', () => {
  const [, , delay] = PLOTS;
  assert.ok(delay !== undefined);
  const text = plotText(delay, { at: [0, 5], delivery_p99_ms: [1_200, 3], delivery_p50_ms: [null, null] });
  assert.equal(text, 'Delivery delay, the last 15 minutes. p99: from 3.0 ms to 1.2 s. p50: nothing to measure.');
});
