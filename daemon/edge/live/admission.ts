/** Admission of live connections, whatever the transport: the origin of the page, and the number of open connections. */
import type { IncomingMessage } from 'node:http';
import { isAllowedOrigin } from '../http/cors.ts';
import { type LivingNodes, shareOf } from '../node-share.ts';
import { networkOf } from '../strangers.ts';
import type { LiveCounts, LiveProtocol, RefusedReason } from './live-counts.ts';

/** Requests below this path belong to Socket.IO. */
export const SOCKET_IO_PATH = '/socket.io';

export interface AdmissionOptions {
  /** Origins of web pages that may connect: see cors.ts. */
  readonly origins: readonly string[];
  /** Of this node: what it can bear. */
  readonly connectionsMax: number;
  /** Of all nodes together: each admits its share. */
  readonly connectionsPerIpMax: number;
  readonly nodes: LivingNodes;
  readonly counts: LiveCounts;
}

const STATUS: Readonly<Record<RefusedReason, string>> = {
  origin: '403 Forbidden',
  draining: '503 Service Unavailable',
  connections_max: '503 Service Unavailable',
  connections_per_ip_max: '429 Too Many Requests',
};

/** A connection that is counted. */
export interface CountedConnection {
  readonly network: string;
  isIn: boolean;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #perIp = new Map<string, number>();
  #connections = 0;
  #isDraining = false;
  #isPaused = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections;
  }

  /** Refuses new connections from now on. */
  stop(): void {
    this.#isDraining = true;
  }

  /** Refuses new connections until `resume`. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** The HTTP status that refuses this request for a connection, which counts as refused; undefined when it is admitted. */
  refusal(request: IncomingMessage): string | undefined {
    const reason = this.#reason(request);
    if (reason === undefined) return undefined;
    this.#options.counts.refused[reason]++;
    return STATUS[reason];
  }

  #reason(request: IncomingMessage): RefusedReason | undefined {
    const { connectionsMax, connectionsPerIpMax, nodes } = this.#options;
    if (!this.isAllowedOrigin(request)) return 'origin';
    if (this.#isDraining || this.#isPaused) return 'draining';
    if (this.#connections >= connectionsMax) return 'connections_max';
    const ofAddress = this.#perIp.get(keyOf(request.socket)) ?? 0;
    return ofAddress >= shareOf(connectionsPerIpMax, nodes()) ? 'connections_per_ip_max' : undefined;
  }

  /** Whether the request may connect as far as its page decides: it comes from an allowed page or from none. */
  isAllowedOrigin({ headers }: IncomingMessage): boolean {
    return isAllowedOrigin(headers.origin, headers.host, this.#options.origins);
  }

  /** Counts a connection, until `leave`. */
  enter({ socket }: IncomingMessage, protocol: LiveProtocol): CountedConnection {
    const network = keyOf(socket);
    this.#count(network, 1);
    this.#options.counts.opened[protocol]++;
    return { network, isIn: true };
  }

  /** Ends the count of a connection; may be called more than once. `code`: its close code. */
  leave(admitted: CountedConnection, code: number): void {
    if (!admitted.isIn) return;
    admitted.isIn = false;
    this.#count(admitted.network, -1);
    this.#options.counts.ended(code);
  }

  #count(ip: string, change: 1 | -1): void {
    this.#connections += change;
    const left = (this.#perIp.get(ip) ?? 0) + change;
    if (left === 0) this.#perIp.delete(ip);
    else this.#perIp.set(ip, left);
  }
}

/** Loopback counts as well here: who sets a limit has no proxy there. */
function keyOf({ remoteAddress = '' }: IncomingMessage['socket']): string {
  return networkOf(remoteAddress) ?? remoteAddress;
}
