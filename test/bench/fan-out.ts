/**
 * What it costs to tell everyone: CPU seconds of the server per million deliveries, for batches of 100 events, for single
 * events at a walking pace with their latency, and for single events as fast as the server takes them.
 */
import { HttpLine, postAll } from './kit/http-line.ts';
import { Latencies } from './kit/latencies.ts';
import type { Peer, Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { isLarge, ROUNDS, scale } from './kit/scale.ts';
import { overRounds, sleep } from './kit/stats.ts';
import { Swarm } from './load/swarm.ts';
import {
  ENTRANTS,
  type Entrant,
  FLOOR,
  FRAMED,
  GATHERED,
  IO,
  type MakeBody,
  ONE_WRITE,
  OURS,
  OURS_COMPRESSED,
  OURS_IO,
  upserts,
} from './servers/entrants.ts';
import type { Contestant } from './servers/peers.ts';

const BATCH_USERS = 100;
const USERS = 10_000;
const PACE_MS = 20;
const PACED_EVENTS = scale(200, 100);
/** Requests in flight when single events come at full speed. */
const IN_FLIGHT = 64;
/** Answered before anyone listens: what is measured is a server that has been at work, not one whose code is still being compiled. */
const WARM_UP_REQUESTS = 2_000;

interface Round {
  readonly batchCpu: number;
  readonly pacedCpu: number;
  readonly pacedP50Ms: number;
  readonly pacedP99Ms: number;
  readonly singleCpu: number;
  readonly singlesPerSecond: number;
  /** On the wire, for one event of a batch and one socket. */
  readonly batchBytes: number;
}

/** A target: at most so many times what the peer takes in the same run. */
interface Goal {
  readonly times: number;
  readonly peer: string;
}

class Measurement {
  readonly #contestant: Contestant;
  readonly #swarm: Swarm;
  readonly #line: HttpLine;
  readonly #make: MakeBody;
  /** For single events. Opened when they are needed: a server ends connections that ask for nothing. */
  #lines: readonly HttpLine[] = [];
  #told = 0;
  #version = 0;

  constructor(contestant: Contestant, swarm: Swarm, line: HttpLine, make: MakeBody) {
    this.#contestant = contestant;
    this.#swarm = swarm;
    this.#line = line;
    this.#make = make;
  }

  async openLines(): Promise<void> {
    this.#lines = await HttpLine.many(this.#contestant.server.port, IN_FLIGHT);
  }

  close(): void {
    for (const line of [this.#line, ...this.#lines]) line.close();
  }

  #body(users: number): Buffer {
    const first = (this.#told * 7) % (USERS - users);
    return this.#make(first, users, ++this.#version);
  }

  /** CPU seconds per million deliveries of what `work` made the server send. */
  async #cpuPerMillion(work: () => Promise<void>): Promise<number> {
    const before = this.#contestant.server.cpuSeconds();
    const events = this.#swarm.events;
    await work();
    const deliveries = this.#swarm.events - events;
    return ((this.#contestant.server.cpuSeconds() - before) * 1e6) / deliveries;
  }

  /** The next batch is sent when the last socket has the one before: no queue builds up anywhere. */
  async batches(count: number): Promise<number> {
    return await this.#cpuPerMillion(async () => {
      for (let batch = 0; batch < count; batch++) {
        await this.#line.post(this.#contestant.upsert, this.#body(BATCH_USERS));
        this.#told += BATCH_USERS;
        await this.#swarm.all(this.#told);
      }
    });
  }

  /** One event every 20 ms. The latency is from sending the request to the arrival at each socket. */
  async paced(count: number): Promise<{ cpu: number; p50Ms: number; p99Ms: number }> {
    const latencies = new Latencies(this.#swarm);
    const cpu = await this.#cpuPerMillion(async () => {
      const startMs = performance.now();
      const answers: Promise<number>[] = [];
      for (let event = 0; event < count; event++) {
        await sleep(Math.max(0, startMs + event * PACE_MS - performance.now()));
        const line = this.#lines[event % this.#lines.length];
        const body = this.#body(1);
        latencies.sent();
        if (line !== undefined) answers.push(line.post(this.#contestant.upsert, body));
        this.#told++;
      }
      await Promise.all(answers);
      await this.#swarm.all(this.#told);
    });
    for (const socket of this.#swarm.sockets) socket.onEvents = undefined;
    const [p50Ms = 0, p99Ms = 0] = latencies.take(0.5, 0.99);
    return { cpu, p50Ms, p99Ms };
  }

  async fullSpeed(count: number): Promise<{ cpu: number; perSecond: number }> {
    const bodies = Array.from({ length: count }, (_, index) => this.#make(index % USERS, 1, ++this.#version));
    const startMs = performance.now();
    const cpu = await this.#cpuPerMillion(async () => {
      await postAll(this.#lines, this.#contestant.upsert, bodies);
      this.#told += count;
      await this.#swarm.all(this.#told);
    });
    return { cpu, perSecond: (count * 1000) / (performance.now() - startMs) };
  }
}

async function warmUp({ server, upsert }: Contestant, make: MakeBody): Promise<void> {
  const lines = await HttpLine.many(server.port, IN_FLIGHT);
  const bodies = Array.from({ length: WARM_UP_REQUESTS }, (_, index) => make(index % USERS, 1, 0));
  await postAll(lines, upsert, bodies);
  for (const line of lines) line.close();
}

async function round({ name, start, sizes, body }: Entrant, socketCount: number): Promise<Round> {
  const contestant = await start();
  const make = body?.(socketCount) ?? upserts;
  try {
    await warmUp(contestant, make);
    const swarm = await Swarm.open(contestant.server.port, socketCount, contestant.greeting);
    // The peers have no answer that says a connection is ready; theirs is once the server has it.
    await sleep(200);
    const measured = new Measurement(contestant, swarm, await HttpLine.open(contestant.server.port), make);
    await measured.batches(sizes.warmUpBatches);
    const bytes = swarm.bytes;
    const events = swarm.events;
    const batchCpu = await contestant.server.profiled(`fan-out-batch-${name}`, () => measured.batches(sizes.batches));
    const batchBytes = (swarm.bytes - bytes) / (swarm.events - events);
    await measured.openLines();
    const paced = await measured.paced(PACED_EVENTS);
    await measured.fullSpeed(Math.round(sizes.singles / 10));
    const full = await contestant.server.profiled(`fan-out-single-${name}`, () => measured.fullSpeed(sizes.singles));
    swarm.cut();
    measured.close();
    return {
      batchCpu,
      pacedCpu: paced.cpu,
      pacedP50Ms: paced.p50Ms,
      pacedP99Ms: paced.p99Ms,
      singleCpu: full.cpu,
      singlesPerSecond: full.perSecond,
      batchBytes,
    };
  } finally {
    await contestant.end();
  }
}

type Pick = (round: Round) => number;

/** All entrants in turn, `ROUNDS` times. */
async function rounds(socketCount: number): Promise<Map<string, Round[]>> {
  const results = new Map<string, Round[]>();
  for (let turn = 0; turn < ROUNDS; turn++) {
    for (const entrant of ENTRANTS) {
      const { name } = entrant;
      results.set(name, [...(results.get(name) ?? []), await round(entrant, socketCount)]);
    }
  }
  return results;
}

export async function fanOut(): Promise<Report> {
  const rows: Row[] = [];
  let bytes = 0;
  for (const sockets of isLarge ? [1_000, 5_000] : [1_000]) {
    const results = await rounds(sockets);
    const statOf = (name: string, pick: Pick) => overRounds((results.get(name) ?? []).map(pick));
    const targetOf = (pick: Pick, goal: Goal | undefined): Partial<Row> => {
      return goal === undefined ? {} : { target: { most: goal.times * statOf(goal.peer, pick).median } };
    };
    const row = (what: string, unit: string, pick: Pick, goal?: Goal): Row => {
      const peers = [...results.keys()].filter((name) => !name.startsWith(OURS)).map((name): Peer => ({ name, stat: statOf(name, pick) }));
      return { what, unit, stat: statOf(OURS, pick), peers, ...targetOf(pick, goal) };
    };
    const ioRow = (what: string, unit: string, pick: Pick): Row => {
      const peers = [OURS, IO].map((name): Peer => ({ name, stat: statOf(name, pick) }));
      return { what: `  ${what}, over Socket.IO`, unit, stat: statOf(OURS_IO, pick), peers };
    };
    const compressedRow = (unit: string, pick: Pick, times: number): Row => {
      const peers = [OURS, FRAMED].map((name): Peer => ({ name, stat: statOf(name, pick) }));
      return {
        what: '  the same, compressed',
        unit,
        stat: statOf(OURS_COMPRESSED, pick),
        peers,
        ...targetOf(pick, { times, peer: FRAMED }),
      };
    };
    const to = `→ ${sockets.toLocaleString('en-US')} sockets`;
    const cpuUnit = 'CPU s / M deliveries';
    bytes = results.get(OURS)?.[0]?.batchBytes ?? 0;
    rows.push(
      row(`batches of ${BATCH_USERS} ${to}`, cpuUnit, ({ batchCpu }) => batchCpu, { times: 1.1, peer: FRAMED }),
      compressedRow(cpuUnit, ({ batchCpu }) => batchCpu, 0.8),
      compressedRow('bytes / delivery', ({ batchBytes }) => batchBytes, 0.15),
      ioRow('the same', cpuUnit, ({ batchCpu }) => batchCpu),
      row(`single, 50/s ${to}`, cpuUnit, ({ pacedCpu }) => pacedCpu, { times: 1.1, peer: FRAMED }),
      ioRow('the same', cpuUnit, ({ pacedCpu }) => pacedCpu),
      row(`single, 50/s ${to}, p50`, 'ms', ({ pacedP50Ms }) => pacedP50Ms),
      row(`single, 50/s ${to}, p99`, 'ms', ({ pacedP99Ms }) => pacedP99Ms, { times: 1.2, peer: FLOOR }),
      ioRow('the same', 'ms', ({ pacedP99Ms }) => pacedP99Ms),
      row(`single, full speed ${to}`, cpuUnit, ({ singleCpu }) => singleCpu, { times: 1, peer: GATHERED }),
      ioRow('the same', cpuUnit, ({ singleCpu }) => singleCpu),
      row(`single, full speed ${to}`, 'events/s', ({ singlesPerSecond }) => singlesPerSecond),
    );
  }
  const notes = [
    'rosterd: HTTP, token, rate limit, JSON, validation, comparison, journal with fdatasync, apply, render, request log, write; the answer holds the users. Peers: HTTP, JSON, Map, event, write; the answer is {}.',
    `an event is ${Math.round(bytes)} bytes on the wire for all; the load is one process that reads every byte on the other core.`,
    'over Socket.IO: the same daemon; its own Socket.IO transport, WebSocket, one event per user as for socket.io.',
    'writes alone: the same bytes, prepared; one write per socket and nothing else. What the kernel takes here: no server needs less.',
    'uWebSockets: its C++ publishes each event that Python makes, to its own subscribers. Centrifugo: events ready-made through its HTTP API, in its own frames.',
    'ws-framed: one buffer per batch, one write per socket, through the raw socket. ws-gathered: the same every 2 ms. ws-loop: send() per event and client.',
    `before: ${WARM_UP_REQUESTS.toLocaleString('en-US')} requests with one user each, and ${ONE_WRITE.warmUpBatches} batches (fewer for servers that write per event).`,
    `full speed: ${IN_FLIGHT} requests in flight, one user each.`,
  ];
  return { rig: 'fan-out', notes, rows };
}

await runWhenMain(import.meta.url, fanOut);
