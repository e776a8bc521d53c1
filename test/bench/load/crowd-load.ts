/**
 * One of the processes that hold the crowd, for crowd.ts: opens its share of the sockets, each as its own user, asks over them
 * for signs of life, and notes when each event reached each socket. Told by message what to do.
 */

import { monotonicMs } from '../kit/stats.ts';
import { API_KEY, userToken } from '../servers/rosterd.ts';
import { RawSocket } from './raw-socket.ts';

/** The one user whose changes everyone hears of. */
export const MARKED = 'marked';
const OPENING_AT_ONCE = 50;

export interface OpenOrder {
  readonly do: 'open';
  readonly port: number;
  /** Ids of the users are made of this and a number. */
  readonly prefix: string;
  readonly count: number;
  /** Signs of life asked for per second, over one socket after the other. */
  readonly pingsPerSecond: number;
}

/** Gives what came since the last time and begins anew. */
export interface TakeOrder {
  readonly do: 'take';
}

/** What one process saw. Times are those of `monotonicMs`. */
export interface Seen {
  /** Milliseconds from the first byte to the answer of the subscription, per connect. */
  readonly connectsMs: Float64Array;
  /** When each event came, in the order of arrival, and beside it the number of the event on its socket, from 0. */
  readonly arrivedMs: Float64Array;
  readonly arrivedNumber: Uint32Array;
  /** Round trips of the pings. What was not answered counts for as long as it has waited. */
  readonly pingsMs: Float64Array;
  readonly isOver: number;
  /** CPU time of this process so far, milliseconds. */
  readonly cpuMs: number;
}

/** A socket of the crowd, once it has its subscription. Resolves with the milliseconds that took. */
export async function openMember(
  port: number,
  id: string,
  onEvents: RawSocket['onEvents'],
): Promise<{ socket: RawSocket; tookMs: number }> {
  const user = { id, name: `Some Name ${id}`, image: `https://cdn.example.com/avatars/${id}.jpg`, mood: 'good' };
  const frame = JSON.stringify({ op: 'connect', id: 1, api_key: API_KEY, token: userToken(id), user, subs: [{ sub: 's', ids: [MARKED] }] });
  const startMs = performance.now();
  const socket = await RawSocket.open({ port, path: '/live', protocol: 'roster.v1' });
  socket.onEvents = onEvents;
  const answer = socket.text((text) => text.startsWith('{"sub":'));
  socket.send(frame);
  await answer;
  return { socket, tookMs: performance.now() - startMs };
}

class Crowd {
  readonly #sockets: RawSocket[] = [];
  readonly #sentMs = new Map<string, number>();
  #connectsMs: number[] = [];
  #arrivedMs: number[] = [];
  #arrivedNumber: number[] = [];
  #pingsMs: number[] = [];
  #pings = 0;

  async open({ port, prefix, count, pingsPerSecond }: OpenOrder): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count) {
        const { socket, tookMs } = await openMember(port, `${prefix}-${next++}`, (first, events) => this.#arrived(first, events));
        socket.onText = (text) => this.#answered(text);
        this.#connectsMs.push(tookMs);
        this.#sockets.push(socket);
      }
    };
    await Promise.all(Array.from({ length: OPENING_AT_ONCE }, worker));
    setInterval(() => this.#ping(), 1_000 / pingsPerSecond);
  }

  #arrived(first: number, events: number): void {
    const nowMs = monotonicMs();
    for (let number = first; number < first + events; number++) {
      this.#arrivedMs.push(nowMs);
      this.#arrivedNumber.push(number);
    }
  }

  #ping(): void {
    const id = `p${this.#pings++}`;
    this.#sentMs.set(id, performance.now());
    this.#sockets[this.#pings % this.#sockets.length]?.send(JSON.stringify({ op: 'ping', id }));
  }

  #answered(text: string): void {
    const id = /^\{"re":"(p\d+)"/.exec(text)?.[1] ?? '';
    const sentMs = this.#sentMs.get(id);
    if (sentMs !== undefined) this.#pingsMs.push(performance.now() - sentMs);
    this.#sentMs.delete(id);
  }

  take(): Seen {
    const nowMs = performance.now();
    const { user, system } = process.cpuUsage();
    const seen: Seen = {
      connectsMs: Float64Array.from(this.#connectsMs),
      arrivedMs: Float64Array.from(this.#arrivedMs),
      arrivedNumber: Uint32Array.from(this.#arrivedNumber),
      pingsMs: Float64Array.from([...this.#pingsMs, ...[...this.#sentMs.values()].map((sentMs) => nowMs - sentMs)]),
      isOver: this.#sockets.filter(({ isOver }) => isOver).length,
      cpuMs: (user + system) / 1_000,
    };
    this.#connectsMs = [];
    this.#arrivedMs = [];
    this.#arrivedNumber = [];
    this.#pingsMs = [];
    return seen;
  }
}

if (process.send !== undefined && process.argv.includes('--crowd-load')) {
  const crowd = new Crowd();
  process.on('message', async (message) => {
    const order = message as OpenOrder | TakeOrder;
    if (order.do === 'open') await crowd.open(order);
    process.send?.(order.do === 'open' ? 'open' : crowd.take());
  });
  process.send('ready');
}
