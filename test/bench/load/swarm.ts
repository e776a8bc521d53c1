/** Many subscribers of one server, and what the rigs ask of them together. */

import { until } from '../kit/stats.ts';
import { API_KEY, SERVER_TOKEN } from '../servers/rosterd.ts';
import { type RawOptions, RawSocket } from './raw-socket.ts';

/** How a server is greeted, so that the connection gets events. */
export interface Greeting {
  readonly path: string;
  readonly protocol?: string;
  readonly extensions?: string;
  /** Sends what must be sent; resolves when the connection is ready. `index` is the number of the connection. */
  ready(socket: RawSocket, index: number): Promise<unknown>;
}

/** The plain peers send to whoever is there. */
export const PLAIN: Greeting = { path: '/', ready: () => Promise.resolve() };

export const SOCKET_IO: Greeting = {
  path: '/socket.io/?EIO=4&transport=websocket',
  ready: async (socket) => {
    const answer = socket.text((text) => text.startsWith('40'));
    socket.send('40');
    await answer;
  },
};

const EVERYTHING = { sub: 's', all: true, snapshot: false };

/** What a Socket.IO client of rosterd sends as `auth` to hear of everything. */
export const ROSTER_IO_AUTH = { api_key: API_KEY, token: SERVER_TOKEN, subs: [EVERYTHING] };

/** rosterd over Socket.IO: the `auth` holds the subscription; its answer is an `event` like any other. */
export const ROSTER_IO: Greeting = {
  path: SOCKET_IO.path,
  ready: async (socket) => {
    const answer = socket.text((text) => text.startsWith('42["event",{"sub":'));
    socket.send(`40${JSON.stringify(ROSTER_IO_AUTH)}`);
    await answer;
    answerPings(socket);
  },
};

/** Engine.IO asks for a sign of life now and then. */
function answerPings(socket: RawSocket): void {
  socket.onText = (text) => {
    if (text === '2') socket.send('3');
  };
}

/** The channel of Centrifugo that everyone listens to. */
export const CENTRIFUGO_CHANNEL = 'all';

/** Centrifugo's own protocol: one frame holds as many publications, a line each, as were waiting for the connection. */
export const CENTRIFUGO: Greeting = {
  path: '/connection/websocket',
  ready: async (socket) => {
    const answer = socket.text((text) => text.includes('"id":2'));
    socket.send(`{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"${CENTRIFUGO_CHANNEL}"}}`);
    await answer;
    socket.onText = (text) => {
      if (text === '{}') socket.send('{}');
      else socket.took(text.split('"pub":').length - 1);
    };
  },
};

/** A roster.v1 connection with a server token and one subscription; `sub` is its want. */
export function rosterGreeting(sub: (index: number) => object): Greeting {
  return {
    path: '/live',
    protocol: 'roster.v1',
    ready: async (socket, index) => {
      const answer = socket.text((text) => text.startsWith('{"re":2'));
      socket.send(JSON.stringify({ op: 'connect', id: 1, api_key: API_KEY, token: SERVER_TOKEN }));
      socket.send(JSON.stringify({ op: 'sub', id: 2, sub: 's', snapshot: false, ...sub(index) }));
      await answer;
    },
  };
}

export const ROSTER_ALL = rosterGreeting(() => ({ all: true }));

/** The same with compression, as most clients offer it. */
export const ROSTER_ALL_COMPRESSED: Greeting = { ...ROSTER_ALL, extensions: 'permessage-deflate; client_max_window_bits' };

const OPENING_AT_ONCE = 50;

export class Swarm {
  readonly sockets: readonly RawSocket[];

  private constructor(sockets: readonly RawSocket[]) {
    this.sockets = sockets;
  }

  static async open(port: number, count: number, greeting: Greeting): Promise<Swarm> {
    const sockets: RawSocket[] = [];
    const { ready, ...how } = greeting;
    const options: RawOptions = { port, ...how };
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count) {
        const index = next++;
        const socket = await RawSocket.open(options);
        await greeting.ready(socket, index);
        sockets.push(socket);
      }
    };
    await Promise.all(Array.from({ length: Math.min(count, OPENING_AT_ONCE) }, worker));
    return new Swarm(sockets);
  }

  /** Events received by all sockets together. */
  get events(): number {
    return this.sockets.reduce((sum, { events }) => sum + events, 0);
  }

  get bytes(): number {
    return this.sockets.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Resolves when every socket has `count` events; fails when one got more, or was closed. */
  async all(count: number): Promise<void> {
    const waiting = new Set(this.sockets);
    await until(() => {
      for (const socket of waiting) {
        if (socket.events > count) throw new Error(`a socket received ${socket.events} events instead of ${count}`);
        if (socket.isOver) throw new Error(`a socket was closed with ${socket.closedWith}`);
        // The first one that is not there yet is enough to know.
        if (socket.events < count) return false;
        waiting.delete(socket);
      }
      return true;
    }, `${count} events on every socket`);
  }

  cut(): void {
    for (const socket of this.sockets) socket.cut();
  }
}
