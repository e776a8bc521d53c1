/** Leases of several processes, without a storage: its clock is the test's, and it can be away. */
import { LEASE_MS, type Leases } from '../../../store/leases.ts';

interface Row {
  holder: string;
  token: number;
  untilMs: number;
}

export class LeaseTable {
  readonly rows = new Map<string, Row>();
  readonly #nowMs: () => number;
  readonly #leaseMs: number;
  /** No answer comes, until this is over. */
  away: Promise<void> | undefined;

  constructor(nowMs: () => number = () => performance.now(), leaseMs = LEASE_MS) {
    this.#nowMs = nowMs;
    this.#leaseMs = leaseMs;
  }

  /** As one process sees it. */
  of(holder: string): Leases {
    const rowOf = async (job: string): Promise<Row | undefined> => {
      await this.away;
      return this.rows.get(job);
    };
    return {
      holder,
      take: async (job) => {
        const row = await rowOf(job);
        if (row !== undefined && row.holder !== holder && row.untilMs >= this.#nowMs()) return false;
        this.rows.set(job, { holder, token: row?.token ?? 0, untilMs: this.#nowMs() + this.#leaseMs });
        return true;
      },
      stamp: async (job, token) => {
        const row = await rowOf(job);
        if (row === undefined || row.holder !== holder || row.token > token) return false;
        row.token = token;
        return true;
      },
      release: async (job) => {
        const row = await rowOf(job);
        if (row?.holder === holder) row.untilMs = Number.NEGATIVE_INFINITY;
      },
    };
  }
}
