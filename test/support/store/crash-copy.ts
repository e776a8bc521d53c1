/** What a daemon that is killed now would leave behind: for tests that read back from the journal, without the snapshot of a clean stop. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { TestContext } from 'node:test';

/** A copy of a data directory that is in use, without its lock. Removed when the test ends. */
export async function crashCopy(t: TestContext, data: string): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'rosterd-crash-'));
  t.after(() => rm(copy, { recursive: true, force: true }));
  await cp(data, copy, { recursive: true, filter: (source) => basename(source) !== 'lock' });
  return copy;
}
