/**
 * Compiled into every test file of a mutation run: which mutant is on in this process, and which are reached. The parent process
 * says so in the environment, which the processes that a test starts inherit.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const active = Number(process.env.ROSTERD_TEST_MUTANT ?? -1);
/** The folder for the ids that this process reached. */
const folder = process.env.ROSTERD_TEST_REACHED;
const reached = new Set<number>();

/** Whether the code behind mutant `id` is to run in place of the original. */
export const $mutant =
  folder === undefined
    ? (id: number): boolean => id === active
    : (id: number): boolean => {
        reached.add(id);
        return false;
      };

if (folder !== undefined) {
  process.on('exit', () => writeFileSync(join(folder, `${process.pid}.json`), JSON.stringify([...reached])));
}
