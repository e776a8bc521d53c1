/**
 * Reads entries in blocks, only up to the confirmed end, and keeps the newest blocks, so that a thousand readers that resume from the same
 * place cause one query. While the server is away, reading waits.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import { StoreVersionMismatch } from '../../journal/record.ts';
import { LogClosed, LogDamaged, LogEpochChanged, LogTrimmed } from '../../log.ts';
import { type PgConnection, rowOf } from '../link/connection.ts';
import type { ServerLinks } from '../link/links.ts';
import type { Confirmed } from './confirmed.ts';
import { entryOfRow, type ReadEntry } from './wire.ts';

const RETRY_MS = 200;

/** Up to `$4` bytes, and at least one entry. Only the sizes are looked at beyond that. */
const BLOCK = {
  name: 'rosterd-block',
  text: `select e.last, e.first, e.version, e.crc, convert_from(e.payload, 'UTF8') as payload from (
           select n.*, n.total - first_value(n.total) over (order by n.last) as beyond from rosterd.entry n
           where n.app = $1 and n.last > $2 and n.last <= $3 order by n.last limit 500
         ) e where e.beyond <= $4 order by e.last`,
} as const;

export interface BlocksOptions {
  readonly app: string;
  readonly links: ServerLinks;
  readonly confirmed: Confirmed;
  readonly blockBytes: number;
  readonly cacheBytes: number;
}

interface KeptBlock {
  readonly entries: readonly Entry[];
  readonly bytes: number;
}

export class Blocks {
  readonly #options: BlocksOptions;
  readonly #loading = new Map<number, Promise<readonly Entry[]>>();
  readonly #kept = new Map<number, KeptBlock>();
  #keptBytes = 0;

  constructor(options: BlocksOptions) {
    this.#options = options;
  }

  /** Number of queries that readers wait for. */
  get loading(): number {
    return this.#loading.size;
  }

  /** Confirmed entries from the one that reaches beyond `after`; `after` is before the confirmed end. Rejects with LogTrimmed, or when all is over. */
  after(after: number): Promise<readonly Entry[]> {
    const kept = this.#kept.get(after);
    if (kept !== undefined) {
      this.#kept.delete(after);
      this.#kept.set(after, kept);
      return Promise.resolve(kept.entries);
    }
    let loading = this.#loading.get(after);
    if (loading === undefined) {
      loading = this.#load(after).finally(() => this.#loading.delete(after));
      this.#loading.set(after, loading);
    }
    return loading;
  }

  async #load(after: number): Promise<readonly Entry[]> {
    const { links, confirmed } = this.#options;
    for (;;) {
      const { reader } = await links.ready();
      try {
        const read = await this.#query(reader, after);
        confirmed.keep(read);
        const entries = read.map(({ entry }) => entry);
        this.#keep(after, {
          entries,
          bytes: read.reduce((sum, { bytes }) => sum + bytes, 0),
        });
        return entries;
      } catch (error) {
        if ([LogTrimmed, LogDamaged, StoreVersionMismatch, LogClosed, LogEpochChanged].some((known) => error instanceof known)) throw error;
        // Whether the connection or the server failed, the entries are still there.
        await delay(RETRY_MS);
      }
    }
  }

  async #query(reader: PgConnection, after: number): Promise<readonly ReadEntry[]> {
    const { app, confirmed, blockBytes } = this.#options;
    const { rows } = await reader.ask({ ...BLOCK, values: [app, after, confirmed.end.seq, blockBytes] });
    const entries = rows.map((row) => entryOfRow(app, row, confirmed.formats));
    const first = entries[0]?.entry.first;
    if (first !== undefined && first <= after + 1) return entries;
    const head = await reader.ask({ text: 'select tail from rosterd.head where app = $1', values: [app] });
    const tail = Number(rowOf(head).tail);
    confirmed.raiseTail(tail);
    if (after < tail) throw new LogTrimmed(after, tail);
    throw new LogDamaged(`the table rosterd.entry of ${app}`, after + 1, 'the entry is missing');
  }

  #keep(after: number, block: KeptBlock): void {
    // What is read at the end is already in memory, and a block that more entries may join would be read again for each.
    const newest = block.entries.at(-1);
    if (newest === undefined || lastSeq(newest) >= this.#options.confirmed.end.seq) return;
    this.#kept.set(after, block);
    this.#keptBytes += block.bytes;
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#keptBytes <= this.#options.cacheBytes) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= bytes;
    }
  }
}
