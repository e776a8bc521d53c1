/**
 * The `Log` on PostgreSQL, which several processes share. It keeps LG1–LG16 (store/log.ts) by the means of PL1–PL11 (store/README.md).
 * Safety rests on the database alone, never on which process does what.
 */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Position } from '../../../protocol/base/position.ts';
import { type Entry, type EntryDraft, lastSeq } from '../../../protocol/log/entry.ts';
import { Pace } from '../../journal/pace.ts';
import {
  type AppendResult,
  type Log,
  LogClosed,
  type LogEpochChanged,
  LogFormatRaised,
  type LogStatus,
  LogTrimmed,
  LogUnavailable,
} from '../../log.ts';
import { Waiter } from '../../wakeups.ts';
import { POSTGRES_DEFAULTS, type PostgresSettings, type PostgresStoreOptions } from '../defaults.ts';
import type { ServerLink } from '../link/link.ts';
import { ServerLinks } from '../link/links.ts';
import { PostgresUnusable, postgresTargets } from '../link/target.ts';
import { prepareSchema } from '../schema.ts';
import { Announcer } from './announcer.ts';
import { Appender } from './appender.ts';
import { Blocks } from './blocks.ts';
import { Confirmed } from './confirmed.ts';
import { EntryTrimmer } from './entry-trimmer.ts';
import { openHead, requireSync, verifyHead } from './head.ts';
import { Pulse } from './pulse.ts';
import { ServerClock } from './server-clock.ts';
import { type SaidState, statusAfter } from './status.ts';
import { WriterTurns } from './turns.ts';

/** How long an announcement of the winner is waited for after a conflict, before a commit of one's own finds out the same. */
const AHEAD_MS = 20;
/** How long close waits for readers that are reading from the database. */
const READERS_MS = 1_000;
/** A reader that got this many entries without waiting is catching up, and observes the pace. */
const PACED_ENTRIES = 8;
const NO_ANSWER = 'the database did not answer in time';

export class PostgresLog implements Log {
  readonly links: ServerLinks;
  readonly clock = new ServerClock();
  readonly #settings: PostgresSettings;
  readonly #confirmed: Confirmed;
  readonly #pulse: Pulse;
  readonly #blocks: Blocks;
  readonly #turns: WriterTurns;
  readonly #appender: Appender;
  readonly #trimmer: EntryTrimmer;
  readonly #pace = new Pace();
  #status: LogStatus = { state: 'ready' };
  #failure: LogEpochChanged | undefined;
  #ahead: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  /** Connects, makes what is missing and checks what is there. Rejects with PostgresUnusable, whose message says what to do. */
  static async open(options: PostgresStoreOptions): Promise<PostgresLog> {
    const settings: PostgresSettings = { ...POSTGRES_DEFAULTS, ...options };
    const targets = postgresTargets(settings.url);
    let confirmed: Confirmed | undefined;
    let log: PostgresLog | undefined;
    const announcer = new Announcer(settings.app, () => confirmed);
    const links = new ServerLinks({
      targets,
      turnMs: settings.turnMs,
      prepare: async (link) => {
        confirmed = await prepared(link, settings, confirmed);
        await announcer.listen(link);
      },
      onAwaited: (reason) => settings.onEvent?.({ type: 'storage-awaited', reason }),
      // Only a commit proves that the storage is back.
      onUp: () => void (log === undefined ? undefined : log.#pulse.beat().catch(() => {})),
      onDown: (reason) => log?.changed('away', reason),
      onFatal: (error) => log?.fail(error),
    });
    await links.start(settings.openMs);
    if (confirmed === undefined) throw new Error('the first connection finds the head');
    log = new PostgresLog(settings, links, confirmed, announcer);
    const proved = log.#inTime(log.#pulse.beat(), settings.openMs, 'commits are not acknowledged; is the synchronous standby there?');
    await proved.catch(async (error: Error) => {
      await log?.close();
      throw new PostgresUnusable(targets.map(({ name }) => name).join(', '), error.message, { cause: error });
    });
    log.#pulse.start();
    return log;
  }

  private constructor(settings: PostgresSettings, links: ServerLinks, confirmed: Confirmed, announcer: Announcer) {
    this.#settings = settings;
    this.links = links;
    this.#confirmed = confirmed;
    const { app, deadlineMs, turnMs, retention, onEvent = () => {}, now = () => this.clock.nowMs() } = settings;
    const onFatal = (error: LogEpochChanged): void => this.fail(error);
    const reason = (): string => this.#reason();
    const onState = (...said: [SaidState['state'], string?, number?]): void => this.changed(...said);
    this.#pulse = new Pulse({ ...settings, links, confirmed, clock: this.clock, onFatal, onState });
    this.#blocks = new Blocks({ ...settings, links, confirmed });
    this.#turns = new WriterTurns({
      ...{ app, links, confirmed, deadlineMs, reason },
      // Within the time that the server gives an idle turn.
      reach: (seq) => this.#inTime(this.#reach(seq), turnMs * 0.8, 'the entries of another writer are not confirmed'),
      idle: () => this.#appender.idle(),
      settled: () => this.#appender.settled(),
    });
    this.#appender = new Appender({
      ...{ app, links, confirmed, deadlineMs, reason, onFatal },
      turns: this.#turns,
      groupBytes: settings.groupBytes,
      onStored: settings.onStored,
      pendingBytes: settings.pendingBytes,
      onAppended: (link) => announcer.say(link, confirmed.end),
      onAhead: () => this.#lookAhead(),
    });
    this.#trimmer = new EntryTrimmer({ app, links, confirmed, retention, heldBytes: settings.heldBytes, now, onEvent });
  }

  get head(): Position {
    const { epoch, seq } = this.#confirmed.end;
    return { epoch, seq };
  }

  /** Of the entries that are written (PL11), as the last pulse found it. */
  get format(): number {
    return this.#confirmed.format;
  }

  get tail(): number {
    return this.#confirmed.tail;
  }

  get status(): LogStatus {
    return this.#status;
  }

  append(after: number, draft: EntryDraft): Promise<AppendResult> {
    const refusal = this.#refusal();
    return refusal === undefined ? this.#appender.append(after, draft) : Promise.reject(refusal);
  }

  async end(): Promise<number> {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    return await this.#inTime(this.#pulse.beat());
  }

  async turn<T>(work: (head: number) => Promise<T>): Promise<T> {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    return await this.#turns.take(work);
  }

  async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
    const confirmed = this.#confirmed;
    const waiter = new Waiter(confirmed.wakeups, signal);
    let onAbort = (): void => {};
    const aborted = new Promise<undefined>((resolve) => {
      onAbort = () => resolve(undefined);
      signal.addEventListener('abort', onAbort);
    });
    try {
      if (after < this.tail) throw new LogTrimmed(after, this.tail);
      let at = after;
      let inARow = 0;
      while (!signal.aborted) {
        if (this.#failure !== undefined) throw this.#failure;
        if (at >= confirmed.end.seq) {
          if (this.#status.state === 'closed') return;
          await waiter.wait();
          inARow = 0;
          continue;
        }
        const recent = confirmed.recent(at);
        if (recent === undefined && at < this.tail) throw new LogTrimmed(at, this.tail);
        const entries = recent === undefined ? await Promise.race([this.#blocks.after(at), aborted]) : [recent];
        for (const entry of entries ?? []) {
          if (lastSeq(entry) <= at) continue;
          if (signal.aborted) return;
          at = lastSeq(entry);
          yield entry;
          if (++inARow % PACED_ENTRIES === 0) await this.#pace.keep();
        }
      }
    } finally {
      waiter.end();
      signal.removeEventListener('abort', onAbort);
    }
  }

  async snapshotSaved(seq: number): Promise<void> {
    const { seq: head } = this.#confirmed.end;
    if (seq > head) throw new RangeError(`a snapshot at ${seq} is ahead of the log, which ends with ${head}`);
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    await this.#trimmer.trim(seq);
  }

  keepAfter(name: string, after: number | undefined): void {
    this.#trimmer.hold(name, after);
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  #refusal(): Error | undefined {
    return this.#closing === undefined ? this.#failure : new LogClosed();
  }

  async #finish(): Promise<void> {
    this.#appender.end(new LogClosed());
    await this.#appender.idle();
    await Promise.race([this.#trimmer.idle(), delay(READERS_MS)]);
    this.#pulse.stop();
    this.#status = { state: 'closed' };
    this.#confirmed.wakeups.wakeAll();
    // Readers that are behind get what they are about to read; who does not take it does not keep the process.
    const giveUpAt = performance.now() + READERS_MS;
    await nextTurn();
    while (this.#blocks.loading > 0 && performance.now() < giveUpAt) await delay(10);
    await this.links.close();
  }

  /** LG16: this process must not go on from here, neither writing nor reading. */
  fail(error: LogEpochChanged): void {
    if (this.#failure !== undefined || this.#closing !== undefined) return;
    this.#failure = error;
    this.#status = { state: 'failed', reason: error.message };
    this.#settings.onEvent?.({ type: error instanceof LogFormatRaised ? 'format-raised' : 'history-replaced', error });
    this.#pulse.stop();
    this.#appender.end(error);
    this.#confirmed.wakeups.wakeAll();
    void this.links.close(error);
  }

  /** What the connections say: `ready` after a clean commit, or only for reading. */
  changed(state: SaidState['state'], reason = '', since = Date.now()): void {
    const [status, events] = statusAfter(this.#status, { state, reason, since }, Date.now());
    this.#status = status;
    for (const event of events) this.#settings.onEvent?.(event);
  }

  /** After a conflict: soon, somebody must confirm what the other writer stored. */
  #lookAhead(): void {
    const { seq } = this.#confirmed.end;
    this.#ahead ??= setTimeout(() => {
      this.#ahead = undefined;
      if (this.#confirmed.end.seq === seq) void this.#pulse.beat().catch(() => {});
    }, AHEAD_MS);
  }

  async #reach(seq: number): Promise<void> {
    while (this.#confirmed.end.seq < seq) await this.#pulse.beat();
  }

  async #inTime<T>(work: Promise<T>, ms: number = this.#settings.deadlineMs, text?: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new LogUnavailable('not-written', text ?? this.#reason())), ms);
    });
    return await Promise.race([work, late]).finally(() => clearTimeout(timer));
  }

  #reason(): string {
    return this.#status.state === 'away' ? this.#status.reason : NO_ANSWER;
  }
}

/** The first link makes what is missing; each later one must have the history that was confirmed. */
async function prepared(link: ServerLink, settings: PostgresSettings, confirmed: Confirmed | undefined): Promise<Confirmed> {
  const { app, secret, requiresSync, begin, recentBytes, formats, onEvent = () => {} } = settings;
  if (confirmed === undefined) {
    await prepareSchema(link.writer, link.target.name);
    await openHead(link.writer, link.target.name, { app, secret, requiresSync, begin, onEvent, formats });
  }
  // What was confirmed is captured before the question, since this end may move while it is asked.
  const known = confirmed?.end;
  const head = await verifyHead(link.writer, app, known);
  const [tail, fence] = [Number(head.tail), Number(head.fence)];
  if (confirmed === undefined) {
    await requireSync(link.writer, settings);
    if (head.is_new === true) onEvent({ type: 'epoch-started', epoch: String(head.epoch), after: Number(head.seq) });
    // What follows the tail is read once a commit of this process has confirmed it.
    const end = { epoch: String(head.epoch), seq: tail, id: typeof head.tail_id === 'string' ? head.tail_id : undefined };
    return new Confirmed(end, tail, { fence, format: Number(head.format) }, recentBytes, formats);
  }
  confirmed.forgetAhead();
  confirmed.fence = fence;
  confirmed.raiseTail(tail);
  return confirmed;
}
