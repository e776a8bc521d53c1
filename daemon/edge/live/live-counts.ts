/** What live connections did so far, in plain numbers, for whoever watches the daemon. */
import { CLOSE } from '../../../protocol/live/close-codes.ts';
import { Durations } from '../../base/durations.ts';

export const LIVE_PROTOCOLS = ['live', 'connect', 'socket.io'] as const;
/** By the path of the connection: `/live`, `/connect`, `/socket.io/`. */
export type LiveProtocol = (typeof LIVE_PROTOCOLS)[number];

/** Messages and their bytes, without what a proxy or TLS adds. */
export interface Traffic {
  framesSent: number;
  bytesSent: number;
  bytesReceived: number;
}

/**
 * Why a connection was not let in: its page, the bound of all connections, that of its address, a stop (or a storage that is away for too
 * long).
 */
export type RefusedReason = 'origin' | 'connections_max' | 'connections_per_ip_max' | 'draining';

/** Codes by which peers close, or that stand for none: see RFC 6455 §7.4.1. All others are counted as `other`. */
const PEER_CODES = [1000, 1001, 1005, 1006, 1009];
const OTHER = 'other';

export class LiveCounts {
  readonly opened = perProtocol(() => 0);
  readonly traffic: Readonly<Record<LiveProtocol, Traffic>> = perProtocol(() => ({ framesSent: 0, bytesSent: 0, bytesReceived: 0 }));
  readonly refused: Record<RefusedReason, number> = { origin: 0, connections_max: 0, connections_per_ip_max: 0, draining: 0 };
  /** By close code. */
  readonly closed: Map<string, number> = new Map(
    [...new Set([...PEER_CODES, ...Object.values(CLOSE).map(({ code }) => code)]), OTHER].map((code) => [String(code), 0]),
  );
  /** Connects that named a position: resumed from it, or told to start over. */
  readonly resumes = { resumed: 0, resync: 0 };
  /** From a ping to its pong, over WebSockets. */
  readonly roundTrips = new Durations();

  /** `code`: of the goodbye of this side, else of the peer's. */
  ended(code: number): void {
    const key = this.closed.has(String(code)) ? String(code) : OTHER;
    this.closed.set(key, (this.closed.get(key) ?? 0) + 1);
  }
}

function perProtocol<T>(make: () => T): Record<LiveProtocol, T> {
  return { live: make(), connect: make(), 'socket.io': make() };
}
