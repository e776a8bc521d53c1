/** 1,000 subscribers (5,000 with `--large`) come back at once, 10,000 events behind: how long they need, what it costs, and what those who were there all along notice. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { HttpLine, postAll } from './kit/http-line.ts';
import { Latencies } from './kit/latencies.ts';
import type { Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { isLarge, ROUNDS, scale } from './kit/scale.ts';
import { overRounds, sleep } from './kit/stats.ts';
import { smallUser, upsertBody } from './kit/users.ts';
import { RawSocket } from './load/raw-socket.ts';
import type { ResumeOrder } from './load/resume-load.ts';
import { ROSTER_ALL, Swarm } from './load/swarm.ts';
import { API_KEY, Rosterd, SERVER_TOKEN, UPSERT } from './servers/rosterd.ts';

const BEHIND = 10_000;
const LIVE = 100;
const PACE_MS = 20;
const CALM_MS = scale(3_000, 2_000);

interface Round {
  readonly seconds: number;
  readonly cpu: number;
  readonly peakBytes: number;
  readonly calmP99Ms: number;
  readonly busyP99Ms: number;
}

function bodies(): Buffer[] {
  return Array.from({ length: BEHIND / 100 }, (_, batch) => upsertBody(batch * 100, 100, 1, smallUser));
}

/** Publishes single events at a walking pace until `stop`. */
class Pulse {
  readonly latencies: Latencies;
  readonly #line: HttpLine;
  readonly #running: Promise<void>;
  #isStopped = false;

  constructor(swarm: Swarm, line: HttpLine) {
    this.latencies = new Latencies(swarm);
    this.#line = line;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    for (let version = 2; !this.#isStopped; version++) {
      const startMs = performance.now();
      this.latencies.sent();
      await this.#line.post(UPSERT, upsertBody(1, 1, version, smallUser));
      await sleep(Math.max(0, startMs + PACE_MS - performance.now()));
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }
}

/** Those who come back: a process of their own, so that their reading does not delay what the live ones are measured by. */
class Resumers {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<Resumers> {
    const child = fork(resolve(import.meta.dirname, 'load/resume-load.ts'), { execArgv: ['--import', import.meta.resolve('tsx')] });
    await once(child, 'message');
    return new Resumers(child);
  }

  /** Resolves when all have caught up; rejects when one did not. */
  async run(order: ResumeOrder): Promise<void> {
    this.#child.send(order);
    const [ended] = await Promise.race([once(this.#child, 'message'), once(this.#child, 'exit')]);
    if (ended !== 'caught up') throw new Error('the resuming subscribers failed');
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

async function epochOf(port: number): Promise<string> {
  const socket = await RawSocket.open({ port, path: '/live', protocol: 'roster.v1' });
  const answer = socket.text((text) => text.startsWith('{"re":1'));
  socket.send(JSON.stringify({ op: 'connect', id: 1, api_key: API_KEY, token: SERVER_TOKEN }));
  const { epoch }: { epoch: string } = JSON.parse(await answer);
  socket.cut();
  return epoch;
}

async function round(count: number, name: string, flags: readonly string[]): Promise<Round> {
  const rosterd = await Rosterd.start(flags);
  const { server } = rosterd;
  try {
    const swarm = await Swarm.open(server.port, LIVE, ROSTER_ALL);
    const lines = await HttpLine.many(server.port, 4);
    await postAll(lines, UPSERT, bodies());
    await swarm.all(BEHIND);
    const pulse = new Pulse(swarm, await HttpLine.open(server.port));
    await sleep(1_000);
    pulse.latencies.take();
    await sleep(CALM_MS);
    const [calmP99Ms = 0] = pulse.latencies.take(0.99);
    const resume = { epoch: await epochOf(server.port), seq: 0 };
    const resumers = await Resumers.start();
    const before = await server.settledRssBytes();
    // What the collections held up is not what the others are to be blamed for.
    await sleep(500);
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, server.rssBytes());
    }, 20);
    const cpuBefore = server.cpuSeconds();
    const startMs = performance.now();
    pulse.latencies.take();
    await server.profiled(name, () => resumers.run({ port: server.port, resume, count, behind: BEHIND }));
    const seconds = (performance.now() - startMs) / 1000;
    const cpu = server.cpuSeconds() - cpuBefore;
    clearInterval(watch);
    const [busyP99Ms = 0] = pulse.latencies.take(0.99);
    await pulse.stop();
    resumers.stop();
    swarm.cut();
    for (const line of lines) line.close();
    return { seconds, cpu, peakBytes: peak - before, calmP99Ms, busyP99Ms };
  } finally {
    await rosterd.end();
  }
}

async function rounds(title: string, count: number, flags: readonly string[]): Promise<Row[]> {
  const all: Round[] = [];
  for (let turn = 0; turn < ROUNDS; turn++) all.push(await round(count, `resume-${title.replaceAll(' ', '-')}`, flags));
  const pick = (field: keyof Round) => overRounds(all.map((one) => one[field]));
  const perSocket = overRounds(all.map(({ peakBytes }) => peakBytes / count / 1024));
  const million = (count * BEHIND) / 1e6;
  return [
    { what: `${count} subscribers, ${BEHIND.toLocaleString('en-US')} events behind, ${title}`, unit: 's', stat: pick('seconds') },
    { what: '  the same', unit: 'CPU s / M deliveries', stat: overRounds(all.map(({ cpu }) => cpu / million)) },
    { what: '  RSS grown per subscriber, at its highest', unit: 'KiB', stat: perSocket, target: { most: 1_024 } },
    { what: '  p99 of live subscribers before', unit: 'ms', stat: pick('calmP99Ms') },
    { what: '  p99 of live subscribers meanwhile', unit: 'ms', stat: pick('busyP99Ms'), target: { most: 2 * pick('calmP99Ms').median } },
  ];
}

export async function resume(): Promise<Report> {
  const rows = await rounds('from memory', isLarge ? 5_000 : scale(1_000, 300), []);
  // Every chunk is read and rendered again for each reader: a thousand of them take minutes.
  rows.push(...(await rounds('from the journal', isLarge ? 1_000 : scale(100, 20), ['--history-bytes', '65536'])));
  return {
    rig: 'resume',
    notes: [
      `all come at once, while ${LIVE} live subscribers get an event every ${PACE_MS} ms; caught up is what the daemon says, and every event was counted.`,
      'no peer resumes by position; the cost per delivery compares with that of fan-out.',
    ],
    rows,
  };
}

await runWhenMain(import.meta.url, resume);
