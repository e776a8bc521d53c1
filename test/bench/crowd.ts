/**
 * A crowd and a bulk load at the same time: 5,000 users are connected, all of whom hear of one marked user, more come all the
 * time, everyone asks for signs of life, and 50 batches of 100 changed users per second come over HTTP meanwhile. How long
 * anyone waits, and whether one subscriber that stops reading is noticed by the others.
 */

import { HttpLine } from './kit/http-line.ts';
import type { Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { ROUNDS, scale } from './kit/scale.ts';
import { monotonicMs, overRounds, percentile, sleep } from './kit/stats.ts';
import { smallUser, upsertBodies, upsertBody } from './kit/users.ts';
import { MARKED, openMember, type Seen } from './load/crowd-load.ts';
import { Load, Pace, Poster } from './load/crowd-tools.ts';
import { ROSTER_ALL, Swarm } from './load/swarm.ts';
import { type Contestant, startRosterd } from './servers/peers.ts';
import type { Delay } from './servers/server-process.ts';

const CROWD = scale(5_000, 2_000);
/** Processes that hold it: none of them has so much to read that it delays what it measures. */
const LOADS = 4;
const BATCHES_PER_SECOND = 50;
const BATCH_USERS = 100;
/** Users that the bulk load changes in turn. */
const USERS = 10_000;
const CONNECTS_PER_SECOND = 50;
/** How long a newcomer stays. */
const STAY_MS = 2_000;
/** Of the whole crowd: each asks about once in 25 s, as often as the daemon does. */
const PINGS_PER_SECOND = 200;
const MARKED_EVERY_MS = 500;
const SETTLE_MS = 3_000;
const PHASE_MS = scale(20_000, 8_000);
/** Small, so that it is full before anything is measured, and memory that grows later is not history. */
const FLAGS = ['--rate-limits', 'off', '--history-bytes', String(4 * 1024 * 1024)];

interface Phase {
  readonly connectP99Ms: number;
  readonly connectMaxMs: number;
  readonly pingP99Ms: number;
  readonly pingMaxMs: number;
  readonly toldP50Ms: number;
  readonly toldP99Ms: number;
  readonly toldMaxMs: number;
  readonly ackP99Ms: number;
  readonly usersPerSecond: number;
  readonly delay: Delay;
  /** Share of one core that the daemon and the load took. */
  readonly serverBusy: number;
  readonly loadBusy: number;
  /** Resident memory and memory in use, grown over the phase, MiB. */
  readonly grownRss: number;
  readonly grownUsed: number;
  /** What waits in the daemon for the slowest socket at the end, MiB. */
  readonly queued: number;
}

interface Round {
  readonly openedSeconds: number;
  readonly calm: Phase;
  readonly paused: Phase;
}

class Scene {
  readonly #contestant: Contestant;
  readonly #loads: readonly Load[];
  #marked: Poster | undefined;
  /** When each change of the marked user was sent, by its number. */
  readonly #sentMs: number[] = [];
  readonly #bulk: Poster;
  #connectsMs: number[] = [];
  #newcomers = 0;
  #failure: unknown;
  readonly #paces: Pace[] = [];

  constructor(contestant: Contestant, loads: readonly Load[], bulk: readonly HttpLine[]) {
    this.#contestant = contestant;
    this.#loads = loads;
    this.#bulk = new Poster(contestant.upsert, bulk);
  }

  startBulk(): void {
    const batches = USERS / BATCH_USERS;
    this.#paces.push(
      new Pace(1_000 / BATCHES_PER_SECOND, (call) => {
        this.#bulk.post(upsertBody((call % batches) * BATCH_USERS, BATCH_USERS, 1 + Math.floor(call / batches)));
      }),
    );
  }

  /** Seconds until the whole crowd was there. */
  async openCrowd(): Promise<number> {
    const { port } = this.#contestant.server;
    const startMs = performance.now();
    const share = { do: 'open', port, count: CROWD / LOADS, pingsPerSecond: PINGS_PER_SECOND / LOADS } as const;
    await Promise.all(this.#loads.map((load, index) => load.tell({ ...share, prefix: `crowd-${index}` })));
    return (performance.now() - startMs) / 1_000;
  }

  async startMarked(): Promise<void> {
    const { server, upsert } = this.#contestant;
    const marked = new Poster(upsert, await HttpLine.many(server.port, 4));
    this.#marked = marked;
    this.#paces.push(
      new Pace(MARKED_EVERY_MS, (call) => {
        const body = upsertBody(0, 1, 1 + call, (index, version) => ({ ...smallUser(index, version), id: MARKED }));
        this.#sentMs.push(monotonicMs());
        marked.post(body);
      }),
    );
  }

  startNewcomers(): void {
    this.#paces.push(
      new Pace(1_000 / CONNECTS_PER_SECOND, () => {
        this.#newcomer().catch((error: unknown) => {
          this.#failure ??= error;
        });
      }),
    );
  }

  async #newcomer(): Promise<void> {
    const { socket, tookMs } = await openMember(this.#contestant.server.port, `new-${this.#newcomers++}`, undefined);
    this.#connectsMs.push(tookMs);
    await sleep(STAY_MS);
    socket.cut();
  }

  async phase(name: string, before: () => void): Promise<Phase> {
    const { server } = this.#contestant;
    const memory = await server.settledMemory();
    before();
    // What waited for the collection is not measured.
    await sleep(SETTLE_MS);
    await this.#take();
    const cpuBefore = await this.#cpu();
    await server.startDelay();
    const startMs = performance.now();
    await server.profiled(`crowd-${name}`, () => sleep(PHASE_MS));
    const seconds = (performance.now() - startMs) / 1_000;
    const delay = await server.delay();
    const cpu = await this.#cpu();
    const { seen, acksMs, connectsMs } = await this.#take();
    const queued = (await server.queuedBytes()) / 1024 ** 2;
    const after = await server.settledMemory();
    const told = this.#latencies(seen);
    const pings = seen.flatMap(({ pingsMs }) => [...pingsMs]);
    return {
      connectP99Ms: percentile(connectsMs, 0.99),
      connectMaxMs: percentile(connectsMs, 1),
      pingP99Ms: percentile(pings, 0.99),
      pingMaxMs: percentile(pings, 1),
      toldP50Ms: percentile(told, 0.5),
      toldP99Ms: percentile(told, 0.99),
      toldMaxMs: percentile(told, 1),
      ackP99Ms: percentile(acksMs, 0.99),
      usersPerSecond: (acksMs.length * BATCH_USERS) / seconds,
      delay,
      serverBusy: (cpu.server - cpuBefore.server) / seconds,
      loadBusy: (cpu.load - cpuBefore.load) / seconds,
      grownRss: (after.rssBytes - memory.rssBytes) / 1024 ** 2,
      grownUsed: (after.usedBytes - memory.usedBytes) / 1024 ** 2,
      queued,
    };
  }

  /** CPU seconds so far: of the daemon, and of all processes of the load. */
  async #cpu(): Promise<{ server: number; load: number }> {
    const { user, system } = process.cpuUsage();
    const seen = await this.#peek();
    return { server: this.#contestant.server.cpuSeconds(), load: seen + (user + system) / 1e6 };
  }

  readonly #held: Seen[] = [];

  async #peek(): Promise<number> {
    const all = await Promise.all(this.#loads.map((load) => load.take()));
    this.#held.push(...all);
    return all.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / 1_000;
  }

  async #take(): Promise<{ seen: Seen[]; acksMs: number[]; connectsMs: number[] }> {
    await this.#peek();
    const failure = this.#failure ?? this.#bulk.failure ?? this.#marked?.failure;
    if (failure !== undefined) throw failure;
    const seen = this.#held.splice(0);
    const gone = seen.reduce((sum, { isOver }) => sum + isOver, 0);
    if (gone > 0) throw new Error(`${gone} sockets of the crowd were closed`);
    const taken = { seen, acksMs: this.#bulk.acksMs, connectsMs: this.#connectsMs };
    this.#bulk.acksMs = [];
    this.#connectsMs = [];
    return taken;
  }

  /** Every socket of the crowd was there before the first change, so the number of an event on it is that of the change. */
  #latencies(seen: readonly Seen[]): number[] {
    const all: number[] = [];
    for (const { arrivedMs, arrivedNumber } of seen) {
      for (const [index, number] of arrivedNumber.entries()) {
        const sentMs = this.#sentMs[number];
        if (sentMs === undefined) throw new Error(`a socket received ${number + 1} events; ${this.#sentMs.length} were sent`);
        all.push((arrivedMs[index] ?? 0) - sentMs);
      }
    }
    return all;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#paces.map((pace) => pace.stop()));
  }
}

async function round(): Promise<Round> {
  const contestant = await startRosterd(FLAGS);
  const { server, upsert } = contestant;
  const loads = await Promise.all(Array.from({ length: LOADS }, () => Load.start()));
  try {
    const lines = await HttpLine.many(server.port, 8);
    for (const body of upsertBodies(USERS, 0)) await lines[0]?.post(upsert, body);
    const scene = new Scene(contestant, loads, lines);
    const [reader] = (await Swarm.open(server.port, 1, ROSTER_ALL)).sockets;
    scene.startBulk();
    await sleep(SETTLE_MS);
    const openedSeconds = await scene.openCrowd();
    await scene.startMarked();
    scene.startNewcomers();
    await sleep(SETTLE_MS);
    const calm = await scene.phase('calm', () => {});
    const paused = await scene.phase('paused', () => reader?.pause());
    await scene.stop();
    return { openedSeconds, calm, paused };
  } finally {
    for (const load of loads) load.stop();
    await contestant.end();
  }
}

export async function crowd(): Promise<Report> {
  const all: Round[] = [];
  for (let turn = 0; turn < ROUNDS; turn++) all.push(await round());
  const calm = (pick: (phase: Phase) => number) => overRounds(all.map((one) => pick(one.calm)));
  const paused = (pick: (phase: Phase) => number) => overRounds(all.map((one) => pick(one.paused)));
  const row = (what: string, unit: string, pick: (phase: Phase) => number, most?: number): Row => {
    return { what, unit, stat: calm(pick), ...(most === undefined ? {} : { target: { most } }) };
  };
  const told = `a change → ${CROWD.toLocaleString('en-US')} sockets`;
  const limit = { most: 2 * calm(({ toldP99Ms }) => toldP99Ms).median };
  return {
    rig: 'crowd',
    notes: [
      `${CROWD.toLocaleString('en-US')} connections, each of its own user and subscribed to one user, who is changed every ${MARKED_EVERY_MS} ms; ${CONNECTS_PER_SECOND} more connect per second and stay ${STAY_MS / 1_000} s.`,
      `all the time ${BATCHES_PER_SECOND} batches/s of ${BATCH_USERS} changed users over HTTP, and one subscriber of everything, who stops reading in the second half.`,
      `connect: from the first byte to the snapshot of the subscription. ping: ${PINGS_PER_SECOND}/s over one connection after the other. Each half takes ${PHASE_MS / 1_000} s.`,
      'memory after a full collection; the daemon runs with a small history, so that what grows is not that.',
    ],
    rows: [
      {
        what: `first ${CROWD.toLocaleString('en-US')} connects, ${50 * LOADS} at a time`,
        unit: 's',
        stat: overRounds(all.map((one) => one.openedSeconds)),
      },
      row('changed users by bulk', 'users/s', ({ usersPerSecond }) => usersPerSecond),
      row('  acknowledged, p99', 'ms', ({ ackP99Ms }) => ackP99Ms),
      row('connect, p99', 'ms', ({ connectP99Ms }) => connectP99Ms, 500),
      row('  max', 'ms', ({ connectMaxMs }) => connectMaxMs),
      row('ping, p99', 'ms', ({ pingP99Ms }) => pingP99Ms),
      row('  max', 'ms', ({ pingMaxMs }) => pingMaxMs, 1_000),
      row(`${told}, p50`, 'ms', ({ toldP50Ms }) => toldP50Ms),
      row('  p99', 'ms', ({ toldP99Ms }) => toldP99Ms, 250),
      row('  max', 'ms', ({ toldMaxMs }) => toldMaxMs),
      row('event-loop delay, p99', 'ms', ({ delay }) => delay.p99Ms, 20),
      row('  max', 'ms', ({ delay }) => delay.maxMs),
      row('core taken by the daemon', '%', ({ serverBusy }) => serverBusy * 100),
      row('core taken by the load', '%', ({ loadBusy }) => loadBusy * 100),
      { what: `${told}, p99, one stopped reading`, unit: 'ms', stat: paused(({ toldP99Ms }) => toldP99Ms), target: limit },
      { what: '  event-loop delay, p99', unit: 'ms', stat: paused(({ delay }) => delay.p99Ms) },
      { what: 'waiting for the slowest socket, all read', unit: 'MiB', stat: calm(({ queued }) => queued) },
      { what: '  one stopped reading', unit: 'MiB', stat: paused(({ queued }) => queued), target: { most: 1 } },
      { what: 'memory in use grown, all read', unit: 'MiB', stat: calm(({ grownUsed }) => grownUsed) },
      { what: '  one stopped reading', unit: 'MiB', stat: paused(({ grownUsed }) => grownUsed) },
      { what: 'RSS grown, all read', unit: 'MiB', stat: calm(({ grownRss }) => grownRss) },
      { what: '  one stopped reading', unit: 'MiB', stat: paused(({ grownRss }) => grownRss) },
    ],
  };
}

await runWhenMain(import.meta.url, crowd);
