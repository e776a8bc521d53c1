/**
 * Webhooks where several nodes share a log: the node that holds the job delivers, and every node answers about them from what is stored.
 *
 * It keeps WH24–WH26 (daemon/RULES.md).
 */
import { setMaxListeners } from 'node:events';
import { errorText, OutcomeUnknown } from '../../../../protocol/base/errors.ts';
import type { DeadLetter, HookStatus, LetterPage, ReplayRequest } from '../../../../protocol/hooks/dead-letters.ts';
import { type Hook, hooksOf, isCollecting } from '../../../../protocol/hooks/hooks.ts';
import { LeaseLost, type Leases } from '../../../../store/leases.ts';
import type { LetterCounts, LetterTable, LetterTerm } from '../../../../store/letters.ts';
import { aborted } from '../../../base/aborted.ts';
import type { Roster } from '../../../pipeline/roster.ts';
import { type HeldJob, whileHeld } from '../../tasks/hold.ts';
import { REPLAY_MAX, Webhooks, type WebhooksOptions } from '../all.ts';
import { LETTER_LIMITS } from '../letters.ts';
import {
  type HookMeasure,
  hookDisabled,
  type LineState,
  letterGone,
  noSuchLetter,
  noSuchWebhook,
  type OpenLetter,
  statusOf,
  toDeadLetter,
} from '../view.ts';
import { SharedLetters } from './letter-rows.ts';
import { encodeReport, parseReport } from './report.ts';

const JOB = 'webhooks';
/** How often the state of the hooks is stored, and replays are looked for. */
const ROUND_MS = 1_000;
/** Time that requests in flight have to end when the job is lost: the lease lasts twice as long. */
const LOST_MS = 1_000;

export interface SharedWebhooksOptions extends Omit<WebhooksOptions, 'letters'> {
  readonly leases: Leases;
  readonly letters: LetterTable;
  /** For how long a lease lasts. Default: that of `whileHeld`. */
  readonly leaseMs?: number;
}

export class SharedWebhooks {
  readonly #options: SharedWebhooksOptions;
  readonly #stopping = new AbortController();
  #lastMs = 0;
  #holding: Promise<void> = Promise.resolve();
  /** While this node holds the job. */
  #webhooks: Webhooks | undefined;

  constructor(options: SharedWebhooksOptions) {
    this.#options = options;
  }

  /** Delivers whenever this node holds the job. */
  start(): void {
    const { roster, leases, clock, logger, leaseMs } = this.#options;
    const submit: Roster['submit'] = (command, ...how) => roster.submit(command, ...how);
    const options = { job: JOB, leases, submit, clock, logger, ...(leaseMs === undefined ? {} : { leaseMs }) };
    this.#holding = whileHeld(options, this.#stopping.signal, (held) => this.#deliver(held));
  }

  /** Requests in flight have `lastMs` to end. Then another node may have the job. */
  async stop(lastMs: number): Promise<void> {
    this.#lastMs = lastMs;
    this.#stopping.abort();
    await this.#holding;
  }

  /** In the order of the settings. Rejects with RosterError `unavailable`. */
  async status(): Promise<readonly HookStatus[]> {
    const { roster, letters } = this.#options;
    const counts = await answered(letters.counts());
    return hooksOf(roster.directory.app).map((hook) => {
      const known = hook.kind === 'webhook' ? (counts.get(hook.id) ?? { parked: 0, dead: 0, lost: 0, report: '' }) : undefined;
      const port = known && { letters: known, line: isCollecting(hook) ? this.#lineOf(hook, known) : undefined };
      return statusOf(hook, port, roster.position.seq);
    });
  }

  /** None while another node delivers. */
  measures(): readonly HookMeasure[] {
    return this.#webhooks?.measures() ?? [];
  }

  /** Oldest event first. Rejects with RosterError: `not_found` for a hook that does not exist or is no webhook, `input`, `unavailable`. */
  async deadLetters(hookId: string, { limit, after, from, to, subject }: LetterPage): Promise<readonly DeadLetter[]> {
    this.#webhook(hookId);
    const dead = await answered(this.#options.letters.dead(hookId, { limit, after, from, to, lane: subject }));
    if (dead === undefined) throw noSuchLetter();
    return dead.map(toDeadLetter);
  }

  /** Rejects with RosterError: `not_found`, `unavailable`. */
  async openLetter(hookId: string, id: string): Promise<OpenLetter> {
    this.#webhook(hookId);
    const found = await answered(this.#options.letters.deadLetter(hookId, id));
    if (found === undefined) throw letterGone();
    return { letter: toDeadLetter(found.row), event: JSON.parse(found.event) };
  }

  /** WH14, WH26. Rejects with RosterError: `not_found`, `conflict` for a disabled hook, `unavailable`. */
  async replay(hookId: string, { ids, from, to }: ReplayRequest): Promise<{ readonly replaying: number; readonly remaining: number }> {
    const { letters, clock } = this.#options;
    if (!isCollecting(this.#webhook(hookId))) throw hookDisabled();
    const { parked: parkedMax, parkedBytes: parkedBytesMax } = LETTER_LIMITS;
    const limits = { nowMs: clock.now(), countMax: REPLAY_MAX, parkedMax, parkedBytesMax };
    return await answered(letters.replay(hookId, { ids, from, to, ...limits }));
  }

  #webhook(hookId: string): Hook {
    const hook = hooksOf(this.#options.roster.directory.app).find(({ id, kind }) => id === hookId && kind === 'webhook');
    if (hook === undefined) throw noSuchWebhook();
    return hook;
  }

  /** The stored position, or a later one that was only reported. */
  #lineOf({ id }: Hook, { report }: LetterCounts): LineState {
    const { directory, position } = this.#options.roster;
    const { epoch, state } = parseReport(report);
    const stored = directory.docs.get('outbox', id);
    const seqs = [
      { epoch, seq: state.position },
      { epoch: stored?.epoch, seq: stored?.seq ?? 0 },
    ];
    return { ...state, position: Math.max(0, ...seqs.flatMap((known) => (known.epoch === position.epoch ? [known.seq] : []))) };
  }

  async #deliver({ signal, submit, token }: HeldJob): Promise<void> {
    if (token === undefined) throw new Error('a job that nodes share has a token');
    const { roster, letters: table, logger, clock } = this.#options;
    const ending = new AbortController();
    // Every question to the storage listens to it.
    setMaxListeners(0, ending.signal);
    const end = (): void => ending.abort();
    signal.addEventListener('abort', end, { once: true });
    // A node that stood still learns here first that another one has the job.
    const isTaken = (): boolean => (roster.directory.docs.get('lease', JOB)?.token ?? 0) > token;
    if (signal.aborted || isTaken()) return;
    roster.onApplied(() => isTaken() && end(), ending.signal);
    const term = { job: JOB, token, signal: ending.signal };
    const letters = new SharedLetters({ table, term, onLost: end });
    const webhooks = new Webhooks({ ...this.#options, letters, roster: rosterOf(roster, submit) });
    this.#webhooks = webhooks;
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      const isHeld = this.#stopping.signal.aborted;
      stopped ??= webhooks.stop(isHeld ? this.#lastMs : LOST_MS, isHeld);
      return stopped;
    };
    // In the moment of the end: what the next node stores may be applied here right after.
    ending.signal.addEventListener('abort', stop, { once: true });
    const reported = new Map<string, string>();
    const ended = aborted(ending.signal);
    try {
      await Promise.race([webhooks.start(), ended]);
      while (!ending.signal.aborted) {
        const round = this.#round(webhooks, term, reported).catch((error: unknown) => {
          if (error instanceof LeaseLost) end();
          else if (!ending.signal.aborted) logger.error({ err: error }, 'the state of webhooks could not be stored; it is tried again');
        });
        await Promise.race([round, ended]);
        await clock.sleep(ROUND_MS, ending.signal);
      }
    } finally {
      this.#webhooks = undefined;
      await stop();
    }
  }

  async #round(webhooks: Webhooks, term: LetterTerm, reported: Map<string, string>): Promise<void> {
    const { roster, letters } = this.#options;
    for (const hookId of await letters.replayedHooks()) await webhooks.takeUpReplays(hookId);
    const { epoch } = roster.position;
    const reports = [...webhooks.lines()].map(([id, state]) => [id, encodeReport(epoch, state)] as const);
    const news = new Map(reports.filter(([id, report]) => reported.get(id) !== report));
    if (news.size === 0) return;
    await letters.report(term, news);
    for (const [id, report] of news) reported.set(id, report);
  }
}

/** The part of the directory that webhooks use; its commands are refused once another node has the job. */
function rosterOf(roster: WebhooksOptions['roster'], submit: Roster['submit']): WebhooksOptions['roster'] {
  return {
    directory: roster.directory,
    submit,
    get position() {
      return roster.position;
    },
    get keptAfter() {
      return roster.keptAfter;
    },
    follow: (after, signal) => roster.follow(after, signal),
    onApplied: (listener, signal) => roster.onApplied(listener, signal),
  };
}

async function answered<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    const reason = errorText(error);
    throw new OutcomeUnknown(`the letters of webhooks cannot be reached at the moment (${reason})`);
  }
}
