/**
 * One user per request, nobody listening: what a write costs beside the least that fastify can do with the same body and answer, and how
 * long one at a time takes beside the same and one `fdatasync`. Both servers live all the while, and take turns.
 */
import { HttpLine, postAll } from './kit/http-line.ts';
import type { Peer, Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { scale } from './kit/scale.ts';
import { overRounds, percentile } from './kit/stats.ts';
import { upsertBody } from './kit/users.ts';
import { type Contestant, startBareFastify, startRosterd } from './servers/peers.ts';

const USERS = 5_000;
const MANY = scale(10_000, 4_000);
const LONE = scale(1_000, 300);
const TURNS = scale(9, 5);
const IN_FLIGHT = 64;
/** Of what the peer takes. */
const TIMES_MOST = 1.5;

interface Turn {
  /** CPU of the server per request, milliseconds. */
  readonly cpuMs: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

let version = 0;

function bodies(requests: number): Buffer[] {
  version++;
  return Array.from({ length: requests }, (_, index) => upsertBody(index % USERS, 1, version * 10 + Math.floor(index / USERS)));
}

async function turn(name: string, { server, upsert }: Contestant, inFlight: number, requests: number): Promise<Turn> {
  const lines = await HttpLine.many(server.port, inFlight);
  const given = bodies(requests);
  const cpuBefore = server.cpuSeconds();
  const startMs = performance.now();
  const acks = await server.profiled(name, () => postAll(lines, upsert, given));
  const seconds = (performance.now() - startMs) / 1000;
  const cpuMs = ((server.cpuSeconds() - cpuBefore) * 1000) / requests;
  for (const line of lines) line.close();
  return { cpuMs, perSecond: requests / seconds, p50Ms: percentile(acks, 0.5), p99Ms: percentile(acks, 0.99) };
}

function targetOf({ stat }: Peer, times: number | undefined): Pick<Row, 'target'> {
  return times === undefined ? {} : { target: { most: times * stat.median } };
}

export async function singles(): Promise<Report> {
  const contestants = [await startRosterd(), await startBareFastify(), await startBareFastify('fdatasync')] as const;
  const [rosterd, bare, durable] = contestants;
  const many: { rosterd: Turn; bare: Turn }[] = [];
  const lone: { rosterd: Turn; durable: Turn }[] = [];
  try {
    // Not measured: the compiler needs some seconds to see what is hot.
    for (const contestant of [rosterd, bare]) for (let at = 0; at < 3; at++) await turn('warm-up', contestant, IN_FLIGHT, MANY);
    await turn('warm-up', durable, 1, LONE);
    for (let at = 0; at < TURNS; at++) {
      many.push({
        rosterd: await turn('singles', rosterd, IN_FLIGHT, MANY),
        bare: await turn('singles-bare', bare, IN_FLIGHT, MANY),
      });
      lone.push({ rosterd: await turn('singles-lone', rosterd, 1, LONE), durable: await turn('singles-lone-bare', durable, 1, LONE) });
    }
  } finally {
    for (const contestant of contestants) await contestant.end();
  }
  const manyRow = (what: string, unit: string, pick: (turn: Turn) => number, times?: number): Row => {
    const peer = { name: 'bare fastify', stat: overRounds(many.map((one) => pick(one.bare))) };
    return { what, unit, stat: overRounds(many.map((one) => pick(one.rosterd))), peers: [peer], ...targetOf(peer, times) };
  };
  const loneRow = (what: string, pick: (turn: Turn) => number, times?: number): Row => {
    const peer = { name: 'bare fastify and fdatasync', stat: overRounds(lone.map((one) => pick(one.durable))) };
    return { what, unit: 'ms', stat: overRounds(lone.map((one) => pick(one.rosterd))), peers: [peer], ...targetOf(peer, times) };
  };
  return {
    rig: 'singles',
    notes: [`${MANY} requests of one user of 400 bytes per turn; the targets are ${TIMES_MOST} × the peer.`],
    rows: [
      manyRow(`${IN_FLIGHT} in flight, CPU per request`, 'ms', ({ cpuMs }) => cpuMs, TIMES_MOST),
      manyRow('  requests', '/s', ({ perSecond }) => perSecond),
      manyRow('  acknowledged, p99', 'ms', ({ p99Ms }) => p99Ms),
      loneRow('one at a time, acknowledged, p50', ({ p50Ms }) => p50Ms, TIMES_MOST),
      loneRow('  p99', ({ p99Ms }) => p99Ms),
    ],
  };
}

await runWhenMain(import.meta.url, singles);
