/** TR6: what a comparison of two builds says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { type Compared, compared, comparisonText, regressions } from '../bench/kit/compare.ts';
import type { Report } from '../bench/kit/report.ts';

const at = (median: number) => ({ median, min: median, max: median });

/** A report with these figures: text, unit, value. */
function report(...figures: readonly (readonly [string, string, number])[]): Report {
  return { rig: 'upserts', notes: [], rows: figures.map(([what, unit, value]) => ({ what, unit, stat: at(value) })) };
}

/** The ratio of each row, rounded. */
function ratios(rows: readonly Compared[]): readonly (readonly [string, number | undefined])[] {
  return rows.map(({ what, ratio }) => [what, ratio === undefined ? undefined : Number(ratio.median.toFixed(2))]);
}

test('TR6 more of what is better costs less, and rows of the same text belong to the row above them', () => {
  const before = report(
    ['users', 'users/s', 1_000],
    ['  p99', 'ms', 10],
    ['connects', 'connects / CPU s', 200],
    ['  p99', 'ms', 40],
    ['gone', 'ms', 1],
  );
  const after = report(
    ['users', 'users/s', 500],
    ['  p99', 'ms', 5],
    ['connects', 'connects / CPU s', 400],
    ['  p99', 'ms', 60],
    ['new', 'ms', 1],
  );
  assert.deepEqual(ratios(compared([{ before, after }])), [
    ['users', 2],
    ['p99', 0.5],
    ['connects', 0.5],
    ['p99', 1.5],
  ]);
});

test('TR6 a ratio is that of each round, and a row that a round lacks is left out', () => {
  const rounds = [
    { before: report(['cpu', 'CPU ms', 1], ['once', 'ms', 1]), after: report(['cpu', 'CPU ms', 2], ['once', 'ms', 1]) },
    { before: report(['cpu', 'CPU ms', 10]), after: report(['cpu', 'CPU ms', 11]) },
    { before: report(['cpu', 'CPU ms', 4]), after: report(['cpu', 'CPU ms', 6]) },
  ];
  const rows = compared(rounds);
  assert.deepEqual(
    rows.map(({ what, ratio }) => [what, ratio]),
    [['cpu', { median: 1.5, min: 1.1, max: 2 }]],
  );
  assert.match(comparisonText(rows), /^\n## upserts: .*\n\ncpu {2}4 → 6 CPU ms {2}×1\.50 \(1\.10–2\.00\) {2}WORSE\n$/);
});

test('TR6 a figure that is not above 0 has no ratio', () => {
  const rows = compared([{ before: report(['grown', 'MiB', -3]), after: report(['grown', 'MiB', 5]) }]);
  assert.deepEqual(ratios(rows), [['grown', undefined]]);
  assert.match(comparisonText(rows), /grown {2}-3 → 5 MiB {2}–\n$/);
});

test('TR6 CPU time that grew by more than half in every round is a regression; one round, or time on the clock, is noise', () => {
  const pair = (cpu: readonly [number, number], ms: readonly [number, number]) => ({
    before: report(['cpu', 'CPU s / M deliveries', cpu[0]], ['wait', 'ms', ms[0]]),
    after: report(['cpu', 'CPU s / M deliveries', cpu[1]], ['wait', 'ms', ms[1]]),
  });
  const found = (...rounds: readonly ReturnType<typeof pair>[]) => regressions(compared(rounds)).map(({ what }) => what);
  assert.deepEqual(found(pair([1, 1.6], [1, 9]), pair([1, 1.7], [1, 9])), ['cpu']);
  assert.deepEqual(found(pair([1, 1.6], [1, 9]), pair([1, 1.4], [1, 9])), []);
});

test('TR6 an unknown rig or flag, and a comparison of what is no build, are refused before anything runs', () => {
  const refusal = (...args: readonly string[]): string => {
    const runner = ['--import', import.meta.resolve('tsx'), 'test/bench/run.ts', ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, runner, {
      cwd: resolve(import.meta.dirname, '../..'),
      encoding: 'utf8',
    });
    assert.equal(status, 2, stdout + stderr);
    return stderr;
  };
  assert.match(refusal('nothing'), /nothing: there is no such rig\. Rigs: fan-out, /);
  assert.match(refusal('--fast'), /--fast/);
  assert.match(refusal('--compare', 'HEAD', 'journal-report'), /measures the sources of this tree only/);
  assert.match(refusal('--rounds', '0'), /--rounds must be a whole number above 0/);
});
