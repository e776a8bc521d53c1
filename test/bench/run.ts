/**
 * `npm run bench [-- rig …] [--quick] [--large] [--compare <commit> [--rounds <n>]]`: builds rosterd, runs the rigs one after the other,
 * each in a process of its own, prints their tables and leaves everything in bench.json. `--compare` builds that commit too, runs both
 * in turn, and prints how much more each figure costs now; it fails where CPU time grew by half in every round.
 */
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { compared, comparisonText, type Pair, REGRESSION, regressions } from './kit/compare.ts';
import { buildOf } from './kit/other-build.ts';
import { isMet, type Report } from './kit/report.ts';

const RIGS = [
  'fan-out',
  'interests',
  'upserts',
  'singles',
  'connects',
  'idle-memory',
  'restart',
  'slow-reader',
  'resume',
  'crowd',
  'query',
  'worst',
  'reconcile',
  'nodes',
  'journal-report',
];

function build(): void {
  console.log('building rosterd …');
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  if (status !== 0) throw new Error('rosterd does not build');
}

/** The rig prints its own table; undefined when it failed. `main`: the program to measure, unless it is that of this tree. */
async function runRig(rig: string, flags: readonly string[], main?: string): Promise<Report | undefined> {
  const env = main === undefined ? process.env : { ...process.env, ROSTERD_BENCH_MAIN: main };
  const child = fork(resolve(import.meta.dirname, `${rig}.ts`), flags, { execArgv: ['--import', import.meta.resolve('tsx')], env });
  let report: Report | undefined;
  child.on('message', (message) => {
    report = message as Report;
    // The channel would keep the rig alive.
    child.disconnect();
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) console.error(`\n${rig} failed with ${code}`);
  if (code !== 0) process.exitCode = 1;
  return report;
}

function summary(reports: readonly Report[]): void {
  const judged = reports
    .flatMap(({ rig, rows }) => rows.map((row) => ({ rig, row, met: isMet(row) })))
    .filter(({ met }) => met !== undefined);
  const missed = judged.filter(({ met }) => met === false);
  console.log(`\n${judged.length - missed.length} of ${judged.length} targets met${missed.length > 0 ? '; missed:' : ''}`);
  for (const { rig, row } of missed) console.log(`  ${rig}: ${row.what.trim()}, ${Number(row.stat.median.toPrecision(3))} ${row.unit}`);
}

/**
 * This rig measures the store without a daemon, at one scale only, half a minute: a quick look does without, unless it is named, and so does
 * a comparison.
 */
const OF_THE_SOURCES = 'journal-report';

async function measure(rigs: readonly string[], flags: readonly string[]): Promise<object> {
  const reports: Report[] = [];
  for (const rig of rigs) {
    const report = await runRig(rig, flags);
    if (report !== undefined) reports.push(report);
  }
  summary(reports);
  return { reports };
}

/** In every other round the new build goes first: a machine that grows slower or quicker favours neither. */
async function compare(rigs: readonly string[], flags: readonly string[], commit: string, rounds: number): Promise<object> {
  const other = buildOf(commit);
  try {
    const pairs = new Map<string, Pair[]>(rigs.map((rig) => [rig, []]));
    for (let round = 0; round < rounds; round++) {
      for (const rig of rigs) {
        const runs = { before: () => runRig(rig, flags, other.main), after: () => runRig(rig, flags) };
        const [first, second] = round % 2 === 0 ? [await runs.before(), await runs.after()] : [await runs.after(), await runs.before()];
        const [before, after] = round % 2 === 0 ? [first, second] : [second, first];
        if (before !== undefined && after !== undefined) pairs.get(rig)?.push({ before, after });
      }
    }
    const rows = [...pairs.values()].flatMap(compared);
    console.log(comparisonText(rows));
    const worse = regressions(rows);
    for (const { rig, what, unit } of worse) console.error(`${rig}: ${what} takes more than ${REGRESSION} × the ${unit} of ${commit}`);
    if (worse.length > 0) process.exitCode = 1;
    return { commit, rows };
  } finally {
    other.remove();
  }
}

function usage(problem: string): never {
  console.error(`${problem}. Rigs: ${RIGS.join(', ')}; flags: --quick, --large, --compare <commit>, --rounds <n>`);
  process.exit(2);
}

function asked() {
  const options = {
    quick: { type: 'boolean' },
    large: { type: 'boolean' },
    compare: { type: 'string' },
    rounds: { type: 'string' },
  } as const;
  try {
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

const { values, positionals } = asked();
const unknown = positionals.filter((name) => !RIGS.includes(name));
if (unknown.length > 0) usage(`${unknown.join(' ')}: there is no such rig`);
if (values.compare !== undefined && positionals.includes(OF_THE_SOURCES)) usage(`${OF_THE_SOURCES} measures the sources of this tree only`);
const rounds = Number(values.rounds ?? 3);
if (!Number.isInteger(rounds) || rounds < 1) usage('--rounds must be a whole number above 0');
const isPartial = values.quick === true || values.compare !== undefined;
const rigs = positionals.length > 0 ? positionals : RIGS.filter((rig) => !isPartial || rig !== OF_THE_SOURCES);
const flags = [...(values.quick === true ? ['--quick'] : []), ...(values.large === true ? ['--large'] : [])];
build();
const startMs = performance.now();
const result = values.compare === undefined ? await measure(rigs, flags) : await compare(rigs, flags, values.compare, rounds);
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, memoryBytes: totalmem(), node: process.version };
writeFileSync('bench.json', `${JSON.stringify({ at: new Date().toISOString(), machine, flags, ...result }, null, 2)}\n`);
console.log(`bench.json written after ${Math.round((performance.now() - startMs) / 1000)} s`);
