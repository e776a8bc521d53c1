/** Files that are needed only while work goes on. They are below the data directory: a daemon writes nowhere else. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Works in a folder of its own below `parent`, which goes with the end of the work. */
export async function inWorkFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(parent, 'plan-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes what a process that was killed left below `parent`: users in full, who may be deleted by now. Nothing else is there. */
export async function clearWorkFolder(parent: string): Promise<void> {
  await rm(parent, { recursive: true, force: true });
}
