/**
 * Runs the test files of the suites named on the command line (all when none is named, a file by its path) with node:test.
 * Node's own runner passes when it found no file, so the files are listed here and an empty list is a failure.
 * Options that start with `--` are handed on to the test files in ROSTERD_TEST_ARGS, e.g. `npm run test:crash -- --cycles 1000`.
 * `--hang-s 60` ends what runs longer than that.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { compile } from './support/run/compile.ts';
import { Hangs } from './support/run/hangs.ts';
import { programFile } from './support/run/program.ts';
import { Report } from './support/run/report.ts';
import { sharesOf } from './support/run/shares.ts';

/** The rooms that mirror the sources; "unit" names them all. */
const MIRROR = ['base', 'core', 'protocol', 'store', 'pipeline', 'edge', 'jobs', 'sync', 'metrics', 'cli', 'emulator', 'console'];
/** How many processes share the files of a folder and of those below it that are not named. Starting one takes longer than many files do. */
const PROCESSES: Readonly<Record<string, number>> = below('test', {
  ...Object.fromEntries([...MIRROR, 'house'].map((room) => [room, 1])),
  ...{ cli: 2, edge: 5, emulator: 2, jobs: 3, sync: 2, contract: 4, property: 4 },
  ...below('store', { postgres: 4, 'postgres/log': 3 }),
  ...below('e2e', { client: 1, console: 1, emulator: 2, http: 1, inquiry: 2, jobs: 3, nodes: 4, sync: 1, whole: 4 }),
  ...below('e2e/live', { '.': 5, events: 1, 'socket-io': 1 }),
});
/** They measure what their process does, or take nearly as long as the rest of their folder. */
const ALONE = ['live/rude', 'live/hostile', 'whole/every-endpoint', 'whole/readme', 'nodes/start-checks'].map(
  (name) => `test/e2e/${name}.test.ts`,
);
/** Those with long files first. */
const SUITES = [...new Set(['crash', 'e2e', 'store', 'contract', 'property', ...MIRROR.toReversed(), 'house'])];
/** Minutes of every view of the console, of the commands of the guides, and of faults under real processes: only when they are named, and in the long run. */
const LONG_ONLY = ['walk', 'guides', 'cluster'];
const LONG_IMPORT = /from '[./]*\/support\/long\.ts'/;
/**
 * Every core has a process to run already: a collector that works alone, and seldom, takes an eighth less time in all. What a test
 * process keeps at all is small against what it may grow to before all of it is searched. Most code runs a few times: compiling it only
 * once it has run for six times as long as usual takes another eighth less.
 */
const MEMORY = ['--single-threaded-gc', '--min-semi-space-size=16', '--max-semi-space-size=32', '--initial-heap-size=256'];
const LIGHT = [...MEMORY, '--interrupt-budget=400000'];
const root = resolve(import.meta.dirname, '..');
/** How long each process took the last time: the longest are run first, so that no core is idle at the end. */
const TIMES = join(root, 'node_modules/.cache/rosterd/test-times.json');

const words = process.argv.slice(2);
const firstOption = words.findIndex((word) => word.startsWith('--'));
const named = (firstOption === -1 ? words : words.slice(0, firstOption)).flatMap((word) => (word === 'unit' ? MIRROR : [word]));
const options = firstOption === -1 ? [] : words.slice(firstOption);
const isLong = options.includes('--long');
const hangAt = options.indexOf('--hang-s');
/**
 * Processes at the same time: more than cores, as many tests wait for disks, sockets and other processes. In the long run they are clusters
 * whose clocks matter.
 */
const FILES_AT_ONCE = availableParallelism() + (isLong ? 3 : 7);
/** How long a test may run. */
const hangMs = hangAt === -1 ? (isLong ? 3_600_000 : 300_000) : Number(options[hangAt + 1]) * 1_000;

function below(folder: string, counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [join(folder, name), count]));
}

function usageError(problem: string): never {
  console.error(problem);
  process.exit(2);
}

function filesOf(name: string): string[] {
  if (name.endsWith('.test.ts')) return existsSync(name) ? [resolve(name)] : usageError(`there is no file ${name}`);
  if (name === 'long') {
    const sized = SUITES.flatMap(filesOf).filter((path) => LONG_IMPORT.test(readFileSync(path, 'utf8')));
    return [...sized, ...LONG_ONLY.flatMap(filesOf)];
  }
  const known = [...SUITES, ...LONG_ONLY];
  if (!known.includes(name)) usageError(`unknown suite: ${name}; there are ${[...known, 'unit', 'long'].join(', ')}`);
  const folder = join(root, 'test', name);
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts'));
  if (found.length === 0) usageError(`suite ${name} has no test file`);
  return found.sort().map((file) => join(folder, file));
}

function lastTimes(): Record<string, number> {
  return existsSync(TIMES) ? JSON.parse(readFileSync(TIMES, 'utf8')) : {};
}

const files = [...new Set((named.length === 0 ? SUITES : named).flatMap(filesOf))];
const compiled = await compile(root, files);

// In the long run, the times are others: those with the longest tests come first in the list.
const times = isLong ? {} : lastTimes();
const longestFirst = sharesOf(root, files, compiled, PROCESSES, ALONE).sort(
  (a, b) => (times[b.name] ?? Number.POSITIVE_INFINITY) - (times[a.name] ?? Number.POSITIVE_INFINITY) || 0,
);
const hangs = new Hangs(hangMs);
const nameOf = new Map(longestFirst.map(({ name, entry }) => [entry, name]));
const report = new Report(
  (file) => nameOf.get(file) ?? compiled.sourceOf(file),
  files.map((path) => relative(root, path)),
);
const printer = new spec();
printer.pipe(process.stdout);

process.env.ROSTERD_TEST_ARGS = options.join(' ');
process.env.ROSTERD_TEST_BUILD = compiled.folder;
process.env.ROSTERD_TEST_NOTES = hangs.notes;
// Test files are started with the arguments of this process, which needed tsx.
const args = [...LIGHT, '--enable-source-maps', '--import', programFile('test/support/run/each-test.ts')];
process.execArgv.splice(0, process.execArgv.length, ...args);

let isReported = false;
for await (const event of run({ files: longestFirst.map(({ entry }) => entry), concurrency: FILES_AT_ONCE })) {
  // Node's totals come last.
  if (!isReported && event.type === 'test:diagnostic' && event.data.nesting === 0 && /^tests \d+$/.test(event.data.message)) {
    isReported = true;
    const lines = [...report.lines(), ...hangs.found.map(({ file, test }) => `HANGS ${nameOf.get(file) ?? file}: ${test}`)];
    for (const message of lines) printer.write({ type: 'test:diagnostic', data: { nesting: 0, message } });
  }
  printer.write(report.take(event));
}
printer.end();
hangs.stop();
compiled.remove();
if (!report.passed) process.exitCode = 1;
mkdirSync(dirname(TIMES), { recursive: true });
const measured = Object.fromEntries(report.processes.map(({ name, ms }) => [name, ms]));
if (!isLong) writeFileSync(TIMES, JSON.stringify({ ...times, ...measured }));
