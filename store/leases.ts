/**
 * Who may try a job that one of several processes does at a time. It makes things efficient, and never safe: a process that stood still acts
 * on a lease that is over. What it then writes to the log is refused there (daemon/core/leases.ts), and what it writes to tables by `token`.
 *
 * It keeps LS1–LS4 (store/README.md).
 */

/** How long a lease lasts after it was taken, by the clock of the storage. */
export const LEASE_MS = 10_000;

export interface Leases {
  /** The name of this process: another at every start. */
  readonly holder: string;

  /**
   * LS1, LS2: takes the lease of this job for `LEASE_MS`, or extends it. False while another process has it. Rejects when the storage does
   * not answer; then the lease may have been taken.
   */
  take(job: string): Promise<boolean>;

  /** LS3: from now on, tables refuse the writes of holders with a smaller token. False when another process has the lease. */
  stamp(job: string, token: number): Promise<boolean>;

  /** LS4: gives the lease back, for others to take at once. Does nothing when another process has it. */
  release(job: string): Promise<void>;
}

/** LS3: a write was refused because another process has the job. */
export class LeaseLost extends Error {
  constructor(job: string) {
    super(`another process does the job "${job}" now`);
    this.name = 'LeaseLost';
  }
}
