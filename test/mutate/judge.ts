/** Runs compiled test files, each batch of them in a process of its own, and says whether they noticed a mutant. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Compiled } from '../support/run/compile.ts';

/** What a test file does when no mutant is on. */
export interface Learnt {
  /** The source of the test file, absolute. */
  readonly file: string;
  readonly passed: boolean;
  readonly ms: number;
  readonly reached: ReadonlySet<number>;
}

/** How much longer than without a mutant a batch may take. More is an endless loop, and so noticed. */
const PATIENCE = 4;
const PATIENCE_MS = 10_000;
/** How long a test file may take without a mutant. */
const LEARN_MS = 120_000;
/** How many files share a process, first to last: most mutants are noticed by the first file. The last number repeats. */
const BATCHES = [1, 4, 10];

/** Runs every file once without a mutant. */
export async function learn(compiled: Compiled, files: readonly string[]): Promise<Learnt[]> {
  const all: Learnt[] = [];
  for (const file of files) {
    const folder = mkdtempSync(join(tmpdir(), 'rosterd-reached-'));
    const since = Date.now();
    const passed = await passes(compiled, [file], { ROSTERD_TEST_REACHED: folder }, LEARN_MS);
    const reached = new Set(readdirSync(folder).flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as number[]));
    rmSync(folder, { recursive: true, force: true });
    all.push({ file, passed, ms: Date.now() - since, reached });
  }
  return all;
}

/** The test file that fails when mutant `id` is on, undefined when all of `files` pass. They are run in their order. */
export async function noticedBy(compiled: Compiled, id: number, files: readonly Learnt[]): Promise<string | undefined> {
  const env = { ROSTERD_TEST_MUTANT: String(id) };
  const limitMs = (batch: readonly Learnt[]): number => PATIENCE * batch.reduce((sum, { ms }) => sum + ms, 0) + PATIENCE_MS;
  let at = 0;
  for (let round = 0; at < files.length; round++) {
    const size = BATCHES[Math.min(round, BATCHES.length - 1)] ?? 1;
    const batch = files.slice(at, at + size);
    at += size;
    if (
      await passes(
        compiled,
        batch.map(({ file }) => file),
        env,
        limitMs(batch),
      )
    )
      continue;
    // Files that share a process can disturb each other, so only one that fails alone counts.
    if (batch.length === 1) return batch[0]?.file;
    for (const one of batch) if (!(await passes(compiled, [one.file], env, limitMs([one])))) return one.file;
  }
  return undefined;
}

/** Whether all tests of the files pass, within the time. The first failure ends the process. */
function passes(compiled: Compiled, files: readonly string[], env: Readonly<Record<string, string>>, limitMs: number): Promise<boolean> {
  const imports = files.map((file) => `await import(${JSON.stringify(pathToFileURL(compiled.fileOf(file)).href)});`).join('\n');
  const { NODE_TEST_CONTEXT: _, ...outer } = process.env;
  const child = spawn(process.execPath, ['--test-reporter=tap', '--input-type=module', '--eval', imports], {
    env: { ...outer, ROSTERD_TEST_BUILD: compiled.folder, ...env },
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
      resolve(!failed && code === 0);
    });
  });
}
