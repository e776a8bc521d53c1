/**
 * Reconciliation as an operator runs it: a source of a million users is planned and applied, planned and applied again, and
 * applied once more after one user in a hundred was changed behind its back. What the commands say is held against what the
 * daemon holds; memory of both is watched all the while.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { HttpLine, postAll } from './kit/http-line.ts';
import type { Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { scale } from './kit/scale.ts';
import { overRounds, percentile } from './kit/stats.ts';
import { benchUser, upsertBody } from './kit/users.ts';
import { API_KEY, API_SECRET, MAIN, Rosterd, SERVER_TOKEN, UPSERT } from './servers/rosterd.ts';

const USERS = scale(1_000_000, 50_000);
const DRIFT_EVERY = 100;
const SAMPLE_MS = 250;
const TICKS_PER_SECOND = 100;
const MIB = 1024 * 1024;

interface Run {
  readonly seconds: number;
  readonly json: Readonly<Record<string, unknown>>;
  /** Resident memory over time, MiB. */
  readonly job: readonly number[];
  readonly daemon: readonly number[];
  readonly jobCpu: number;
  readonly daemonCpu: number;
  /** Entries that the daemon wrote meanwhile. */
  readonly written: number;
}

class Bench {
  readonly rosterd: Rosterd;
  readonly folder: string;

  constructor(rosterd: Rosterd, folder: string) {
    this.rosterd = rosterd;
    this.folder = folder;
  }

  /** Runs one command to its end. */
  async run(expected: readonly number[], ...args: readonly string[]): Promise<Run> {
    const { server } = this.rosterd;
    const [before, cpuBefore, startMs] = [await this.seq(), server.cpuSeconds(), performance.now()];
    const child = spawn(process.execPath, [MAIN, 'sync', ...args, '--url', server.url, '--json', '--quiet'], {
      cwd: this.folder,
      env: { ...process.env, ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    const samples = { job: [] as number[], daemon: [] as number[], cpu: 0 };
    const timer = setInterval(() => {
      sample(child, samples);
      samples.daemon.push(server.rssBytes() / MIB);
    }, SAMPLE_MS);
    const [code] = await once(child, 'close');
    clearInterval(timer);
    if (!expected.includes(code)) throw new Error(`rosterd sync ${args.join(' ')} ended with ${code}: ${stdout}`);
    return {
      seconds: (performance.now() - startMs) / 1_000,
      json: JSON.parse(stdout),
      job: samples.job,
      daemon: samples.daemon,
      jobCpu: samples.cpu,
      daemonCpu: server.cpuSeconds() - cpuBefore,
      written: (await this.seq()) - before,
    };
  }

  async seq(): Promise<number> {
    const answer = await fetch(`${this.rosterd.server.url}/sync/position?api_key=${API_KEY}`, {
      headers: { Authorization: SERVER_TOKEN, 'Stream-Auth-Type': 'jwt' },
    });
    return ((await answer.json()) as { seq: number }).seq;
  }
}

/** The last look at the processor time is that of the command but for a quarter of a second. */
function sample({ pid }: ChildProcess, samples: { job: number[]; cpu: number }): void {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    samples.job.push((Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024) / MIB);
    samples.cpu = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    // It has just ended.
  }
}

/** In the form that `sync` reads: custom data beside the other fields. */
async function writeSource(path: string): Promise<void> {
  const file = createWriteStream(path);
  for (let index = 0; index < USERS; index++) {
    const { custom, ...user } = benchUser(index, 1);
    if (!file.write(`${JSON.stringify({ ...user, ...(custom as object) })}\n`)) await once(file, 'drain');
  }
  file.end();
  await finished(file);
}

function* driftBodies(): Generator<Buffer> {
  for (let index = 0; index < USERS; index += DRIFT_EVERY) yield upsertBody(index, 1, 2);
}

function expect(what: string, found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    throw new Error(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
}

/** How much more memory the last quarter of a run took than its second one; 1 is flat. */
function growth(samples: readonly number[]): number {
  const quarter = Math.floor(samples.length / 4);
  if (quarter === 0) return 1;
  return percentile(samples.slice(-quarter), 0.5) / percentile(samples.slice(quarter, 2 * quarter), 0.5);
}

async function measure(bench: Bench): Promise<readonly Row[]> {
  const { server } = bench.rosterd;
  await writeSource(join(bench.folder, 'users.ndjson'));
  const plan = await bench.run([2], 'plan', 'users.ndjson', '--out', 'plan.ndjson');
  const first = await bench.run([0], 'apply', 'plan.ndjson', '--concurrency', '8');
  expect('created by the first', [first.json.created, first.json.total], [USERS, USERS]);
  const second = await bench.run([0], 'apply', 'plan.ndjson', '--concurrency', '8');
  expect('the plan again', [second.json.unchanged, second.written], [USERS, 0]);
  const source = await bench.run([0], 'apply', 'users.ndjson', '--concurrency', '8');
  expect('the source again', [source.json.total, source.written], [0, 0]);
  const lines = await HttpLine.many(server.port, 8);
  await postAll(lines, UPSERT, driftBodies());
  for (const line of lines) line.close();
  const repair = await bench.run([0], 'apply', 'users.ndjson', '--concurrency', '8', '--missing', 'deactivate');
  expect(
    'repaired',
    [repair.json.updated, repair.json.total, repair.written],
    [USERS / DRIFT_EVERY, USERS / DRIFT_EVERY, USERS / DRIFT_EVERY],
  );
  const last = await bench.run([0], 'apply', 'users.ndjson', '--concurrency', '8', '--missing', 'deactivate');
  expect('after the repair', [last.json.total, last.written], [0, 0]);
  return [
    ...rowsOf('plan, all new', plan),
    ...rowsOf('apply, all created', first),
    ...rowsOf('the plan again, nothing changes', second),
    ...rowsOf('the source again: plan, nothing to apply', source),
    ...rowsOf('1 % drift, planned and repaired', repair),
  ];
}

function rowsOf(what: string, run: Run): Row[] {
  const row = (name: string, unit: string, value: number): Row => ({ what: name, unit, stat: overRounds([value]) });
  return [
    row(what, 'users/s', USERS / run.seconds),
    row('  CPU of the job', 's / 100,000 users', (run.jobCpu * 1e5) / USERS),
    row('  CPU of the daemon', 's / 100,000 users', (run.daemonCpu * 1e5) / USERS),
    row('  memory of the job, most', 'MiB', Math.max(0, ...run.job)),
    row('  last quarter ÷ second quarter', '×', growth(run.job)),
    row('  memory of the daemon, most', 'MiB', Math.max(0, ...run.daemon)),
    row('  last quarter ÷ second quarter', '×', growth(run.daemon)),
  ];
}

export async function reconcile(): Promise<Report> {
  const rosterd = await Rosterd.start();
  const folder = await mkdtemp(join(process.env.ROSTERD_BENCH_DIR ?? tmpdir(), 'rosterd-reconcile-'));
  try {
    return {
      rig: 'reconcile',
      notes: [
        `${USERS.toLocaleString('en-US')} users of 400 bytes; one round. Planned users are read, checked, compared by the daemon and written to a plan.`,
        'the daemon holds all users: while they are created its memory grows with them, afterwards it must not.',
        'held against what was expected, or the rig fails: counts, and that nothing was written where nothing had changed.',
      ],
      rows: await measure(new Bench(rosterd, folder)),
    };
  } finally {
    await rosterd.end();
    await rm(folder, { recursive: true, force: true });
  }
}

await runWhenMain(import.meta.url, reconcile);
