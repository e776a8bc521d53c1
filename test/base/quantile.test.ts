/** CO30: quantiles of what a histogram observed between two looks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Durations } from '../../daemon/base/durations.ts';
import { quantileBetween } from '../../daemon/base/quantile.ts';

const look = ({ upTo, count }: Durations) => ({ upTo, count });

test('CO30 a quantile counts only what was observed between two looks', () => {
  const durations = new Durations();
  durations.observe(9_000, 1_000);
  const before = look(durations);
  assert.equal(quantileBetween(before, durations, 0.5), undefined, 'nothing was observed');
  durations.observe(0.2, 98);
  durations.observe(70, 2);
  const half = quantileBetween(before, durations, 0.5) ?? 0;
  assert.ok(half > 0 && half <= 0.0005, `${half}`);
  const most = quantileBetween(before, durations, 0.99) ?? 0;
  assert.ok(most > 0.05 && most <= 0.1, `${most}`);
});

test('CO30 beyond the last bound of the histogram a quantile is that bound', () => {
  const durations = new Durations();
  const before = look(durations);
  durations.observe(60_000, 3);
  assert.equal(quantileBetween(before, durations, 0.99), 10);
});
