/**
 * What PostgreSQL costs a node against the journal, and what three nodes cost against one: CPU of the daemons alone. The servers of the
 * database, a primary and its synchronous standby, run beside the load.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPostgres } from '../../daemon/cli/cluster/programs.ts';
import { PgServer } from '../support/cluster/pg-server.ts';
import { Reaper } from '../support/cluster/reaper.ts';
import { PG_PASSWORD, PG_USER } from '../support/sync/postgres.ts';
import { userGreeting } from './connects.ts';
import { HttpLine, postAll } from './kit/http-line.ts';
import type { Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { ROUNDS, scale } from './kit/scale.ts';
import { overRounds } from './kit/stats.ts';
import { smallUser, upsertBodies, upsertBody } from './kit/users.ts';
import { ROSTER_ALL, Swarm } from './load/swarm.ts';
import { Rosterd, UPSERT } from './servers/rosterd.ts';

const USERS = scale(40_000, 10_000);
const SINGLES = scale(10_000, 3_000);
const CONNECTS = scale(5_000, 1_000);
const BATCHES_IN_FLIGHT = 8;
const SINGLES_IN_FLIGHT = 64;
const SOCKETS = 3_000;
const TOLD_BATCHES = scale(60, 20);
/** Before those that are measured: until then, the code is still being compiled, on each node. */
const WARM_UP_BATCHES = scale(180, 60);
const BATCH_USERS = 100;

/** Flags of the daemon of that number; without any, it has its journal. */
type Flags = (number: number) => readonly string[];

interface Costs {
  /** CPU seconds per 100,000 users. */
  readonly batches: number;
  readonly singles: number;
  /** CPU seconds per 1,000 connects of new users. */
  readonly connects: number;
}

/** A database of its own for `work`; gone afterwards. */
async function withDatabase<T>(bin: string, work: (flags: Flags) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'rosterd-bench-pg-'));
  const reaper = new Reaper(directory);
  try {
    const [primary, standby] = [await PgServer.make(bin, directory, 'a', reaper), await PgServer.make(bin, directory, 'b', reaper)];
    await primary.initialize();
    await primary.start();
    await standby.copyOf(primary);
    await standby.start();
    await primary.sql(`create role ${PG_USER} login password '${PG_PASSWORD}'`);
    await primary.sql(`grant create on database postgres to ${PG_USER}`);
    process.env.PGPASSWORD = PG_PASSWORD;
    const url = `postgres://${PG_USER}@127.0.0.1:${primary.port}/postgres`;
    return await work((number) => ['--log', url, '--node-name', `node-${number}`, '--public-url', 'http://127.0.0.1:1']);
  } finally {
    delete process.env.PGPASSWORD;
    await reaper.end();
  }
}

async function costsOf(flags: Flags): Promise<Costs> {
  const rosterd = await Rosterd.start(['--rate-limits', 'off', ...flags(0)]);
  const { server } = rosterd;
  const cpuOf = async (per: number, work: () => Promise<unknown>): Promise<number> => {
    const before = server.cpuSeconds();
    await work();
    return (server.cpuSeconds() - before) / per;
  };
  try {
    const lines = await HttpLine.many(server.port, SINGLES_IN_FLIGHT);
    const few = lines.slice(0, BATCHES_IN_FLIGHT);
    // Not measured: the compiler needs some seconds of work to see what is hot.
    for (const version of [-1, 0]) await postAll(few, UPSERT, upsertBodies(USERS, version));
    const batches = await cpuOf(USERS / 1e5, () => postAll(few, UPSERT, upsertBodies(USERS, 1)));
    const bodies = Array.from({ length: SINGLES }, (_, index) => upsertBody(index % USERS, 1, 2 + index));
    const singles = await cpuOf(SINGLES / 1e5, () => postAll(lines, UPSERT, bodies));
    for (const line of lines) line.close();
    (await Swarm.open(server.port, CONNECTS, userGreeting('early', CONNECTS))).cut();
    const greeting = userGreeting('user', CONNECTS);
    let swarm: Swarm | undefined;
    const connects = await cpuOf(CONNECTS / 1e3, async () => {
      swarm = await Swarm.open(server.port, CONNECTS, greeting);
    });
    swarm?.cut();
    return { batches, singles, connects };
  } finally {
    await rosterd.end();
  }
}

/** CPU seconds per million deliveries of all nodes, when the first one takes the writes. */
interface FanOut {
  readonly all: number;
  /** Of the node that needs most: with a core each, it decides how many deliveries they make together. */
  readonly busiest: number;
}

async function fanOutOf(flags: Flags, nodes: number): Promise<FanOut> {
  const daemons: Rosterd[] = [];
  try {
    for (let number = 0; number < nodes; number++) daemons.push(await Rosterd.start(['--rate-limits', 'off', ...flags(number)]));
    const [first] = daemons;
    if (first === undefined) throw new Error('there is no daemon');
    const swarms: Swarm[] = [];
    for (const { server } of daemons) swarms.push(await Swarm.open(server.port, SOCKETS / nodes, ROSTER_ALL));
    const line = await HttpLine.open(first.server.port);
    let told = 0;
    const tell = async (batches: number): Promise<void> => {
      for (let batch = 0; batch < batches; batch++) {
        await line.post(UPSERT, upsertBody(0, BATCH_USERS, told, smallUser));
        told += BATCH_USERS;
        for (const swarm of swarms) await swarm.all(told);
      }
    };
    await tell(WARM_UP_BATCHES);
    const before = daemons.map(({ server }) => server.cpuSeconds());
    await tell(TOLD_BATCHES);
    const used = daemons.map(({ server }, number) => server.cpuSeconds() - (before[number] ?? 0));
    line.close();
    for (const swarm of swarms) swarm.cut();
    const millions = (TOLD_BATCHES * BATCH_USERS * SOCKETS) / 1e6;
    return { all: used.reduce((sum, one) => sum + one) / millions, busiest: Math.max(...used) / millions };
  } finally {
    await Promise.all(daemons.map((daemon) => daemon.end()));
  }
}

export async function nodes(): Promise<Report> {
  const bin = await findPostgres();
  if (bin === undefined) return { rig: 'nodes', notes: ['THERE IS NO POSTGRESQL ON THIS MACHINE (initdb was not found)'], rows: [] };
  const [journal, shared]: [Costs[], Costs[]] = [[], []];
  const fanOuts: Record<1 | 2 | 3, FanOut[]> = { 1: [], 2: [], 3: [] };
  for (let turn = 0; turn < ROUNDS; turn++) {
    journal.push(await costsOf(() => []));
    shared.push(await withDatabase(bin, costsOf));
    for (const nodes of [1, 2, 3] as const) fanOuts[nodes].push(await withDatabase(bin, (flags) => fanOutOf(flags, nodes)));
  }
  const row = (what: string, unit: string, pick: (costs: Costs) => number): Row => ({
    ...{ what, unit, stat: overRounds(shared.map(pick)) },
    peers: [{ name: 'journal', stat: overRounds(journal.map(pick)) }],
  });
  return {
    rig: 'nodes',
    notes: [
      'one node on PostgreSQL beside one on the journal; CPU of the daemon, without that of the database, which has no fsync here.',
      `batches of ${BATCH_USERS} users, ${BATCHES_IN_FLIGHT} in flight; single users, ${SINGLES_IN_FLIGHT} in flight; connects of new users, 50 at a time.`,
      `fan-out: batches of ${BATCH_USERS} to ${SOCKETS} sockets, the next when the last socket has the one before; CPU of all nodes together.`,
      'the deliveries of several nodes: reckoned from the CPU time of the one that needs most of it, which takes all writes.',
    ],
    rows: [
      row('changed users, batches', 'CPU s / 100,000 users', ({ batches }) => batches),
      row('changed users, one per request', 'CPU s / 100,000 users', ({ singles }) => singles),
      row('connect, user is created', 'CPU s / 1,000 connects', ({ connects }) => connects),
      {
        ...{ what: 'fan-out of three nodes', unit: 'CPU s / M deliveries', stat: overRounds(fanOuts[3].map(({ all }) => all)) },
        peers: [{ name: 'one node', stat: overRounds(fanOuts[1].map(({ all }) => all)) }],
      },
      ...([2, 3] as const).map((nodes): Row => {
        const times = fanOuts[nodes].map(({ busiest }, turn) => (fanOuts[1][turn]?.all ?? 0) / busiest);
        const target = nodes === 2 ? { target: { least: 1.7 } } : {};
        return { what: `deliveries of ${nodes} nodes, a core each`, unit: '× those of one', stat: overRounds(times), ...target };
      }),
    ],
  };
}

await runWhenMain(import.meta.url, nodes);
