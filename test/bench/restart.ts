/**
 * How soon a daemon with many users is ready, what a user costs in memory, and what loading and saving them does to everyone
 * else. Filled by POST, stopped cleanly, started again; and once killed, with nothing but its journal. `--large`: ten million of them.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HttpLine, postAll } from './kit/http-line.ts';
import type { Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { isLarge, isQuick, ROUNDS } from './kit/scale.ts';
import { overRounds, percentile, sleep } from './kit/stats.ts';
import { benchUser, upsertBodies } from './kit/users.ts';
import { openMember } from './load/crowd-load.ts';
import { Pace } from './load/crowd-tools.ts';
import { Pinger } from './load/pinger.ts';
import { rosterGreeting } from './load/swarm.ts';
import { Rosterd, UPSERT } from './servers/rosterd.ts';
import { type Delay, onServerCore } from './servers/server-process.ts';

/** So many changes never come: only the clean stop writes a snapshot. */
const NO_SNAPSHOTS = ['--snapshot-changes', '1000000000'];
const NOTHING = rosterGreeting(() => ({ ids: [] }));
/** 50 chat clients connect in a second. */
const NEWCOMER_MS = 20;
/** Writes, and users of each, before anything is measured: what happens for the first time is slower in both processes. */
const WARM_UP = { writes: 300, users: 10 };
const WALKING_PACE_MS = 10;

interface Start {
  readonly readySeconds: number;
  readonly rssPerUser: number;
  readonly settledPerUser: number;
}

async function fill(rosterd: Rosterd, users: number): Promise<void> {
  const lines = await HttpLine.many(rosterd.server.port, 8);
  await postAll(lines, UPSERT, upsertBodies(users, 0));
  for (const line of lines) line.close();
}

/** From starting the process until it answers /readyz with 200. */
async function start(data: string, users: number, flags: readonly string[] = []): Promise<{ rosterd: Rosterd; start: Start }> {
  const startMs = performance.now();
  const rosterd = await Rosterd.start(flags, data);
  for (;;) {
    const { status } = await fetch(`${rosterd.server.url}/readyz`);
    if (status === 200) break;
    await sleep(5);
  }
  const readySeconds = (performance.now() - startMs) / 1000;
  const rss = rosterd.server.rssBytes();
  const settled = await rosterd.server.settledRssBytes();
  return { rosterd, start: { readySeconds, rssPerUser: rss / users, settledPerUser: settled / users } };
}

/** A file with a line of JSON for each user, as a snapshot of format 2 has them. */
function plainLines(data: string, users: number): string {
  const file = openSync(join(data, 'users.ndjson'), 'w');
  let lines = '';
  for (let index = 0; index < users; index++) {
    lines += `${JSON.stringify({ user: benchUser(index, 0) })}\n`;
    if (index % 10_000 < 9_999 && index < users - 1) continue;
    writeSync(file, lines);
    lines = '';
  }
  closeSync(file);
  return join(data, 'users.ndjson');
}

/** These lines into a Map, by a program that does nothing else: the least that reading users as objects can cost in Node. */
function plainLoad(lines: string): number {
  const program = `
    const { createReadStream } = require('node:fs');
    const lines = require('node:readline').createInterface({ input: createReadStream(process.argv[1]) });
    const users = new Map();
    lines.on('line', (line) => { const { user } = JSON.parse(line); if (user) users.set(user.id, user); });
  `;
  const command = onServerCore(['-e', program, lines]);
  const startMs = performance.now();
  spawnSync(command.program, command.args);
  return (performance.now() - startMs) / 1000;
}

async function cleanRestart(users: number, rounds: number): Promise<Row[]> {
  const first = await Rosterd.start(NO_SNAPSHOTS);
  const { data } = first;
  await fill(first, users);
  await first.server.stop();
  const [saved] = await first.logged('snapshot saved');
  const starts: Start[] = [];
  const plain: number[] = [];
  const lines = plainLines(data, users);
  for (let turn = 0; turn < rounds; turn++) {
    const { rosterd, start: measured } = await start(data, users);
    await rosterd.server.stop();
    starts.push(measured);
    plain.push(plainLoad(lines));
  }
  await rm(data, { recursive: true, force: true });
  const name = users.toLocaleString('en-US');
  const millions = users / 1e6;
  const pick = (field: keyof Start) => overRounds(starts.map((one) => one[field]));
  return [
    {
      what: `ready with ${name} users`,
      unit: 's',
      stat: pick('readySeconds'),
      ...(millions < 1 ? {} : { target: { most: 2 * millions } }),
      peers: [{ name: 'lines into a Map', stat: overRounds(plain) }],
    },
    { what: '  RSS per user when ready', unit: 'bytes', stat: pick('rssPerUser'), ...(millions < 1 ? {} : { target: { most: 860 } }) },
    {
      what: '  the same after a full collection',
      unit: 'bytes',
      stat: pick('settledPerUser'),
      ...(millions < 1 ? {} : { target: { most: 600 } }),
    },
    { what: '  snapshot at the clean stop', unit: 's', stat: overRounds([Number(saved?.ms ?? 0) / 1000]) },
  ];
}

async function afterKill(users: number): Promise<Row> {
  const seconds: number[] = [];
  const first = await Rosterd.start(NO_SNAPSHOTS);
  await fill(first, users);
  await first.server.stop('SIGKILL');
  for (let turn = 0; turn < ROUNDS; turn++) {
    const { rosterd, start: measured } = await start(first.data, users, NO_SNAPSHOTS);
    await rosterd.server.stop('SIGKILL');
    seconds.push(measured.readySeconds);
  }
  await rm(first.data, { recursive: true, force: true });
  return { what: `ready with ${users.toLocaleString('en-US')} users after SIGKILL, journal only`, unit: 's', stat: overRounds(seconds) };
}

/** Chat clients that connect at a steady pace, and leave at once: how long each takes. */
class Newcomers {
  readonly #pace: Pace;
  readonly #connects: Promise<void>[] = [];
  #tookMs: number[] = [];
  #failure: unknown;

  constructor(port: number) {
    const failed = (error: unknown): void => {
      this.#failure ??= error;
    };
    this.#pace = new Pace(NEWCOMER_MS, (call) => this.#connects.push(this.#connect(port, `new-${call}`).catch(failed)));
  }

  async #connect(port: number, id: string): Promise<void> {
    const { socket, tookMs } = await openMember(port, id, undefined);
    socket.cut();
    this.#tookMs.push(tookMs);
  }

  /** What counts begins now. */
  begin(): void {
    this.#tookMs = [];
  }

  async stop(): Promise<readonly number[]> {
    await this.#pace.stop();
    await Promise.all(this.#connects);
    if (this.#failure !== undefined) throw this.#failure;
    return this.#tookMs;
  }
}

/** Fills a daemon until its first snapshot begins with the last user, and watches the event loop while it is written. */
async function backgroundSnapshot(users: number): Promise<Row[]> {
  const rosterd = await Rosterd.start(['--snapshot-changes', String(users), '--rate-limits', 'off']);
  let delay: Delay;
  let ping: ReturnType<Pinger['stop']>;
  let saved: Record<string, unknown> | undefined;
  let connects: readonly number[];
  try {
    const { server } = rosterd;
    await fill(rosterd, users - WARM_UP.writes * WARM_UP.users - 100);
    const pinger = await Pinger.open(server.port, NOTHING);
    const newcomers = new Newcomers(server.port);
    const line = await HttpLine.open(server.port);
    let version = 0;
    const write = async (count: number): Promise<void> => {
      version++;
      for (const body of upsertBodies(count, version)) await line.post(UPSERT, body);
      await sleep(WALKING_PACE_MS);
    };
    for (let turn = 0; turn < WARM_UP.writes; turn++) await write(WARM_UP.users);
    newcomers.begin();
    await server.startDelay();
    // Writing goes on meanwhile.
    while (saved === undefined) {
      await write(100);
      [saved] = await rosterd.logged('snapshot saved');
    }
    delay = await server.delay();
    ping = pinger.stop();
    connects = await newcomers.stop();
    line.close();
  } finally {
    await rosterd.end();
  }
  const name = users.toLocaleString('en-US');
  return [
    {
      what: `snapshot of ${name} users in the background`,
      unit: 's',
      stat: overRounds([Number(saved.ms) / 1000]),
      target: { most: users / 1e5 },
    },
    { what: '  event-loop delay, p99', unit: 'ms', stat: overRounds([delay.p99Ms]), target: { most: 20 } },
    { what: '  event-loop delay, max', unit: 'ms', stat: overRounds([delay.maxMs]), target: { most: 100 } },
    { what: '  50 connects in a second, p99', unit: 'ms', stat: overRounds([percentile(connects, 0.99)]), target: { most: 50 } },
    { what: '  ping, p99', unit: 'ms', stat: overRounds([ping.p99Ms]) },
    { what: '  ping, max', unit: 'ms', stat: overRounds([ping.maxMs]) },
  ];
}

export async function restart(): Promise<Report> {
  const rows = [...(await cleanRestart(100_000, ROUNDS)), await afterKill(100_000)];
  // A million takes a minute to bring in; a look does without.
  if (!isQuick) rows.push(...(await cleanRestart(1_000_000, ROUNDS)), ...(await backgroundSnapshot(1_000_000)));
  if (isLarge) rows.push(...(await cleanRestart(10_000_000, 1)), ...(await backgroundSnapshot(10_000_000)));
  return {
    rig: 'restart',
    notes: [
      'users of 400 bytes, brought in by POST /api/v2/users; ready: from starting the process to the first 200 of /readyz.',
      'lines into a Map: a program that only reads the same users from a file, line by line, JSON.parse, Map.set.',
    ],
    rows,
  };
}

await runWhenMain(import.meta.url, restart);
