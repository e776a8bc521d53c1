/** A live connection that asks for an answer every so often: how long the event loop of the daemon keeps a caller waiting. */

import { percentile } from '../kit/stats.ts';
import { RawSocket } from './raw-socket.ts';
import type { Greeting } from './swarm.ts';

const EVERY_MS = 20;

export class Pinger {
  readonly #socket: RawSocket;
  readonly #timer: NodeJS.Timeout;
  readonly #sentMs = new Map<string, number>();
  readonly #roundTripsMs: number[] = [];
  #next = 0;

  private constructor(socket: RawSocket) {
    this.#socket = socket;
    socket.onText = (text) => {
      const re = /^\{"re":"(p\d+)"/.exec(text)?.[1] ?? '';
      const sentMs = this.#sentMs.get(re);
      if (sentMs !== undefined) this.#roundTripsMs.push(performance.now() - sentMs);
      this.#sentMs.delete(re);
    };
    this.#timer = setInterval(() => {
      const id = `p${this.#next++}`;
      this.#sentMs.set(id, performance.now());
      socket.send(JSON.stringify({ op: 'ping', id }));
    }, EVERY_MS);
  }

  /** `greeting` should subscribe to nothing that happens: events would wait in the same queue. */
  static async open(port: number, greeting: Greeting): Promise<Pinger> {
    const socket = await RawSocket.open({ port, path: greeting.path, protocol: 'roster.v1' });
    await greeting.ready(socket, 0);
    return new Pinger(socket);
  }

  stop(): { p99Ms: number; maxMs: number } {
    clearInterval(this.#timer);
    this.#socket.cut();
    const nowMs = performance.now();
    // What was never answered counts for as long as it has waited.
    const all = [...this.#roundTripsMs, ...[...this.#sentMs.values()].map((sentMs) => nowMs - sentMs)];
    return { p99Ms: percentile(all, 0.99), maxMs: percentile(all, 1) };
  }
}
