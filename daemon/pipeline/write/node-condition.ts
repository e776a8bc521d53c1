/**
 * What is wrong with a node that runs: its storage is away, so what it knows grows old, or takes no writes, or the clock of its machine
 * differs from that of the storage.
 *
 * It keeps ND5, ND6, ND8, ND9 and DK4 (daemon/RULES.md).
 */
import type { Log } from '../../../store/log.ts';
import type { RosterLogger } from '../../base/logger.ts';

/** A storage that is away for less is waited for. */
const AWAY_MS_MAX = 3_000;
const CLOCK_MS_MAX = 500;

export interface NodeConditionOptions {
  readonly log: Pick<Log, 'status'>;
  /** The clock of the storage. Undefined where that of this machine is the only one. */
  readonly clock: { nowMs(): number } | undefined;
  readonly logger: RosterLogger;
  /** Looks whether the storage takes a write (store/store.ts). Undefined where its status says all. */
  readonly writeRefusal?: (() => Promise<string | undefined>) | undefined;
  /** What this node knows may be so old. */
  readonly staleMaxMs: number;
  /** The wall clock of this machine. */
  readonly wallMs?: () => number;
  /** A clock that nobody sets. */
  readonly nowMs?: () => number;
}

/** As `/readyz` shows it. */
export interface Trouble {
  readonly reason: string;
  readonly storage_away_ms?: number;
  /** Of the machine against the storage; negative: it is behind. */
  readonly clock_ahead_ms?: number;
}

export class NodeCondition {
  readonly #options: NodeConditionOptions & Required<Pick<NodeConditionOptions, 'wallMs' | 'nowMs'>>;
  /** The absence as the log told it, and where it began by the clock that nobody sets. */
  #away: { readonly since: number; readonly beganMs: number } | undefined;
  #isClockTold = false;

  constructor(options: NodeConditionOptions) {
    this.#options = { wallMs: Date.now, nowMs: () => performance.now(), ...options };
  }

  /** For how long the storage has been away; undefined while it is there. */
  get staleMs(): number | undefined {
    const { log, wallMs, nowMs } = this.#options;
    const { status } = log;
    if (status.state !== 'away') return undefined;
    if (this.#away?.since !== status.since) {
      this.#away = { since: status.since, beganMs: nowMs() - Math.max(0, wallMs() - status.since) };
    }
    return Math.round(nowMs() - this.#away.beganMs);
  }

  /** Whether nothing should be read here any more. */
  get isTooStale(): boolean {
    return (this.staleMs ?? 0) > this.#options.staleMaxMs;
  }

  /** How far the clock of this machine is ahead of that of the storage; 0 while that does no harm. */
  get clockAheadMs(): number {
    const { clock, wallMs } = this.#options;
    const aheadMs = clock === undefined ? 0 : Math.round(wallMs() - clock.nowMs());
    return Math.abs(aheadMs) > CLOCK_MS_MAX ? aheadMs : 0;
  }

  /** Why nobody should be sent here; undefined when nothing is wrong. */
  get trouble(): Trouble | undefined {
    const { staleMs = 0, clockAheadMs } = this;
    const { status } = this.#options.log;
    const isAway = status.state === 'away' && staleMs > AWAY_MS_MAX;
    const reasons = [
      ...(isAway ? [`log away: the storage has been away for ${staleMs} ms (${status.reason})`] : []),
      ...(status.state === 'read-only' ? [`the storage refuses writes (${status.reason})`] : []),
      ...(status.state === 'failed' ? [`the storage failed, and the process must start again (${status.reason})`] : []),
      ...(clockAheadMs === 0 ? [] : [clockText(clockAheadMs)]),
    ];
    if (reasons.length === 0) return undefined;
    return {
      reason: reasons.join('; '),
      ...(isAway ? { storage_away_ms: staleMs } : undefined),
      ...(clockAheadMs === 0 ? undefined : { clock_ahead_ms: clockAheadMs }),
    };
  }

  /** Why nobody should send writes here; undefined when nothing is known that would refuse them. */
  async writeTrouble(): Promise<Trouble | undefined> {
    const { trouble } = this;
    if (trouble !== undefined) return trouble;
    const refusal = await this.#options.writeRefusal?.();
    return refusal === undefined ? undefined : { reason: `writes are refused (${refusal})` };
  }

  /** Logs that the clock began to differ, and that it no longer does. To be called again and again. */
  check(): void {
    const { logger } = this.#options;
    const aheadMs = this.clockAheadMs;
    if ((aheadMs !== 0) === this.#isClockTold) return;
    this.#isClockTold = aheadMs !== 0;
    if (this.#isClockTold) logger.error({ clock_ahead_ms: aheadMs }, clockText(aheadMs));
    else logger.info({}, 'the clock of this machine agrees with that of the storage again');
  }
}

function clockText(aheadMs: number): string {
  const off = `${Math.abs(aheadMs)} ms ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
  return `the clock of this machine is ${off} that of the storage, and ${CLOCK_MS_MAX} ms are allowed: synchronise both with the same time servers (NTP)`;
}
