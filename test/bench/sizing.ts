/**
 * A simulation of 10 and 100 million users over applications of uneven size: what a node holds, how many machines it takes, and which limit
 * is met first. Each application has daemons of its own, since every daemon holds all users of its application and applies all of its
 * changes. It measures nothing: the figures are those of the other rigs, and can be given anew.
 *
 * `npx tsx test/bench/sizing.ts [--users 10000000] [--applications 1000] [--name value …]`
 */
import { parseArgs } from 'node:util';
import { seeded } from '../support/random.ts';

/** Measured by the rigs in brackets, for users of 400 bytes. */
const MEASURED = {
  /** [restart] Memory of a daemon for each user. */
  bytesPerUser: 510,
  /** [restart] Seconds until a daemon with a million users is ready. */
  readySecondsPerMillion: 5,
  /** [upserts] CPU seconds of one core for 100,000 changed users in batches, nobody listening: an upper bound for applying them. */
  batchSeconds: 2.9,
  /** [upserts] The same, one user per request. */
  singleSeconds: 23,
  /** [fan-out] CPU seconds for a million deliveries of single changes at a calm rate: the worst case of a delivery. */
  deliverySeconds: 8,
  /** [idle memory] */
  bytesPerSocket: 13_000,
  /** [connects] CPU seconds for 1,000 connects. */
  connectSeconds: 0.45,
};

const ASSUMED = {
  users: 10_000_000,
  applications: 1_000,
  /** How uneven applications are: the n-th has 1/n^skew of the users of the first. */
  skew: 1,
  /** Daemons of each application. */
  nodes: 3,
  /** Changes of one user in a day, through single requests and connects, and in nightly jobs. */
  singleChanges: 1,
  jobChanges: 1,
  jobHours: 2,
  /** The share of users that is connected at the peak, and how many others are told of one change. */
  online: 0.05,
  told: 20,
  /** Connects in a day for each of its sockets. */
  connects: 24,
  /** The peak of single changes against the mean of the day. */
  peak: 4,
  machineGB: 64,
  machineCores: 16,
  /** What a daemon is not asked to go beyond: a core that is busier queues, and a longer start or a larger heap is hard to run. */
  coreShare: 0.6,
  heapGB: 24,
  readyS: 300,
  /** Entries of the busiest log that PostgreSQL stores in a second: one row each, with a synchronous standby. */
  entriesPerSecond: 1_000,
};

type Assumptions = typeof ASSUMED & typeof MEASURED;

const GB = 1e9;
const DAY_S = 86_400;
const SEED = 11;

interface Load {
  readonly users: number;
  readonly heapGB: number;
  readonly readyS: number;
  /** Share of its core that one daemon uses at the peak, and while the nightly job runs. */
  readonly core: number;
  readonly entriesPerSecond: number;
  readonly sockets: number;
}

/** One of the daemons of an application with so many users. */
function loadOf(users: number, of: Assumptions): Load {
  const singles = (users * of.singleChanges * of.peak) / DAY_S;
  const jobs = (users * of.jobChanges) / (of.jobHours * 3_600);
  const sockets = (users * of.online) / of.nodes;
  // Requests are shared by the nodes; every node applies every change, and tells its own sockets.
  const requests = (singles * of.singleSeconds) / 1e5 / of.nodes;
  const applied = ((singles + jobs) * of.batchSeconds) / 1e5;
  const deliveries = ((singles * Math.min(of.told, users * of.online)) / of.nodes) * (of.deliverySeconds / 1e6);
  const connects = ((sockets * of.connects * of.peak) / DAY_S) * (of.connectSeconds / 1_000);
  return {
    users,
    heapGB: (users * of.bytesPerUser + sockets * of.bytesPerSocket) / GB,
    readyS: (users / 1e6) * of.readySecondsPerMillion,
    core: requests + applied + deliveries + connects,
    // A hundred users of a job are one entry; requests that wait for the disk together are one, too, but need not be.
    entriesPerSecond: singles + jobs / 100,
    sockets,
  };
}

/** Users of each application, the largest first. */
function applicationsOf({ users, applications, skew }: Assumptions): number[] {
  const random = seeded(SEED);
  const weights = Array.from({ length: applications }, (_, n) => (0.8 + 0.4 * random()) / (n + 1) ** skew).sort((a, b) => b - a);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => Math.max(1, Math.round((users * weight) / sum)));
}

/** The part of the memory of a machine that daemons may fill. */
const MEMORY_SHARE = 0.8;
/** Of a process, however few users it holds. */
const PROCESS_GB = 0.1;

/** Machines for one daemon of each application, the largest first, each where there is still room (first fit). */
function machinesFor(loads: readonly Load[], { machineGB, machineCores, coreShare }: Assumptions): number {
  const machines: { gb: number; cores: number }[] = [];
  for (const { heapGB, core } of loads) {
    const gb = heapGB + PROCESS_GB;
    const place = machines.find((one) => one.gb >= gb && one.cores >= core);
    if (place === undefined) machines.push({ gb: machineGB * MEMORY_SHARE - gb, cores: machineCores * coreShare - core });
    else {
      place.gb -= gb;
      place.cores -= core;
    }
  }
  return machines.length;
}

function limitsOf(load: Load, of: Assumptions): { readonly what: string; readonly share: number }[] {
  return [
    { what: 'heap of one daemon', share: load.heapGB / of.heapGB },
    { what: 'time of a start', share: load.readyS / of.readyS },
    { what: 'core of one daemon', share: load.core / of.coreShare },
    { what: 'entries per second of one log', share: load.entriesPerSecond / of.entriesPerSecond },
  ].sort((a, b) => b.share - a.share);
}

function report(of: Assumptions): void {
  const loads = applicationsOf(of).map((users) => loadOf(users, of));
  const [largest] = loads;
  if (largest === undefined) throw new RangeError('--applications must be at least 1');
  const [first, ...others] = limitsOf(largest, of);
  const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
  console.log(`\n## ${whole(of.users)} users over ${whole(of.applications)} applications, ${of.nodes} daemons for each`);
  console.log(`largest application   ${whole(largest.users)} users; the median one ${whole(loads[loads.length >> 1]?.users ?? 0)}`);
  console.log(
    `one daemon of it      ${largest.heapGB.toFixed(1)} GB, ready after ${whole(largest.readyS)} s, ${whole(largest.sockets)} sockets`,
  );
  console.log(
    `                      ${(100 * largest.core).toFixed(0)} % of its core, ${whole(largest.entriesPerSecond)} entries/s in its log`,
  );
  const isTooBig = largest.heapGB + PROCESS_GB > of.machineGB * MEMORY_SHARE;
  const machines = isTooBig ? 'larger ones than those' : `${of.nodes} × ${machinesFor(loads, of)}`;
  console.log(`machines              ${machines} of ${of.machineGB} GB and ${of.machineCores} cores`);
  console.log(`first limit           ${first?.what}: ${(100 * (first?.share ?? 0)).toFixed(0)} % of what is allowed`);
  for (const { what, share } of others) console.log(`                      ${what}: ${(100 * share).toFixed(0)} %`);
  console.log(`it is met at          ${whole(largest.users / (first?.share ?? 1))} users in one application`);
}

function given(): { readonly all: Assumptions; readonly isAsked: boolean } {
  const defaults: Assumptions = { ...MEASURED, ...ASSUMED };
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ options });
  const numbers = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, positive(name, text)]));
  return { all: { ...defaults, ...numbers }, isAsked: values.users !== undefined || values.applications !== undefined };
}

function positive(name: string, text: unknown): number {
  const value = Number(text);
  if (!(value > 0)) throw new RangeError(`--${name} must be a number above 0, got ${String(text)}`);
  return value;
}

const { all, isAsked } = given();
if (isAsked) report(all);
else for (const users of [10_000_000, 100_000_000]) for (const applications of [1, 100, 1_000]) report({ ...all, users, applications });
