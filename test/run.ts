/**
 * Runs the test files of the suites named on the command line (all when none is named) with node:test.
 * Node's own runner passes when it found no file, so the files are listed here and an empty list is a failure.
 * Options that start with `--` are handed on to the test files in ROSTERD_TEST_ARGS, e.g. `npm run test:crash -- --cycles 1000`.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** The rooms that mirror the sources; "unit" names them all. */
const MIRROR = ['core', 'protocol', 'store', 'pipeline', 'edge', 'jobs', 'sync', 'cli'];
const SUITES = ['house', ...MIRROR, 'contract', 'property', 'crash', 'e2e'];
/** Files at the same time. Many wait for disks, sockets and other processes most of the time, so two share even a single core well. */
const FILES_AT_ONCE = Math.max(2, availableParallelism() - 1);
const root = import.meta.dirname;

const words = process.argv.slice(2);
const firstOption = words.findIndex((word) => word.startsWith('--'));
const suites = (firstOption === -1 ? words : words.slice(0, firstOption)).flatMap((word) => (word === 'unit' ? MIRROR : [word]));
const options = firstOption === -1 ? [] : words.slice(firstOption);

const unknown = suites.filter((suite) => !SUITES.includes(suite));
if (unknown.length > 0) {
  console.error(`unknown suite: ${unknown.join(', ')}; there are ${SUITES.join(', ')}`);
  process.exit(2);
}

const files = (suites.length === 0 ? SUITES : suites).flatMap((suite) => {
  const found = readdirSync(join(root, suite), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));
  if (found.length === 0) {
    console.error(`suite ${suite} has no test file`);
    process.exit(2);
  }
  return found.sort().map((name) => join(root, suite, name));
});

const runner = ['--import', 'tsx', '--test', `--test-concurrency=${FILES_AT_ONCE}`, '--test-reporter=spec'];
const child = spawn(process.execPath, [...runner, ...files], {
  stdio: 'inherit',
  env: { ...process.env, ROSTERD_TEST_ARGS: options.join(' ') },
});
child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
