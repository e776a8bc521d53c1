/** What a connection costs that does nothing: resident memory of the server per connection, beside bare `ws` and socket.io. */
import { userGreeting } from './connects.ts';
import { HttpLine, postAll } from './kit/http-line.ts';
import type { Report } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { scale } from './kit/scale.ts';
import { overRounds, sleep } from './kit/stats.ts';
import { type Greeting, ROSTER_ALL, Swarm } from './load/swarm.ts';
import { type Contestant, type PeerMode, startPeer, startRosterd } from './servers/peers.ts';

/** The load process needs as many file descriptors; Node raises its limit to the hard one by itself. */
const CONNECTIONS = scale(10_000, 4_000);
const WARM_UP = 500;
/** Memory hardly varies between rounds, and opening 10,000 connections takes its time. */
const ROUNDS = scale(2, 1);
const SETTLE_MS = 500;

/** Bytes of RSS per connection. */
async function measure({ server }: Contestant, warmUp: Greeting, greeting: Greeting): Promise<number> {
  (await Swarm.open(server.port, WARM_UP, warmUp)).cut();
  await sleep(SETTLE_MS);
  const before = await server.settledRssBytes();
  const swarm = await Swarm.open(server.port, CONNECTIONS, greeting);
  await sleep(SETTLE_MS);
  const bytes = ((await server.settledRssBytes()) - before) / CONNECTIONS;
  swarm.cut();
  return bytes;
}

/**
 * The users are there before, as in a directory that was filled by `rosterd sync`: only the connection is measured, and the young
 * generation of the heap has grown to its full size before.
 */
async function ofRosterd(warmUp: Greeting, greeting: Greeting): Promise<number> {
  // Ten thousand connects in a few seconds are more than the published limit of connecting allows.
  const rosterd = await startRosterd(['--rate-limits', 'off']);
  try {
    const { server, upsert } = rosterd;
    const image = (index: number) => `https://cdn.example.com/avatars/${index}.jpg`;
    const bodies = Array.from({ length: CONNECTIONS / 100 }, (_, batch) => {
      const users = Array.from({ length: 100 }, (_, within) => {
        const index = batch * 100 + within;
        return [`user-${index}`, { id: `user-${index}`, name: `Some Name ${index}`, image: image(index), custom: { mood: 'good' } }];
      });
      return Buffer.from(JSON.stringify({ users: Object.fromEntries(users) }));
    });
    const lines = await HttpLine.many(server.port, 4);
    await postAll(lines, upsert, bodies);
    for (const line of lines) line.close();
    return await measure(rosterd, warmUp, greeting);
  } finally {
    await rosterd.end();
  }
}

async function ofPeer(mode: PeerMode): Promise<number> {
  const peer = await startPeer(mode);
  try {
    return await measure(peer, peer.greeting, peer.greeting);
  } finally {
    await peer.end();
  }
}

export async function idleMemory(): Promise<Report> {
  const ours: number[] = [];
  const subscribers: number[] = [];
  const bare: number[] = [];
  const io: number[] = [];
  for (let turn = 0; turn < ROUNDS; turn++) {
    ours.push(await ofRosterd(userGreeting('early', WARM_UP), userGreeting('user', CONNECTIONS)));
    bare.push(await ofPeer('ws-framed'));
    subscribers.push(await ofRosterd(ROSTER_ALL, ROSTER_ALL));
    io.push(await ofPeer('socket.io'));
  }
  const peers = [
    { name: 'bare ws', stat: overRounds(bare) },
    { name: 'socket.io', stat: overRounds(io) },
  ];
  const target = { most: 1.3 * overRounds(bare).median };
  return {
    rig: 'idle memory',
    notes: [
      `RSS after a full collection at ${CONNECTIONS} connections less RSS before them, divided by their number. The target is 1.3 × bare ws of this run.`,
      'a chat client: connected as its own user, hears about itself. The users existed before; what a connect adds to their records counts.',
    ],
    rows: [
      { what: 'idle chat client', unit: 'bytes', stat: overRounds(ours), target, peers },
      { what: 'idle subscriber of everything', unit: 'bytes', stat: overRounds(subscribers), target, peers },
    ],
  };
}

await runWhenMain(import.meta.url, idleMemory);
