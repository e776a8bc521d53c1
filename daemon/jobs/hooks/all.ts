/**
 * All webhooks of the application: follows the settings, runs a line for each hook, and writes down the positions of the hooks.
 *
 * It keeps WH16–WH18 (daemon/RULES.md).
 */
import { RosterError } from '../../../protocol/base/errors.ts';
import type { DeadLetter, HookStatus, LetterPage, ReplayRequest } from '../../../protocol/hooks/dead-letters.ts';
import { type Hook, hooksOf, isCollecting } from '../../../protocol/hooks/hooks.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';
import { isNoSpace } from '../../../store/disk-errors.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';
import type { SendEvent } from './attempt.ts';
import { HookLine } from './delivery.ts';
import type { LetterPlace, Letters } from './letters.ts';
import {
  askedFor,
  deadOnly,
  type HookMeasure,
  hookDisabled,
  type LineState,
  measureOf,
  noSuchWebhook,
  type OpenLetter,
  pageOfDead,
  statusOf,
} from './view.ts';

const WRITE_EVERY_MS = 1_000;
const EXPIRE_EVERY_MS = 3_600_000;
/** Time that requests in flight have to end at a stop, by default. */
const LAST_REQUESTS_MS = 5_000;
/** Largest number of letters that one request replays. */
export const REPLAY_MAX = 1_000;

export interface WebhooksOptions {
  readonly roster: Pick<Roster, 'directory' | 'position' | 'submit' | 'follow' | 'keptAfter' | 'onApplied'>;
  readonly letters: LetterPlace;
  readonly send: SendEvent;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly logger: RosterLogger;
  /** Requests of one hook in flight at the same time. */
  readonly concurrency: number;
  /** Age at which an event that was not delivered is given up. */
  readonly retryMs: number;
  readonly deadKeptMs: number;
}

/** One webhook, whether or not events are collected for it. */
interface HookPort {
  readonly letters: Letters;
  line: HookLine | undefined;
}

export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #ports = new Map<string, HookPort>();
  readonly #stopping = new AbortController();
  #hooks: readonly Hook[] = [];
  /** Follows the settings, one change after the other. */
  #following: Promise<void> = Promise.resolve();
  #writing: Promise<void> | undefined;

  constructor(options: WebhooksOptions) {
    this.#options = options;
  }

  /**
   * Continues the work of an earlier daemon and follows the settings from now on. Rejects when the letters cannot be used. On a full disk,
   * it begins when there is space.
   */
  async start(): Promise<void> {
    const { roster, logger } = this.#options;
    roster.onApplied(({ facts }) => {
      if (facts.some((fact) => fact.t === 'app')) this.#follow();
    }, this.#stopping.signal);
    const beginning = this.#begin();
    // A change of the settings waits for it.
    this.#following = beginning.catch(() => {});
    try {
      await beginning;
    } catch (error) {
      if (!isFull(error)) throw error;
      logger.error({ err: error }, 'webhooks cannot begin while the disk is full; it is tried again');
      this.#followLater(() => this.#begin());
    }
  }

  async #begin(): Promise<void> {
    const { letters } = this.#options;
    await letters.begin();
    await this.#settle();
    // Of hooks that were removed while no daemon ran, or while one was ending.
    await letters.removeOthers([...this.#ports.keys()]);
    void this.#expireAll();
  }

  /**
   * WH16. No request begins after the call. Those in flight have a moment to end; everything else stays in the log. `isHeld`: the positions
   * may still be stored; they are not when another node has the job.
   */
  async stop(lastMs = LAST_REQUESTS_MS, isHeld = true): Promise<void> {
    this.#stopping.abort();
    const stopLines = () => Promise.all([...this.#ports.values()].map(({ line }) => line?.stop(lastMs)));
    await stopLines();
    // A change of the settings that is being followed may begin some more.
    await this.#following;
    await stopLines();
    await this.#writing;
    if (isHeld) await this.#write();
    await Promise.all([...this.#ports.values()].map(({ letters }) => letters.close()));
  }

  /** In the order of the settings. */
  status(): readonly HookStatus[] {
    const head = this.#options.roster.position.seq;
    return this.#hooks.map((hook) => statusOf(hook, this.#ports.get(hook.id), head));
  }

  measures(): readonly HookMeasure[] {
    return [...this.#ports].map(([hook, port]) => measureOf(hook, port));
  }

  /** The hooks to which events are delivered, by id. */
  lines(): ReadonlyMap<string, LineState> {
    return new Map([...this.#ports].flatMap(([id, { line }]) => (line === undefined ? [] : [[id, line] as const])));
  }

  /** Oldest event first. Rejects with RosterError `not_found` for a hook that does not exist or is no webhook. */
  async deadLetters(hookId: string, page: LetterPage): Promise<readonly DeadLetter[]> {
    await this.#following;
    return pageOfDead(this.#port(hookId).letters.all('dead'), page);
  }

  /** Rejects with RosterError `not_found` for a hook that is no webhook, and for what is no dead letter of it. */
  async openLetter(hookId: string, id: string): Promise<OpenLetter> {
    await this.#following;
    const { letters } = this.#port(hookId);
    return { letter: deadOnly(letters.get(id)), event: await letters.read(id) };
  }

  /**
   * WH14. Resolves with the number of letters, dead and parked, that are sent again now, the oldest first, and the number of requested
   * ones that are not. Rejects with RosterError: `not_found`, or `conflict` for a disabled hook.
   */
  async replay(hookId: string, request: ReplayRequest): Promise<{ readonly replaying: number; readonly remaining: number }> {
    await this.#following;
    const { letters, line } = this.#port(hookId);
    if (line === undefined) throw hookDisabled();
    const asked = askedFor([...letters.all('dead'), ...letters.all('parked')], request);
    let { room } = letters;
    const now = asked.slice(0, REPLAY_MAX).filter(({ state }) => state === 'parked' || room-- > 0);
    const whenMs = this.#options.clock.now();
    const moves = now.flatMap(({ id, state, attempts, retries, reason }) =>
      state === 'parked' ? [] : [letters.move(id, { state: 'parked', attempts, retries, whenMs, reason, isReplay: true })],
    );
    await Promise.all(moves);
    line.replay(now.flatMap(({ id }) => letters.get(id) ?? []));
    return { replaying: now.length, remaining: asked.length - now.length };
  }

  /** WH26: sends again what other nodes have asked for. */
  async takeUpReplays(hookId: string): Promise<void> {
    await this.#following;
    const port = this.#ports.get(hookId);
    const letters = (await port?.letters.replayed()) ?? [];
    port?.line?.replay(letters);
  }

  #port(hookId: string): HookPort {
    const port = this.#ports.get(hookId);
    if (port === undefined) throw noSuchWebhook();
    return port;
  }

  #follow(act: () => Promise<void> = () => this.#settle()): void {
    const { logger } = this.#options;
    this.#following = this.#following
      .then(() => (this.#stopping.signal.aborted ? undefined : act()))
      .catch((error: unknown) => {
        logger.error({ err: error }, 'a change to the webhooks could not be followed; it is tried again');
        this.#followLater(act);
      });
  }

  #followLater(act: () => Promise<void>): void {
    const { clock } = this.#options;
    void clock.sleep(WRITE_EVERY_MS, this.#stopping.signal).then(() => this.#stopping.signal.aborted || this.#follow(act));
  }

  /** Makes the running lines match the settings. */
  async #settle(): Promise<void> {
    const { roster } = this.#options;
    this.#hooks = hooksOf(roster.directory.app);
    const wanted = new Map(this.#hooks.filter(({ kind }) => kind === 'webhook').map((hook) => [hook.id, hook]));
    for (const [id, port] of [...this.#ports]) {
      if (wanted.has(id)) continue;
      this.#ports.delete(id);
      await port.line?.stop(0);
      await port.letters.remove();
    }
    for (const hook of wanted.values()) await this.#settleHook(hook);
  }

  async #settleHook(hook: Hook): Promise<void> {
    const known = this.#ports.get(hook.id);
    const port = known ?? { letters: await this.#options.letters.open(hook.id), line: undefined };
    this.#ports.set(hook.id, port);
    if (this.#stopping.signal.aborted) return;
    if (isCollecting(hook)) {
      if (port.line === undefined) {
        const position = await this.#beginning(hook, port.letters);
        if (this.#stopping.signal.aborted) return;
        port.line = this.#lineOf(hook, port.letters, position);
        // Enabled anew, or new: what is parked is tried at once. At the start of the daemon, it waits for its time.
        port.line.start(known !== undefined);
      } else port.line.update(hook);
    } else {
      await port.line?.stop(0);
      port.line = undefined;
    }
  }

  #lineOf(hook: Hook, letters: Letters, position: number): HookLine {
    const { roster, send, clock, random, concurrency, retryMs, logger } = this.#options;
    const { epoch } = roster.position;
    const onMoved = () => this.#moved();
    return new HookLine({ hook, letters, epoch, source: roster, send, clock, random, concurrency, retryMs, logger, onMoved }, position);
  }

  /** Position of the hook. A hook without a stored position begins now. */
  async #beginning({ id }: Hook, letters: Letters): Promise<number> {
    const { roster, logger, clock } = this.#options;
    const { epoch, seq: head } = roster.position;
    const known = roster.directory.docs.get('outbox', id);
    if (known?.epoch === epoch) return known.seq;
    const seq = known === undefined ? head : roster.keptAfter;
    if (known !== undefined) {
      // WH18
      logger.error({ hook: id, from: known.seq, to: seq }, 'the history began anew; what a webhook had not been sent before is lost to it');
      await letters.noteLost(Math.max(1, seq - known.seq));
    }
    const doc = { id, epoch, seq, updated_at: Math.round(clock.now() * 1_000) };
    await roster.submit({ kind: 'docs', changes: [{ kind: 'outbox', id, doc }] }, 'live');
    return seq;
  }

  #moved(): void {
    const { clock } = this.#options;
    if (this.#stopping.signal.aborted) return;
    this.#writing ??= clock
      .sleep(WRITE_EVERY_MS, this.#stopping.signal)
      .then(() => (this.#stopping.signal.aborted ? undefined : this.#write()))
      .finally(() => {
        this.#writing = undefined;
        if (this.#changes().length > 0) this.#moved();
      });
  }

  #changes(): DocChange[] {
    const { roster, clock } = this.#options;
    const { epoch } = roster.position;
    const updated_at = Math.round(clock.now() * 1_000);
    return [...this.#ports].flatMap(([id, { line }]) => {
      const known = roster.directory.docs.get('outbox', id);
      if (line === undefined || known === undefined || known.epoch !== epoch || line.worth <= known.seq) return [];
      return [{ kind: 'outbox' as const, id, doc: { id, epoch, seq: line.position, updated_at } }];
    });
  }

  /** Never rejects: positions that could not be written are written later, with the newer ones. */
  async #write(): Promise<void> {
    const changes = this.#changes();
    if (changes.length === 0) return;
    const { roster, logger } = this.#options;
    const storing = roster.submit({ kind: 'docs', changes }, 'live');
    await storing.catch((error: unknown) => logger.error({ err: error }, 'the positions of webhooks could not be stored'));
  }

  /** WH11: expires dead letters now, and every hour until the stop. */
  async #expireAll(): Promise<void> {
    const { clock, deadKeptMs, logger } = this.#options;
    const { signal } = this.#stopping;
    for (; !signal.aborted; await clock.sleep(EXPIRE_EVERY_MS, signal)) {
      for (const { letters } of this.#ports.values()) {
        await letters
          .expire(clock.now() - deadKeptMs)
          .catch((error: unknown) => logger.error({ err: error }, 'old dead letters could not be removed'));
      }
    }
  }
}

/** Whether it failed only because nothing can be stored now. */
function isFull(error: unknown): boolean {
  return isNoSpace(error) || (error instanceof RosterError && error.kind === 'unavailable');
}
