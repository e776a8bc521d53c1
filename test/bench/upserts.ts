/**
 * Durable upserts through HTTP: how many users per second one core validates, compares, journals with fdatasync, applies,
 * acknowledges and broadcasts, and how long anyone waits meanwhile.
 */
import { HttpLine, postAll } from './kit/http-line.ts';
import type { Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { ROUNDS, scale } from './kit/scale.ts';
import { overRounds, percentile } from './kit/stats.ts';
import { upsertBodies, upsertBody } from './kit/users.ts';
import { Pinger } from './load/pinger.ts';
import { rosterGreeting, Swarm } from './load/swarm.ts';
import { type Contestant, startPeer, startRosterd } from './servers/peers.ts';
import type { Delay } from './servers/server-process.ts';

const USERS = scale(40_000, 20_000);
const LONE = USERS / 4;
/** A full garbage collection comes about every 100,000 users: whether it falls into the phase should not be most of its CPU time. */
const ALONE_PASSES = scale(2, 4);
const SINGLES = scale(10_000, 4_000);
const BATCHES_IN_FLIGHT = 8;
const SINGLES_IN_FLIGHT = 200;
const SUBSCRIBERS = 100;
const NOTHING = rosterGreeting(() => ({ ids: [] }));

interface Phase {
  readonly usersPerSecond: number;
  /** CPU seconds of the server per 100,000 users. */
  readonly cpu: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  readonly delay: Delay;
  readonly ping: { readonly p99Ms: number; readonly maxMs: number };
}

interface Round {
  readonly created: Phase;
  /** One batch at a time: what a batch takes when it does not wait behind others. */
  readonly lone: Phase;
  readonly unchanged: Phase;
  readonly alone: Phase;
  readonly singles: Phase;
  readonly peer: number;
  readonly peerCpu: number;
}

async function round(): Promise<Round> {
  const rosterd = await startRosterd();
  const { server, upsert } = rosterd;
  const measure = async (name: string, inFlight: number, users: number, bodies: Iterable<Buffer>): Promise<Phase> => {
    const lines = await HttpLine.many(server.port, inFlight);
    const pinger = await Pinger.open(server.port, NOTHING);
    await server.startDelay();
    const cpuBefore = server.cpuSeconds();
    const startMs = performance.now();
    const acks = await server.profiled(name, () => postAll(lines, upsert, bodies));
    const seconds = (performance.now() - startMs) / 1000;
    const cpu = ((server.cpuSeconds() - cpuBefore) * 1e5) / users;
    const delay = await server.delay();
    for (const line of lines) line.close();
    return {
      usersPerSecond: users / seconds,
      cpu,
      ackP50Ms: percentile(acks, 0.5),
      ackP99Ms: percentile(acks, 0.99),
      delay,
      ping: pinger.stop(),
    };
  };
  try {
    await warmUp(rosterd);
    const aloneBodies = Array.from({ length: ALONE_PASSES }, (_, pass) => [...upsertBodies(USERS, 10 + pass)]).flat();
    const alone = await measure('upserts-alone', BATCHES_IN_FLIGHT, ALONE_PASSES * USERS, aloneBodies);
    const swarm = await Swarm.open(server.port, SUBSCRIBERS, rosterd.greeting);
    const created = await measure('upserts', BATCHES_IN_FLIGHT, USERS, upsertBodies(USERS, 2));
    await swarm.all(USERS);
    const unchanged = await measure('upserts-unchanged', BATCHES_IN_FLIGHT, USERS, upsertBodies(USERS, 2));
    const lone = await measure('upserts-lone', 1, LONE, upsertBodies(LONE, 3));
    const bodies = Array.from({ length: SINGLES }, (_, index) => upsertBody(index % USERS, 1, 4 + index));
    const singles = await measure('upserts-single', SINGLES_IN_FLIGHT, SINGLES, bodies);
    await swarm.all(USERS + LONE + SINGLES);
    swarm.cut();
    return { created, lone, unchanged, alone, singles, ...(await peerRound()) };
  } finally {
    await rosterd.end();
  }
}

/** Not measured: the compiler needs some seconds of each kind of work to see what is hot. */
async function warmUp({ server, upsert }: Contestant): Promise<void> {
  const lines = await HttpLine.many(server.port, BATCHES_IN_FLIGHT);
  for (const version of [-2, -1, 0, 0, 0]) await postAll(lines, upsert, upsertBodies(USERS, version));
  for (const line of lines) line.close();
  const singles = await HttpLine.many(server.port, SINGLES_IN_FLIGHT);
  const bodies = Array.from({ length: 3 * SINGLES }, (_, index) => upsertBody(index % USERS, 1, -3 - index));
  await postAll(singles, upsert, bodies);
  for (const line of singles) line.close();
}

/** The same requests and subscribers with the best plain server: JSON into a Map, and out to everyone. */
async function peerRound(): Promise<{ peer: number; peerCpu: number }> {
  const peer = await startPeer('ws-framed');
  try {
    const swarm = await Swarm.open(peer.server.port, SUBSCRIBERS, peer.greeting);
    const lines = await HttpLine.many(peer.server.port, BATCHES_IN_FLIGHT);
    await postAll(lines, peer.upsert, upsertBodies(USERS, 1));
    const cpuBefore = peer.server.cpuSeconds();
    const startMs = performance.now();
    await postAll(lines, peer.upsert, upsertBodies(USERS, 2));
    const usersPerSecond = (USERS * 1000) / (performance.now() - startMs);
    const peerCpu = ((peer.server.cpuSeconds() - cpuBefore) * 1e5) / USERS;
    swarm.cut();
    return { peer: usersPerSecond, peerCpu };
  } finally {
    await peer.end();
  }
}

export async function upserts(): Promise<Report> {
  const all: Round[] = [];
  for (let turn = 0; turn < ROUNDS; turn++) all.push(await round());
  const row = (what: string, unit: string, pick: (round: Round) => number, more: Partial<Row> = {}): Row => {
    return { what, unit, stat: overRounds(all.map(pick)), ...more };
  };
  const beside = (pick: (round: Round) => number) => ({ peers: [{ name: 'ws-framed, no disk', stat: overRounds(all.map(pick)) }] });
  const cpuUnit = 'CPU s / 100,000 users';
  return {
    rig: 'upserts',
    notes: [
      `batches of 100 users of 400 bytes, ${BATCHES_IN_FLIGHT} in flight; ${SUBSCRIBERS} subscribers of everything unless said otherwise, whose every byte is read on the other core.`,
      'with n batches in flight an acknowledgement cannot be faster than n batches are processed; hence the line with one.',
      'the acknowledgement holds the users; ping: a request over an idle live connection every 20 ms during the run.',
    ],
    rows: [
      row('changed users', 'users/s', ({ created }) => created.usersPerSecond, {
        target: { least: 60_000 },
        ...beside(({ peer }) => peer),
      }),
      row(
        'changed users',
        cpuUnit,
        ({ created }) => created.cpu,
        beside(({ peerCpu }) => peerCpu),
      ),
      row('  acknowledged, p50', 'ms', ({ created }) => created.ackP50Ms),
      row('  acknowledged, p99', 'ms', ({ created }) => created.ackP99Ms, { target: { most: 10 } }),
      row('  event-loop delay, p99', 'ms', ({ created }) => created.delay.p99Ms, { target: { most: 20 } }),
      row('  event-loop delay, max', 'ms', ({ created }) => created.delay.maxMs, { target: { most: 100 } }),
      row('  ping, p99', 'ms', ({ created }) => created.ping.p99Ms),
      row('  ping, max', 'ms', ({ created }) => created.ping.maxMs),
      row('one batch at a time, acknowledged, p50', 'ms', ({ lone }) => lone.ackP50Ms),
      row('  p99', 'ms', ({ lone }) => lone.ackP99Ms, { target: { most: 10 } }),
      row('changed users, nobody listening', 'users/s', ({ alone }) => alone.usersPerSecond),
      row('changed users, nobody listening', cpuUnit, ({ alone }) => alone.cpu),
      row('  acknowledged, p99', 'ms', ({ alone }) => alone.ackP99Ms),
      row('unchanged users', 'users/s', ({ unchanged }) => unchanged.usersPerSecond, { target: { least: 100_000 } }),
      row('unchanged users', cpuUnit, ({ unchanged }) => unchanged.cpu),
      row(`one user per request, ${SINGLES_IN_FLIGHT} in flight`, 'users/s', ({ singles }) => singles.usersPerSecond),
      row('  the same', cpuUnit, ({ singles }) => singles.cpu),
      row('  acknowledged, p99', 'ms', ({ singles }) => singles.ackP99Ms),
    ],
  };
}

await runWhenMain(import.meta.url, upserts);
