/**
 * Commits that prove something (PL4). Before it commits, each looks where the log ends; a clean acknowledgement then says that everything up
 * to there is as durable as the commit itself, and that this server is still the one whose commits count.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LogClosed, LogEpochChanged, LogFormatRaised } from '../../log.ts';
import type { ServerLink } from '../link/link.ts';
import type { ServerLinks } from '../link/links.ts';
import type { Confirmed } from './confirmed.ts';
import { formatProblem } from './formats.ts';
import type { ServerClock } from './server-clock.ts';
import type { SaidState } from './status.ts';

/** The message is what makes it a commit that is written, flushed and replicated; nobody reads it, and it leaves nothing to clean up. */
const BEAT = {
  name: 'rosterd-beat',
  text: `select h.epoch, h.seq, h.fence, h.tail, h.format, pg_logical_emit_message(true, 'rosterd', '')::text as written,
           extract(epoch from clock_timestamp()) * 1000 as time_ms,
           h.is_synced and current_setting('synchronous_standby_names') = '' as is_unsafe,
           case when h.tail = h.seq then h.tail_id else (select e.id from rosterd.entry e where e.app = $1 and e.last = h.seq) end as id
         from rosterd.head h where h.app = $1`,
} as const;
/** A commit that takes longer says that the storage is away, until it is acknowledged. */
const OVERDUE_MS = 2_000;
const NO_STANDBY =
  'no synchronous standby is named: set synchronous_standby_names, or turn log.require_sync off on all nodes and accept that a failover loses acknowledged changes';
/** After an answer that came with a warning. */
const AGAIN_MS = 100;

export interface PulseOptions {
  readonly app: string;
  readonly links: ServerLinks;
  readonly confirmed: Confirmed;
  readonly clock: ServerClock;
  readonly pulseMs: number;
  readonly deadAfterMs: number;
  readonly onFatal: (error: LogEpochChanged) => void;
  /**
   * `away`: a commit has not been acknowledged, though it was sent at `since` (wall clock, milliseconds). Otherwise one was, and `read-only` says
   * that the server refuses appends nevertheless (PL2).
   */
  readonly onState: (state: SaidState['state'], reason?: string, since?: number) => void;
}

export class Pulse {
  readonly #options: PulseOptions;
  #running: Promise<number> | undefined;
  #next: Promise<number> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: PulseOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.beat().catch(() => {}), this.#options.pulseMs);
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /**
   * Where the log ended at some moment since this call, when that is confirmed; however long it takes. Calls share a commit that has not
   * begun. Rejects when the log is closed or its history was replaced.
   */
  beat(): Promise<number> {
    this.#next ??= this.#afterRunning();
    return this.#next;
  }

  async #afterRunning(): Promise<number> {
    await this.#running?.catch(() => {});
    let link = await this.#options.links.ready();
    // From here on, another call would learn of a moment before it.
    this.#running = this.#next;
    this.#next = undefined;
    for (;;) {
      const seq = await this.#commit(link);
      if (seq !== undefined) return seq;
      if (this.#isStopped) throw new LogClosed();
      await delay(AGAIN_MS);
      link = await this.#options.links.ready();
    }
  }

  /** Undefined when nothing is proved. */
  async #commit(link: ServerLink): Promise<number | undefined> {
    const { app, confirmed, clock, onFatal, onState } = this.#options;
    const known = confirmed.end;
    const answered = this.#watch(link);
    const told = clock.asked();
    try {
      const { rows, isClean } = await link.pulse.ask({ ...BEAT, values: [app] });
      if (!isClean || link.isOver) return undefined;
      const [row] = rows;
      if (row === undefined) return void onFatal(new LogEpochChanged('', `the database no longer holds the log of ${app}`));
      if (row.epoch !== known.epoch) return void onFatal(new LogEpochChanged(String(row.epoch), 'another node has noticed it'));
      const problem = formatProblem(Number(row.format), confirmed.formats);
      if (problem !== undefined) return void onFatal(new LogFormatRaised(known.epoch, `of ${app} ${problem}`));
      confirmed.format = Number(row.format);
      told(Number(row.time_ms));
      const seq = Number(row.seq);
      // Connecting again finds out what happened to the history.
      if (seq < known.seq) return void link.giveUp(new Error(`the log ends at ${seq}, and ${known.seq} was confirmed`));
      if (row.is_unsafe === true) onState('read-only', NO_STANDBY);
      else onState('ready');
      confirmed.fence = Number(row.fence);
      confirmed.raise(seq, typeof row.id === 'string' ? row.id : undefined);
      confirmed.raiseTail(Number(row.tail));
      return seq;
    } catch {
      return undefined;
    } finally {
      answered();
    }
  }

  /**
   * A commit that takes long either waits for the standby, which is for the operator, or for a server that is gone. Returns the end of the
   * watch.
   */
  #watch(link: ServerLink): () => void {
    const { deadAfterMs, onState } = this.#options;
    const since = Date.now();
    const overdue = setTimeout(() => onState('away', `the database has not answered for ${OVERDUE_MS} ms`, since), OVERDUE_MS);
    const looking = setInterval(() => {
      const dead = setTimeout(() => link.giveUp(new Error(`the server has not answered for ${deadAfterMs} ms`)), deadAfterMs);
      link.reader
        .ask({ text: 'select 1' })
        .then(
          () => onState('away', 'commits wait for the synchronous standby', since),
          () => {},
        )
        .finally(() => clearTimeout(dead));
    }, deadAfterMs);
    return () => {
      clearTimeout(overdue);
      clearInterval(looking);
    };
  }
}
