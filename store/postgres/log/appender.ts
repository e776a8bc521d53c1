/**
 * Appends (PL2, PL3). One call is in flight; what is appended meanwhile is gathered for the next one. A call whose answer is lost is followed
 * up until its outcome is known: the fence is raised, so that it can no longer succeed late, and then its entry is there or never will be.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '../../../protocol/base/errors.ts';
import { type Entry, type EntryDraft, lastSeq } from '../../../protocol/log/entry.ts';
import type { OnStored } from '../../journal/options.ts';
import { encodePayload } from '../../journal/record.ts';
import { type AppendResult, LogClosed, LogEpochChanged, LogUnavailable } from '../../log.ts';
import { type PgAnswer, rowOf, sqlState } from '../link/connection.ts';
import type { ServerLink } from '../link/link.ts';
import type { ServerLinks } from '../link/links.ts';
import { type AppendGroup, type PendingAppend, pendingBytes, takeGroup } from './append-group.ts';
import type { Confirmed } from './confirmed.ts';
import type { WriterTurns } from './turns.ts';
import { entriesOfRows } from './wire.ts';

const APPEND = {
  name: 'rosterd-append',
  text: 'select * from rosterd.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)',
} as const;
const RAISE_FENCE = { name: 'rosterd-fence', text: 'select * from rosterd.raise_fence($1, $2, $3)' } as const;
const AGAIN_MS = 50;

export interface AppenderOptions {
  readonly app: string;
  readonly links: ServerLinks;
  readonly confirmed: Confirmed;
  readonly turns: WriterTurns;
  readonly groupBytes: number;
  readonly pendingBytes: number;
  readonly deadlineMs: number;
  /** After a clean acknowledgement. */
  readonly onAppended: (link: ServerLink) => void;
  /** The log goes on after what is confirmed. */
  readonly onAhead: () => void;
  readonly onFatal: (error: LogEpochChanged) => void;
  readonly onStored?: OnStored | undefined;
  /** Why the last attempt failed, for the answer at the deadline. */
  readonly reason: () => string;
}

type Outcome =
  | { readonly status: 'appended' }
  | { readonly status: 'conflict'; readonly head: number }
  /** Nothing was stored, and nothing will be. */
  | { readonly status: 'failed'; readonly error: Error };

export class Appender {
  readonly #options: AppenderOptions;
  #queue: PendingAppend[] = [];
  #inFlight: AppendGroup | undefined;
  #queuedBytes = 0;
  #pumping: Promise<void> | undefined;
  #end: Error | undefined;

  constructor(options: AppenderOptions) {
    this.#options = options;
  }

  /** The seq of the head after the last accepted append. */
  get promised(): number {
    const flying = this.#inFlight?.isAbandoned === false ? this.#inFlight.newest : undefined;
    const newest = this.#queue.at(-1)?.entry ?? flying;
    return Math.max(this.#options.confirmed.end.seq, newest === undefined ? 0 : lastSeq(newest));
  }

  append(after: number, draft: EntryDraft): Promise<AppendResult> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const { promised } = this;
    if (after !== promised) return Promise.resolve({ status: 'conflict', head: promised });
    if (draft.facts.length === 0) return Promise.reject(new TypeError('an entry has at least one fact'));
    let payload: string;
    try {
      payload = encodePayload(draft);
    } catch (error) {
      return Promise.reject(error);
    }
    const bytes = pendingBytes(payload);
    if (this.#queuedBytes + bytes > this.#options.pendingBytes)
      return Promise.reject(new LogUnavailable('not-written', 'too many appends are waiting for the database'));
    const entry: Entry = { id: draft.id, time: draft.time, facts: draft.facts, first: after + 1 };
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => this.#late(record), this.#options.deadlineMs);
      const record: PendingAppend = { entry, payload, bytes, resolve, reject, deadline };
      this.#queue.push(record);
      this.#queuedBytes += bytes;
      this.#pumping ??= this.#pump();
    });
  }

  /** Resolves when every append is answered. */
  async idle(): Promise<void> {
    while (this.#queue.length > 0 || this.#inFlight?.isAbandoned === false) await Promise.race([this.#pumping, delay(AGAIN_MS)]);
  }

  /** Resolves when nothing is on its way any more, what was answered at its deadline included. */
  async settled(): Promise<void> {
    while (this.#pumping !== undefined) await this.#pumping;
  }

  /** Later appends, and those that wait, are rejected. */
  end(error: Error): void {
    this.#end ??= error;
    if (error instanceof LogClosed) return;
    const flying = this.#inFlight;
    if (flying !== undefined) this.#abandon(flying, error);
    this.#refuseWaiting(error);
  }

  async #pump(): Promise<void> {
    // Callers that were answered together append again together.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    for (;;) {
      await this.#options.turns.gate;
      const group = takeGroup(this.#queue, this.#options.groupBytes);
      if (group === undefined) break;
      this.#inFlight = group;
      const startedMs = performance.now();
      const outcome = await this.#store(group).catch((error: Error): Outcome => {
        if (error instanceof LogEpochChanged) this.#options.onFatal(error);
        return { status: 'failed', error };
      });
      this.#inFlight = undefined;
      if (outcome.status === 'appended') this.#options.onStored?.(performance.now() - startedMs);
      this.#settle(group, outcome);
      if (this.#queue.length === 0) await new Promise<void>((resolve) => process.nextTick(resolve));
    }
    this.#pumping = undefined;
  }

  /** Goes on until the outcome is certain, however long that takes. */
  async #store(group: AppendGroup): Promise<Outcome> {
    for (;;) {
      const link = await this.#options.links.ready();
      const outcome = group.state === 'unknown' ? await this.#findOut(link, group) : await this.#send(link, group);
      if (outcome !== undefined) return outcome;
      await delay(group.state === 'unknown' ? AGAIN_MS : 0);
    }
  }

  /** Undefined: another attempt, or a look at what has become of this one. */
  async #send(link: ServerLink, group: AppendGroup): Promise<Outcome | undefined> {
    const { app, confirmed, turns } = this.#options;
    if (group.isAbandoned) return { status: 'failed', error: this.#unavailable() };
    group.state = 'sent';
    let answer: PgAnswer;
    try {
      const values = [app, confirmed.end.epoch, group.after, confirmed.fence, ...group.arguments(confirmed.format)];
      answer = await turns.within(link, { ...APPEND, values });
    } catch (error) {
      return this.#failed(link, group, error);
    }
    const row = rowOf(answer);
    if (row.status === 'appended') {
      // A warning means that the commit was not waited for: it may still be lost.
      group.state = answer.isClean ? 'sent' : 'unknown';
      return answer.isClean ? this.#appended(link, group) : undefined;
    }
    group.state = 'waiting';
    if (row.epoch !== confirmed.end.epoch) throw new LogEpochChanged(String(row.epoch), 'another node has noticed it');
    confirmed.offer(entriesOfRows(app, answer.rows, confirmed.formats));
    return this.#conflict(link, group, Number(row.seq), Number(row.fence));
  }

  /** A refusal of the server is certain only when it came as an answer and the connection is still there. */
  #failed(link: ServerLink, group: AppendGroup, error: unknown): Outcome | undefined {
    const state = sqlState(error);
    if (state === undefined || state.startsWith('57') || link.writer.isLost) {
      group.state = 'unknown';
      if (state === undefined) link.giveUp(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
    group.state = 'waiting';
    const text = errorText(error);
    return { status: 'failed', error: new LogUnavailable('not-written', `the database refused the entry: ${text}`, { cause: error }) };
  }

  async #findOut(link: ServerLink, group: AppendGroup): Promise<Outcome | undefined> {
    const { app, confirmed } = this.#options;
    let answer: PgAnswer;
    try {
      answer = await link.writer.ask({ ...RAISE_FENCE, values: [app, lastSeq(group.newest), group.newest.id] });
    } catch (error) {
      if (sqlState(error) === undefined) link.giveUp(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
    if (!answer.isClean) return undefined;
    const row = rowOf(answer);
    if (row.epoch !== confirmed.end.epoch) throw new LogEpochChanged(String(row.epoch), 'another node has noticed it');
    confirmed.fence = Number(row.fence);
    if (row.is_stored === true) return this.#appended(link, group);
    if (Number(row.tail) >= lastSeq(group.newest)) {
      const text = 'its entry, if it was stored, has been removed by retention';
      return { status: 'failed', error: new LogUnavailable('unknown', text) };
    }
    group.state = 'waiting';
    return this.#conflict(link, group, Number(row.seq), confirmed.fence);
  }

  /** Nothing was stored. When nobody else wrote, only the fence was another one, and the append can be made again. */
  #conflict(link: ServerLink, group: AppendGroup, seq: number, fence: number): Outcome | undefined {
    this.#options.confirmed.fence = fence;
    if (seq === group.after) return undefined;
    if (seq < group.after) {
      link.giveUp(new Error(`the log ends at ${seq}, and ${group.after} was confirmed`));
      return undefined;
    }
    this.#options.onAhead();
    return { status: 'conflict', head: seq };
  }

  #appended(link: ServerLink, group: AppendGroup): Outcome {
    this.#options.confirmed.own(group.records);
    this.#options.onAppended(link);
    return { status: 'appended' };
  }

  #settle(group: AppendGroup, outcome: Outcome): void {
    for (const [index, record] of group.records.entries()) {
      this.#release(record);
      if (group.isAbandoned) continue;
      if (outcome.status === 'appended') record.resolve({ status: 'appended', entry: record.entry });
      else if (outcome.status === 'failed') record.reject(outcome.error);
      else if (index === 0) record.resolve({ status: 'conflict', head: outcome.head });
      else record.reject(behind());
    }
    // Appends behind a refused one named a head that will never exist.
    if (outcome.status !== 'appended' && !group.isAbandoned) this.#refuseWaiting(behind());
  }

  /** The deadline of one append: it, and all behind it, are answered with what is certain by now. */
  #late(record: PendingAppend): void {
    const flying = this.#inFlight;
    const isFlying = flying?.isAbandoned === false && flying.records.includes(record);
    if (!isFlying && !this.#queue.includes(record)) return;
    if (isFlying) this.#abandon(flying, this.#unavailable(flying));
    this.#refuseWaiting(this.#unavailable());
  }

  #abandon(group: AppendGroup, error: Error): void {
    if (group.isAbandoned) return;
    group.isAbandoned = true;
    for (const record of group.records) record.reject(error);
  }

  #refuseWaiting(error: Error): void {
    for (const record of this.#queue.splice(0)) {
      this.#release(record);
      record.reject(error);
    }
  }

  #release({ bytes, deadline }: PendingAppend): void {
    this.#queuedBytes -= bytes;
    clearTimeout(deadline);
  }

  #unavailable(group?: AppendGroup): LogUnavailable {
    const outcome = group === undefined || group.state === 'waiting' ? 'not-written' : 'unknown';
    return new LogUnavailable(outcome, this.#options.reason());
  }
}

function behind(): LogUnavailable {
  return new LogUnavailable('not-written', 'the append before this one failed');
}
