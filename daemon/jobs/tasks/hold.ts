/**
 * Holds a job: where several nodes share a log, one of them does it at a time, and another one takes over when that one is gone or stands
 * still. Where no other process can be, the job is simply done.
 *
 * It keeps JB9–JB11 (daemon/RULES.md).
 */

import { type Command, isPlainCommand } from '../../../protocol/log/command.ts';
import { LEASE_MS, type Leases } from '../../../store/leases.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';

/** What the holder of a job works with. */
export interface HeldJob {
  /** Aborts when the work must end: the daemon stops, or the job may be another node's soon. */
  readonly signal: AbortSignal;
  /** Submits commands of the job. They are refused, as `unavailable`, once another node has taken it over. */
  readonly submit: Roster['submit'];
  /** For writes to tables (LS3); undefined where no other process can be. */
  readonly token: number | undefined;
}

export interface HoldOptions {
  /** Its name is stored. */
  readonly job: string;
  /** Undefined where no other process can be. */
  readonly leases: Leases | undefined;
  readonly submit: Roster['submit'];
  readonly clock: Clock;
  readonly logger: RosterLogger;
  /** For how long a lease lasts. Default: `LEASE_MS`. */
  readonly leaseMs?: number;
}

/** In parts of a lease: how often it is looked for, and extended, and how long before its end it is given up. */
const LOOK_PART = 0.1;
const EXTEND_PART = 0.2;
const MARGIN_PART = 0.2;

/**
 * Runs `work` while this node holds the job, each time that it does, until `stopping` aborts. `work` ends soon after its signal aborts; before
 * that, the job is not given back.
 */
export async function whileHeld(options: HoldOptions, stopping: AbortSignal, work: (held: HeldJob) => Promise<void>): Promise<void> {
  const { job, leases, submit, clock, logger, leaseMs = LEASE_MS } = options;
  if (leases === undefined) return await work({ signal: stopping, submit, token: undefined });
  while (!stopping.aborted) {
    const lease = await taken({ ...options, leases, leaseMs }, stopping);
    if (lease !== undefined) {
      try {
        const token = await granted(options, leases);
        const held = (command: Command): Command => (isPlainCommand(command) ? { kind: 'held', job, token, command } : command);
        logger.info({ job, token }, 'this node does a job from now on');
        await work({ signal: lease.signal, token, submit: (command, ...how) => submit(held(command), ...how) });
      } catch (error) {
        if (!stopping.aborted) logger.error({ err: error, job }, 'a job could not be done; it is tried again');
      }
      await lease.end();
    }
    await clock.sleep(leaseMs * LOOK_PART, stopping);
  }
}

/** JB10: what the holder before this one has not stored yet is refused from here on. */
async function granted({ job, submit }: HoldOptions, leases: Leases): Promise<number> {
  const { docs = [] } = await submit({ kind: 'lease', job, holder: leases.holder }, 'live');
  const [change] = docs;
  if (change?.kind !== 'lease' || change.doc === null) throw new Error('a lease was not granted');
  if (!(await leases.stamp(job, change.doc.token))) throw new Error('another node has taken the job over already');
  return change.doc.token;
}

interface RunningLease {
  /** Aborts at the end of the lease, or before. */
  readonly signal: AbortSignal;
  /** Gives it back. */
  end(): Promise<void>;
}

/** The lease, which extends itself; undefined while another node has it. */
async function taken(
  options: HoldOptions & { readonly leases: Leases; readonly leaseMs: number },
  stopping: AbortSignal,
): Promise<RunningLease | undefined> {
  const { job, leases, clock, logger, leaseMs } = options;
  const safeMs = leaseMs * (1 - MARGIN_PART);
  const ending = new AbortController();
  const { signal } = ending;
  // Counted from before the question: the storage cannot have counted from earlier.
  const take = async (): Promise<number | undefined> => {
    const askedMs = performance.now();
    return (await leases.take(job)) ? askedMs + safeMs : undefined;
  };
  // The log says when the storage is away.
  const first = await take().catch(() => undefined);
  if (first === undefined) return undefined;
  const stop = (): void => ending.abort();
  stopping.addEventListener('abort', stop);
  if (stopping.aborted) stop();
  let timer = setTimeout(stop, first - performance.now());
  const extending = (async () => {
    for (await clock.sleep(leaseMs * EXTEND_PART, signal); !signal.aborted; await clock.sleep(leaseMs * EXTEND_PART, signal)) {
      const until = await take().catch(() => 0);
      if (until === undefined) stop();
      if (until === undefined || until === 0 || signal.aborted) continue;
      clearTimeout(timer);
      timer = setTimeout(stop, until - performance.now());
    }
  })();
  return {
    signal,
    end: async () => {
      if (!stopping.aborted && signal.aborted) logger.info({ job }, 'another node may do a job from now on');
      stop();
      clearTimeout(timer);
      stopping.removeEventListener('abort', stop);
      // A question that hangs keeps nobody: the lease ends by itself.
      const patience = new AbortController();
      const released = extending.then(() => leases.release(job)).catch(() => {});
      await Promise.race([released, clock.sleep(leaseMs * MARGIN_PART, patience.signal)]);
      patience.abort();
    },
  };
}
