/** How many clients per second can come: handshake, token, create or merge of the user, welcome. Beside a bare `ws` handshake and socket.io. */

import type { Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { ROUNDS, scale } from './kit/scale.ts';
import { overRounds } from './kit/stats.ts';
import { type Greeting, Swarm } from './load/swarm.ts';
import { type Contestant, startPeer, startRosterd } from './servers/peers.ts';
import { API_KEY, userToken } from './servers/rosterd.ts';

const CONNECTS = scale(5_000, 2_000);
/** Those without a change, one crowd after the other: the first one alone says most about what the compiler is still doing. */
const RETURNS = 3;
const WARM_UP = 1_000;
/** Not measured: users are created, then come back without a change, until the compiler has seen what is hot. */
const EARLY = ['early', 'early', 'early', 'second', 'second', 'third'];

interface Rate {
  /** Connects per CPU second of the server: what one core can do. */
  readonly perCore: number;
  /** Connects per second on the clock. */
  readonly perSecond: number;
}

/** A chat client that connects as its own user and sends its details. Tokens are made before the clock runs. */
export function userGreeting(prefix: string, count: number): Greeting {
  const frames = Array.from({ length: count }, (_, index) => {
    const id = `${prefix}-${index}`;
    const user = { id, name: `Some Name ${index}`, image: `https://cdn.example.com/avatars/${index}.jpg`, mood: 'good' };
    return JSON.stringify({ op: 'connect', id: 1, api_key: API_KEY, token: userToken(id), user });
  });
  return {
    path: '/live',
    protocol: 'roster.v1',
    ready: async (socket, index) => {
      const answer = socket.text((text) => text.startsWith('{"re":1'));
      socket.send(frames[index] ?? '');
      await answer;
    },
  };
}

async function measure({ server, name }: Contestant, greeting: Greeting, crowds = 1): Promise<Rate> {
  const cpuBefore = server.cpuSeconds();
  const startMs = performance.now();
  await server.profiled(`connects-${name}`, async () => {
    for (let crowd = 0; crowd < crowds; crowd++) (await Swarm.open(server.port, CONNECTS, greeting)).cut();
  });
  const connects = crowds * CONNECTS;
  return { perCore: connects / (server.cpuSeconds() - cpuBefore), perSecond: (connects * 1000) / (performance.now() - startMs) };
}

async function plainRound(mode: 'ws-framed' | 'socket.io'): Promise<Rate> {
  const peer = await startPeer(mode);
  try {
    (await Swarm.open(peer.server.port, WARM_UP, peer.greeting)).cut();
    return await measure(peer, peer.greeting);
  } finally {
    await peer.end();
  }
}

async function rosterRound(): Promise<{ create: Rate; merge: Rate }> {
  const rosterd = await startRosterd(['--rate-limits', 'off']);
  try {
    for (const prefix of EARLY) (await Swarm.open(rosterd.server.port, WARM_UP, userGreeting(prefix, WARM_UP))).cut();
    const greeting = userGreeting('user', CONNECTS);
    const create = await measure({ ...rosterd, name: 'create' }, greeting);
    const merge = await measure({ ...rosterd, name: 'merge' }, greeting, RETURNS);
    return { create, merge };
  } finally {
    await rosterd.end();
  }
}

export async function connects(): Promise<Report> {
  const create: Rate[] = [];
  const merge: Rate[] = [];
  const bare: Rate[] = [];
  const io: Rate[] = [];
  for (let turn = 0; turn < ROUNDS; turn++) {
    const ours = await rosterRound();
    create.push(ours.create);
    merge.push(ours.merge);
    bare.push(await plainRound('ws-framed'));
    io.push(await plainRound('socket.io'));
  }
  const row = (what: string, unit: string, ours: readonly Rate[], pick: (rate: Rate) => number, target?: Row['target']): Row => {
    const peers = [
      { name: 'bare ws', stat: overRounds(bare.map(pick)) },
      { name: 'socket.io', stat: overRounds(io.map(pick)) },
    ];
    return { what, unit, stat: overRounds(ours.map(pick)), peers, ...(target === undefined ? {} : { target }) };
  };
  return {
    rig: 'connects',
    notes: [
      `${CONNECTS} connects, 50 at a time, each with its own user and token; connections stay open until all of them are; without a change, ${RETURNS} times. New users are durable before the welcome.`,
      'bare ws: the handshake alone. socket.io: handshake and namespace connect.',
    ],
    rows: [
      row('connect, user is created', 'connects / CPU s', create, ({ perCore }) => perCore, { least: 2_000 }),
      row('connect, user is created', 'connects/s', create, ({ perSecond }) => perSecond),
      row('connect, nothing changes', 'connects / CPU s', merge, ({ perCore }) => perCore, { least: 2_000 }),
      row('connect, nothing changes', 'connects/s', merge, ({ perSecond }) => perSecond),
    ],
  };
}

await runWhenMain(import.meta.url, connects);
