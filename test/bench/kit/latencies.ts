/**
 * How long each event needs to each socket. Nothing in the event is read: every socket gets every event once and in order,
 * so the number of an event on a socket tells which one it is, and one process both sends and receives.
 */

import type { Swarm } from '../load/swarm.ts';
import { percentile } from './stats.ts';

export class Latencies {
  readonly #sentMs: number[] = [];
  #samplesMs: number[] = [];

  /** Every socket of the swarm has received as many events as the first; what is sent from now on is announced by `sent`. */
  constructor(swarm: Swarm) {
    const base = swarm.sockets[0]?.events ?? 0;
    for (const socket of swarm.sockets) {
      socket.onEvents = (first, count) => {
        const nowMs = performance.now();
        for (let index = first - base; index < first - base + count; index++) {
          const sentMs = this.#sentMs[index];
          if (sentMs !== undefined) this.#samplesMs.push(nowMs - sentMs);
        }
      };
    }
  }

  /** Call just before each event is sent. */
  sent(): void {
    this.#sentMs.push(performance.now());
  }

  /** Percentile of what arrived since the last call, milliseconds. */
  take(...shares: readonly number[]): number[] {
    const taken = this.#samplesMs;
    this.#samplesMs = [];
    return shares.map((share) => percentile(taken, share));
  }
}
