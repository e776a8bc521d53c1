/**
 * One subscriber of everything stops reading while a lot happens: what the daemon keeps for it, and what 1,000 others, who
 * hear of a few users only, notice. The same load with and without the stop, in turn.
 */
import { HttpLine } from './kit/http-line.ts';
import { Latencies } from './kit/latencies.ts';
import type { Report } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { ROUNDS, scale } from './kit/scale.ts';
import { overRounds, sleep } from './kit/stats.ts';
import { benchUser, smallUser, upsertBody } from './kit/users.ts';
import { type Greeting, ROSTER_ALL, rosterGreeting, Swarm } from './load/swarm.ts';
import { type Contestant, startPeer, startRosterd } from './servers/peers.ts';

const OTHERS = 1_000;
const PACE_MS = 100;
/** 0.2 MB each: together more than the kernel's buffers and the bound of a queue hold. */
const BATCHES = scale(60, 50);
const WARM_UP = 60;
const TOLD = { ids: ['told-1'] };

interface Mode {
  readonly start: () => Promise<Contestant>;
  readonly everything: Greeting;
  readonly some: Greeting;
}

const ROSTERD: Mode = { start: () => startRosterd(), everything: ROSTER_ALL, some: rosterGreeting(() => TOLD) };
const plain = (path: string): Greeting => ({ path, ready: () => Promise.resolve() });
const PEER: Mode = { start: () => startPeer('ws-framed'), everything: plain('/'), some: plain('/some') };

interface Round {
  readonly p99Ms: number;
  readonly grownMB: number;
}

async function round({ start, everything, some }: Mode, stops: boolean): Promise<Round> {
  const contestant = await start();
  try {
    const { server, upsert } = contestant;
    const others = await Swarm.open(server.port, OTHERS, some);
    const [reader] = (await Swarm.open(server.port, 1, everything)).sockets;
    await sleep(200);
    const line = await HttpLine.open(server.port);
    const latencies = new Latencies(others);
    const big = (index: number, version: number) => ({ ...benchUser(index, version), note: 'y'.repeat(1_600) });
    const turn = async (version: number): Promise<void> => {
      const startMs = performance.now();
      await line.post(upsert, upsertBody((version * 100) % 10_000, 100, version, big));
      latencies.sent();
      await line.post(
        upsert,
        upsertBody(1, 1, version, (index) => ({ ...smallUser(index, version), id: `told-${index}` })),
      );
      await sleep(Math.max(0, startMs + PACE_MS - performance.now()));
    };
    for (let version = 0; version < WARM_UP; version++) await turn(version);
    if (stops) reader?.pause();
    const before = await server.settledRssBytes();
    latencies.take();
    for (let version = WARM_UP; version < WARM_UP + BATCHES; version++) await turn(version);
    const [p99Ms = 0] = latencies.take(0.99);
    const grownMB = ((await server.settledRssBytes()) - before) / 1e6;
    others.cut();
    reader?.cut();
    line.close();
    return { p99Ms, grownMB };
  } finally {
    await contestant.end();
  }
}

export async function slowReader(): Promise<Report> {
  const results = { calm: [] as Round[], slow: [] as Round[], peerCalm: [] as Round[], peerSlow: [] as Round[] };
  for (let turn = 0; turn < ROUNDS; turn++) {
    results.calm.push(await round(ROSTERD, false));
    results.slow.push(await round(ROSTERD, true));
    results.peerCalm.push(await round(PEER, false));
    results.peerSlow.push(await round(PEER, true));
  }
  const p99 = (name: keyof typeof results) => overRounds(results[name].map(({ p99Ms }) => p99Ms));
  const grown = (name: keyof typeof results) => overRounds(results[name].map(({ grownMB }) => grownMB));
  const beside = (stat: ReturnType<typeof p99>) => [{ name: 'ws-framed', stat }];
  const limit = { most: 2 * p99('calm').median };
  return {
    rig: 'slow reader',
    notes: [
      `${OTHERS} subscribers of one user, who is changed every ${PACE_MS} ms, and one of everything, which gets 0.2 MB with each of ${BATCHES} batches beside.`,
      'memory after a full collection at the end; that of rosterd holds the history for resume as well, also when all read.',
    ],
    rows: [
      { what: 'p99 of the others, all read', unit: 'ms', stat: p99('calm'), peers: beside(p99('peerCalm')) },
      { what: 'p99 of the others, one stopped reading', unit: 'ms', stat: p99('slow'), target: limit, peers: beside(p99('peerSlow')) },
      { what: 'memory grown, all read', unit: 'MB', stat: grown('calm'), peers: beside(grown('peerCalm')) },
      { what: 'memory grown, one stopped reading', unit: 'MB', stat: grown('slow'), peers: beside(grown('peerSlow')) },
    ],
  };
}

await runWhenMain(import.meta.url, slowReader);
