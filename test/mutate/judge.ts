/** Runs compiled test files, each batch of them in a process of its own, and says whether they noticed a mutant. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Compiled } from '../support/run/compile.ts';
import type { TestReach } from './switch.ts';

/** What a test file does when no mutant is on. */
export interface Learnt {
  /** The source of the test file, absolute. */
  readonly file: string;
  readonly passed: boolean;
  /** Includes the start of its process. */
  readonly ms: number;
  readonly tests: readonly TestReach[];
}

/** The tests of a file that may notice a mutant. */
export interface Suspects {
  readonly file: string;
  readonly ms: number;
  readonly names: readonly string[];
}

/** How much longer than without a mutant a batch may take. More is an endless loop, and so noticed. */
const PATIENCE = 4;
const PATIENCE_MS = 15_000;
/** How long a test file may take without a mutant. */
const LEARN_MS = 120_000;
/** How many files share a process, first to last: most mutants are noticed by the first file. The last number repeats. */
const BATCHES = [1, 4, 10];

/** Does `work` for each of `all`, for so many at a time: most tests wait for servers and disks, and a hung one for its limit. */
export async function each<T>(all: readonly T[], atOnce: number, work: (one: T) => Promise<void>): Promise<void> {
  const left = all.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const one of left) await work(one);
    }),
  );
}

/** Runs every file once without a mutant. */
export async function learn(compiled: Compiled, files: readonly string[], atOnce: number): Promise<Learnt[]> {
  const all: Learnt[] = [];
  await each(files, atOnce, async (file) => {
    const folder = mkdtempSync(join(tmpdir(), 'rosterd-reached-'));
    const since = performance.now();
    const passed = await passes(compiled, [{ file, names: [] }], { ROSTERD_TEST_REACHED: folder }, LEARN_MS);
    const tests = readdirSync(folder).flatMap((name): TestReach[] => JSON.parse(readFileSync(join(folder, name), 'utf8')));
    rmSync(folder, { recursive: true, force: true });
    all.push({ file, passed, ms: performance.now() - since, tests });
  });
  return all;
}

/** The test file that fails when mutant `id` is on, undefined when all of `suspects` pass. They are run in their order. */
export async function noticedBy(compiled: Compiled, id: number, suspects: readonly Suspects[]): Promise<string | undefined> {
  const env = { ROSTERD_TEST_MUTANT: String(id) };
  const limitMs = (batch: readonly Suspects[]): number => PATIENCE * batch.reduce((sum, { ms }) => sum + ms, 0) + PATIENCE_MS;
  let at = 0;
  for (let round = 0; at < suspects.length; round++) {
    const size = BATCHES[Math.min(round, BATCHES.length - 1)] ?? 1;
    const batch = suspects.slice(at, at + size);
    at += size;
    if (await passes(compiled, batch, env, limitMs(batch))) continue;
    // Files that share a process can disturb each other, so only one that fails alone counts.
    if (batch.length === 1) return batch[0]?.file;
    for (const one of batch) if (!(await passes(compiled, [one], env, limitMs([one])))) return one.file;
  }
  return undefined;
}

/** Whether all tests of the files with these names pass, within the time; all tests when there is no name. The first failure ends the process. */
function passes(
  compiled: Compiled,
  batch: readonly Pick<Suspects, 'file' | 'names'>[],
  env: Readonly<Record<string, string>>,
  limitMs: number,
): Promise<boolean> {
  const imports = batch.map(({ file }) => `await import(${JSON.stringify(pathToFileURL(compiled.fileOf(file)).href)});`).join('\n');
  // The names are for all files, so one of which all tests are to run leaves no choice among those of the others.
  const names = batch.some((one) => one.names.length === 0) ? [] : batch.flatMap((one) => one.names);
  const patterns = names.map((name) => `--test-name-pattern=${name.replaceAll(/[^\w ]/g, '\\$&')}`);
  const { NODE_TEST_CONTEXT: _, ...outer } = process.env;
  // An endless loop also ends when nobody is left to end it.
  const bounded = `ulimit -t ${2 * Math.ceil(limitMs / 1_000)}; exec "$0" "$@"`;
  const node = [process.execPath, '--test-reporter=tap', ...patterns, '--input-type=module', '--eval', imports];
  const temporary = mkdtempSync(join(tmpdir(), 'rosterd-mutant-'));
  // A server runs as a user of its own.
  chmodSync(temporary, 0o755);
  const child = spawn('sh', ['-c', bounded, ...node], {
    env: { ...outer, TMPDIR: temporary, ROSTERD_TEST_BUILD: compiled.folder, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  return new Promise((resolve) => {
    let failed = false;
    let text = '';
    const fail = (): void => {
      failed = true;
      // The group, as a test may have started processes.
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(fail, limitMs);
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text = text.slice(text.lastIndexOf('\n') + 1) + piece;
      if (!failed && /^ *not ok (?!.*# (?:TODO|SKIP)).*\n/m.test(text)) fail();
    });
    child.on('error', fail);
    child.on('close', (code) => {
      clearTimeout(timer);
      leaveNothing(temporary);
      resolve(!failed && code === 0);
    });
  });
}

/** A PostgreSQL is in no group of its test: where that was killed, it would run on. */
function leaveNothing(temporary: string): void {
  for (const name of readdirSync(temporary)) {
    const lock = join(temporary, name, 'data/postmaster.pid');
    if (existsSync(lock)) endServer(Number(readFileSync(lock, 'utf8').split('\n')[0]));
  }
  rmSync(temporary, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

function endServer(pid: number): void {
  try {
    process.kill(pid, 'SIGQUIT');
  } catch {
    // It has ended meanwhile.
  }
}
