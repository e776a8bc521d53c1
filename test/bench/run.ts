/**
 * `npm run bench [-- rig …] [--quick] [--large]`: builds rosterd, runs the rigs one after the other, each in a process of its
 * own, prints their tables and leaves everything in bench.json.
 */
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { isMet, type Report } from './kit/report.ts';

const RIGS = [
  'fan-out',
  'interests',
  'upserts',
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
const FLAGS = ['--quick', '--large'];

function build(): void {
  console.log('building rosterd …');
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  if (status !== 0) throw new Error('rosterd does not build');
}

/** The rig prints its own table; undefined when it failed. */
async function runRig(rig: string, flags: readonly string[]): Promise<Report | undefined> {
  const child = fork(resolve(import.meta.dirname, `${rig}.ts`), flags, { execArgv: ['--import', import.meta.resolve('tsx')] });
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

/** The journal's rig has one scale only, half a minute: a quick look does without, unless it is named. */
const QUICK_RIGS = RIGS.filter((rig) => rig !== 'journal-report');

const args = process.argv.slice(2);
const flags = args.filter((arg) => arg.startsWith('--'));
const named = args.filter((arg) => !arg.startsWith('--'));
const unknown = [...named.filter((name) => !RIGS.includes(name)), ...flags.filter((flag) => !FLAGS.includes(flag))];
if (unknown.length > 0) {
  console.error(`${unknown.join(' ')}: there is no such rig or flag. Rigs: ${RIGS.join(', ')}; flags: ${FLAGS.join(', ')}`);
  process.exit(2);
}
build();
const reports: Report[] = [];
const startMs = performance.now();
for (const rig of named.length > 0 ? named : flags.includes('--quick') ? QUICK_RIGS : RIGS) {
  const report = await runRig(rig, flags);
  if (report !== undefined) reports.push(report);
}
summary(reports);
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, memoryBytes: totalmem(), node: process.version };
writeFileSync('bench.json', `${JSON.stringify({ at: new Date().toISOString(), machine, flags, reports }, null, 2)}\n`);
console.log(`bench.json written after ${Math.round((performance.now() - startMs) / 1000)} s`);
