/** The signs of life of live connections. */
import { LIMITS } from '../../../../protocol/base/limits.ts';

/** How often the peers of live connections are asked for a sign of life, and how long they may give none. */
export interface Heartbeat {
  /** Whole seconds, in milliseconds. */
  readonly everyMs: number;
  /** A peer is dead this long after the first heartbeat that it left unanswered: a multiple of `everyMs`. */
  readonly idleMs: number;
  /** A peer that has sent no connect for this long is closed. */
  readonly connectMs: number;
}

export const HEARTBEAT: Heartbeat = { everyMs: LIMITS.heartbeatMs, idleMs: LIMITS.idleTimeoutMs, connectMs: LIMITS.connectTimeoutMs };
