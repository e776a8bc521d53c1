/** TR1–TR3: what a run of the tests says, on planted files. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');
// Beside what this process was compiled to: runs remove the folders of processes that are gone.
const folder = join(root, '.test-build', String(process.pid));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  readonly text: string;
}

function outcomeOf(...args: readonly string[]): Outcome {
  // The outer run's environment makes node's runner think that it is inside another one.
  const { NODE_TEST_CONTEXT: _, ROSTERD_TEST_BUILD: __, ...env } = process.env;
  const runner = ['--import', import.meta.resolve('tsx'), 'test/run.ts', ...args, '--hang-s', '2'];
  const { status, stdout, stderr } = spawnSync(process.execPath, runner, { cwd: root, env, encoding: 'utf8' });
  return { code: status, text: stdout + stderr };
}

/** The outcome of a run over these files. */
function planted(files: Readonly<Record<string, string>>): Outcome {
  mkdirSync(folder, { recursive: true });
  const paths = Object.entries(files).map(([name, tests]) => {
    const path = join(folder, `${name}.test.ts`);
    writeFileSync(path, `import { test } from 'node:test';\n${tests}\n`);
    return path;
  });
  return outcomeOf(...paths);
}

test('TR1 TR2 a test that fails or hangs, and a file without a test, fail the run and are named', () => {
  const { code, text } = planted({
    failing: "test('fails', () => {\n  throw new Error('no');\n});",
    empty: 'export const nothing = test.name;',
    waiting:
      "test('fine', () => {});\ntest('never ends', async () => {\n  setInterval(() => {}, 1_000);\n  await new Promise(() => {});\n});",
    turning: "test('never yields', () => {\n  for (;;);\n});",
  });
  assert.equal(code, 1, text);
  assert.match(text, /failing\.test\.ts:2:1\n.*fails/);
  assert.match(text, /failing\.test\.ts:3:9/);
  assert.match(text, /NO TEST in .*empty\.test\.ts/);
  assert.match(text, /HANGS .*waiting\.test\.ts: never ends/);
  assert.match(text, /HANGS .*turning\.test\.ts: never yields/);
  assert.match(text, /ℹ fail 3/);
});

test('TR1 a suite that is none and a file that is not there fail the run', () => {
  assert.equal(outcomeOf('nowhere').code, 2);
  assert.equal(outcomeOf('test/nowhere.test.ts').code, 2);
});

test('TR3 the end names slow and skipped tests, and the time by suite', () => {
  const { code, text } = planted({ fine: "test('fine', () => {});\ntest('left out', { skip: 'no moon' }, () => {});" });
  assert.equal(code, 0, text);
  assert.match(text, /SKIPPED .*fine\.test\.ts: left out \(no moon\)/);
  assert.match(text, /the 2 slowest tests\n(.* s {2}.*\n)?.* s {2}.*: fine\n/);
  assert.match(text, /2 tests in 1 files/);
});
