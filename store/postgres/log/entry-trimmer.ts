/** Removes entries that are no longer needed (LG7, LG11, LG12). The database decides, as it knows the snapshots and the sizes. */
import type { OnStoreEvent } from '../../events.ts';
import { DEFAULT_RETENTION, type Retention } from '../../journal/retention.ts';
import { rowOf } from '../link/connection.ts';
import type { ServerLinks } from '../link/links.ts';
import type { Confirmed } from './confirmed.ts';

const ROWS_AT_ONCE = 2_000;
const TRIM = 'select * from rosterd.trim($1, $2, $3, $4, $5, $6, $7)';
/** Rows up to the tail, in short transactions: what a crash leaves of them goes the next time. */
const REMOVE = `
  with gone as (select last from rosterd.entry where app = $1 and last <= $2 order by last limit ${ROWS_AT_ONCE}),
    removed as (delete from rosterd.entry e using gone where e.app = $1 and e.last = gone.last returning 1)
  select count(*) as count from removed`;

export interface EntryTrimmerOptions {
  readonly app: string;
  readonly links: ServerLinks;
  readonly confirmed: Confirmed;
  readonly retention: Partial<Retention> | undefined;
  readonly heldBytes: number;
  readonly now: () => number;
  readonly onEvent: OnStoreEvent;
}

export class EntryTrimmer {
  readonly #options: EntryTrimmerOptions;
  readonly #holds = new Map<string, number>();
  #trimming: Promise<void> = Promise.resolve();

  constructor(options: EntryTrimmerOptions) {
    this.#options = options;
  }

  hold(name: string, after: number | undefined): void {
    if (after === undefined) this.#holds.delete(name);
    else this.#holds.set(name, after);
  }

  /** Resolves when all entries that need not be kept are removed. `covered`: nothing after it goes. */
  trim(covered: number): Promise<void> {
    this.#trimming = this.idle().then(() => this.#trim(covered));
    return this.#trimming;
  }

  /** Resolves when no removal is in progress. */
  idle(): Promise<void> {
    return this.#trimming.catch(() => {});
  }

  async #trim(covered: number): Promise<void> {
    const { app, links, confirmed, retention, heldBytes, now, onEvent } = this.#options;
    const { facts, bytes, ageMs } = { ...DEFAULT_RETENTION, ...retention };
    const held = this.#holds.size === 0 ? null : Math.min(...this.#holds.values());
    const link = await links.ready();
    const connection = await link.side('trim');
    try {
      const limits = [finite(facts), finite(bytes), Number.isFinite(ageMs) ? Math.floor((now() - ageMs) * 1_000) : null];
      const row = rowOf(await connection.ask({ text: TRIM, values: [app, covered, ...limits, held, finite(heldBytes)] }));
      const tail = Number(row.tail);
      confirmed.raiseTail(tail);
      for (let count = ROWS_AT_ONCE; count === ROWS_AT_ONCE; ) {
        count = Number(rowOf(await connection.ask({ text: REMOVE, values: [app, tail] })).count);
      }
      if (row.cut === null) return;
      onEvent({ type: 'entries-removed', tail });
      const names = [...this.#holds].flatMap(([name, after]) => (after < tail ? [name] : []));
      if (names.length > 0) onEvent({ type: 'held-entries-removed', tail, names });
    } finally {
      await connection.close();
    }
  }
}

/** What has no limit is never reached. */
function finite(limit: number): number | null {
  return Number.isFinite(limit) ? limit : null;
}
