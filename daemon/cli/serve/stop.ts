/**
 * The stop of a daemon: its parts in the reverse order of their start. Where several share a storage, one that stops gives its jobs away first, and
 * does not wait for a storage that is away: everything that was acknowledged is there, and the others go on.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Log } from '../../../store/log.ts';
import type { Store } from '../../../store/store.ts';

export interface RunningParts {
  readonly edge: { stop(maxMs: number): Promise<void> };
  readonly hooks: { stop(maxMs: number): Promise<void> };
  readonly jobs: { stop(): Promise<void> };
  readonly roster: { close(): Promise<void> };
  readonly store: Store;
  readonly logger: Logger;
}

const LOOK_MS = 50;
/** What is left after everything that waits for the storage was refused. */
const LAST_MS = 2_000;

/** `maxMs`: what peers get to take their goodbyes and answers. */
export async function stopParts(parts: RunningParts, maxMs: number): Promise<void> {
  const { store, logger } = parts;
  const stopped = stoppedInOrder(parts, maxMs);
  if (store.leases !== undefined) {
    const looking = new AbortController();
    const isAway = await Promise.race([stopped.then(() => false), awayAfter(store.log, maxMs, looking.signal)]);
    looking.abort();
    if (isAway) {
      logger.warn({}, 'the storage is away: the stop does not wait for it, and everything that was acknowledged is stored');
      await store.close();
      const failed = (error: unknown): void => logger.warn({ err: error }, 'a part did not stop in order');
      return await Promise.race([stopped.catch(failed), delay(LAST_MS, undefined, { ref: false })]);
    }
  }
  await stopped;
  await store.close();
}

async function stoppedInOrder({ edge, hooks, jobs, roster, store }: RunningParts, maxMs: number): Promise<void> {
  const outside = [edge.stop(maxMs), hooks.stop(maxMs)];
  // Another node does the jobs while this one says goodbye. Alone, they end last and know all changes.
  if (store.leases !== undefined) outside.push(jobs.stop());
  await Promise.all(outside);
  if (store.leases === undefined) await jobs.stop();
  await roster.close();
}

/** True as soon as the storage is away, but not before `ms`; false when `signal` aborts. */
async function awayAfter(log: Pick<Log, 'status'>, ms: number, signal: AbortSignal): Promise<boolean> {
  const sleep = (forMs: number): Promise<void> => delay(forMs, undefined, { signal }).catch(() => {});
  for (await sleep(ms); !signal.aborted; await sleep(LOOK_MS)) if (log.status.state === 'away') return true;
  return false;
}
