/**
 * Compiled into every test file of a mutation run: which mutant is on in this process, and which are reached by which test. The
 * parent process says so in the environment, which the processes that a test starts inherit.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';

/** What one test does when no mutant is on. The name is empty for what happens outside of tests. */
export interface TestReach {
  readonly name: string;
  readonly ms: number;
  readonly ids: readonly number[];
}

const active = Number(process.env.ROSTERD_TEST_MUTANT ?? -1);
/** The folder for what the tests of this process reached. */
const folder = process.env.ROSTERD_TEST_REACHED;

interface Reached {
  ms: number;
  readonly ids: Set<number>;
}

const byTest = new Map<string, Reached>();
/** Since when each test runs. Several do when they have subtests. */
const running = new Map<string, number>();
/** Ids that were noted since the last test began or ended: mutants in loops are reached millions of times. */
const noted = new Set<number>();

function reachedBy(name: string): Reached {
  const known = byTest.get(name) ?? { ms: 0, ids: new Set() };
  byTest.set(name, known);
  return known;
}

function note(id: number): false {
  if (noted.has(id)) return false;
  noted.add(id);
  for (const name of running.size === 0 ? [''] : running.keys()) reachedBy(name).ids.add(id);
  return false;
}

/** Whether the code behind mutant `id` is to run in place of the original. */
export const $mutant = folder === undefined ? (id: number): boolean => id === active : note;

if (folder !== undefined) {
  beforeEach(({ name }) => {
    running.set(name, performance.now());
    noted.clear();
  });
  afterEach(({ name }) => {
    reachedBy(name).ms += performance.now() - (running.get(name) ?? 0);
    running.delete(name);
    noted.clear();
  });
  process.on('exit', () => {
    const tests = [...byTest].map(([name, { ms, ids }]): TestReach => ({ name, ms, ids: [...ids] }));
    writeFileSync(join(folder, `${process.pid}.json`), JSON.stringify(tests));
  });
}
