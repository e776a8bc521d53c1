/** Admission of live connections, whatever the transport: the origin of the page, and the number of open connections. */
import type { IncomingMessage } from 'node:http';
import { isAllowedOrigin } from '../http/cors.ts';
import { type LivingNodes, shareOf } from '../node-share.ts';
import { networkOf } from '../strangers.ts';

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

  /** The HTTP status that refuses this request for a connection, or undefined when it is admitted. */
  refusal(request: IncomingMessage): string | undefined {
    const { connectionsMax, connectionsPerIpMax, nodes } = this.#options;
    const { socket } = request;
    if (!this.isAllowedOrigin(request)) return '403 Forbidden';
    if (this.#isDraining || this.#isPaused || this.#connections >= connectionsMax) return '503 Service Unavailable';
    if ((this.#perIp.get(keyOf(socket)) ?? 0) >= shareOf(connectionsPerIpMax, nodes())) return '429 Too Many Requests';
    return undefined;
  }

  /** Whether the request may connect as far as its page decides: it comes from an allowed page or from none. */
  isAllowedOrigin({ headers }: IncomingMessage): boolean {
    return isAllowedOrigin(headers.origin, headers.host, this.#options.origins);
  }

  /** Counts a connection; the returned function ends it, and may be called more than once. */
  enter({ socket }: IncomingMessage): () => void {
    const ip = keyOf(socket);
    this.#count(ip, 1);
    let isIn = true;
    return () => {
      if (isIn) this.#count(ip, -1);
      isIn = false;
    };
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
