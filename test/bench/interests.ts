/**
 * Subscribers that each want something else: 1,000 sockets with 100 ids of 100,000 each, and batches of 100 users. What the
 * daemon spends on finding and telling the right ones, beside the bare sending of the same bytes.
 */
import { HttpLine } from './kit/http-line.ts';
import type { Report } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { ROUNDS, scale } from './kit/scale.ts';
import { overRounds, sleep } from './kit/stats.ts';
import { upsertBody } from './kit/users.ts';
import { rosterGreeting, Swarm } from './load/swarm.ts';
import { startPeer, startRosterd } from './servers/peers.ts';

const SOCKETS = 1_000;
const IDS_PER_SOCKET = 100;
const IDS = 100_000;
const BATCHES = scale(1_000, 400);

/** Ids of a socket, spread so that every id has one socket and a batch of neighbours hits a hundred of them. */
function idsOf(socket: number): string[] {
  return Array.from({ length: IDS_PER_SOCKET }, (_, n) => `user-${n * SOCKETS + socket}`);
}

interface Cost {
  /** CPU milliseconds of the server per batch. */
  readonly cpuMs: number;
  readonly bytesPerDelivery: number;
}

async function rosterRound(listening: boolean): Promise<Cost> {
  const rosterd = await startRosterd();
  try {
    const { server, upsert } = rosterd;
    const swarm = await Swarm.open(
      server.port,
      listening ? SOCKETS : 0,
      rosterGreeting((socket) => ({ ids: idsOf(socket) })),
    );
    const line = await HttpLine.open(server.port);
    let told = 0;
    const run = async (batches: number, version: number): Promise<void> => {
      for (let batch = 0; batch < batches; batch++) {
        await line.post(upsert, upsertBody((batch * 100) % IDS, 100, version));
        told += listening ? 100 : 0;
      }
      while (swarm.events < told) await sleep(1);
    };
    for (const version of [-2, -1, 0]) await run(BATCHES, version);
    const before = { cpu: server.cpuSeconds(), bytes: swarm.bytes, events: swarm.events };
    await server.profiled(listening ? 'interests' : 'interests-nobody', () => run(BATCHES, 1));
    const cpuMs = ((server.cpuSeconds() - before.cpu) * 1000) / BATCHES;
    if (swarm.events !== told) throw new Error(`${swarm.events} events arrived instead of ${told}`);
    const bytesPerDelivery = listening ? (swarm.bytes - before.bytes) / (swarm.events - before.events) : 0;
    swarm.cut();
    line.close();
    return { cpuMs, bytesPerDelivery };
  } finally {
    await rosterd.end();
  }
}

async function sendsRound(bytes: number): Promise<number> {
  const peer = await startPeer('sends');
  try {
    const swarm = await Swarm.open(peer.server.port, SOCKETS, peer.greeting);
    const line = await HttpLine.open(peer.server.port);
    const run = async (turns: number, sum: number): Promise<void> => {
      await line.post({ path: '/sends' }, Buffer.from(JSON.stringify({ turns, writes: 100, bytes })));
      while (swarm.events < sum) await sleep(1);
    };
    await run(BATCHES, BATCHES * 100);
    const before = peer.server.cpuSeconds();
    await run(BATCHES * 4, BATCHES * 500);
    const cpuMs = ((peer.server.cpuSeconds() - before) * 1000) / (BATCHES * 4);
    swarm.cut();
    line.close();
    return cpuMs;
  } finally {
    await peer.end();
  }
}

export async function interests(): Promise<Report> {
  const listening: number[] = [];
  const nobody: number[] = [];
  const sends: number[] = [];
  const ratios: number[] = [];
  for (let turn = 0; turn < ROUNDS; turn++) {
    const heard = await rosterRound(true);
    const unheard = await rosterRound(false);
    const bare = await sendsRound(heard.bytesPerDelivery);
    listening.push(heard.cpuMs);
    nobody.push(unheard.cpuMs);
    sends.push(bare);
    ratios.push((heard.cpuMs - unheard.cpuMs) / bare);
  }
  const bare = overRounds(sends);
  return {
    rig: 'different interests',
    notes: [
      `${SOCKETS} sockets, ${IDS_PER_SOCKET} ids of ${IDS.toLocaleString('en-US')} each; a batch of 100 users is 100 deliveries to 100 sockets.`,
      'sends: another process writes the same number of bytes to the same number of sockets without deciding anything (no HTTP, no journal).',
    ],
    rows: [
      {
        what: 'batch of 100 users, told to those concerned',
        unit: 'CPU ms',
        stat: overRounds(listening),
        peers: [{ name: 'sends', stat: bare }],
      },
      { what: 'the same batch, nobody listening', unit: 'CPU ms', stat: overRounds(nobody) },
      { what: 'finding and telling ÷ sending the same bytes', unit: '×', stat: overRounds(ratios), target: { most: 2 } },
    ],
  };
}

await runWhenMain(import.meta.url, interests);
