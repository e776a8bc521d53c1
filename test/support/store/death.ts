/** Work on a simulated disk that may die under it. */
import type { SimDisk } from './sim-disk.ts';

/** Resolves with true when the work is done, with false when the disk died under it. */
export async function untilDeath(disk: SimDisk, work: Promise<unknown>): Promise<boolean> {
  let isOver = false;
  const finished = work.finally(() => {
    isOver = true;
  });
  const death = (async () => {
    while (!isOver && !disk.dead) await new Promise((resolve) => setImmediate(resolve));
  })();
  await Promise.race([finished, death]);
  return isOver;
}
