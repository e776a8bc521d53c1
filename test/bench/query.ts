/**
 * Queries over a million users: what an index answers costs next to nothing, and what has to look at every user is done soon,
 * and in slices that leave the event loop to everybody else. In this process: no HTTP.
 */

import { inSlices } from '../../daemon/base/slices.ts';
import { Directory } from '../../daemon/core/directory/directory.ts';
import { runQuery } from '../../daemon/core/users/query.ts';
import { parseQuery } from '../../protocol/users/finding/query.ts';
import type { StoredUser } from '../../protocol/users/user.ts';
import { seeded } from '../support/random.ts';
import type { Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { ROUNDS, scale } from './kit/scale.ts';
import { overRounds } from './kit/stats.ts';

const USERS = scale(1_000_000, 200_000);
const LOOKUPS = 2_000;
const ENTRY_USERS = 2_000;
const SEED = 7;
/** Scans before those that are measured: a daemon has compiled its code long ago. */
const WARM_UPS = 4;

const FIRST = [
  'Ann',
  'Bob',
  'Çağla',
  'Dmitri',
  'Élodie',
  'Fatima',
  'Günther',
  'Hana',
  'İpek',
  'João',
  'Kenji',
  'Łukasz',
  'María',
  'Nguyễn',
  'Олег',
  '李',
];
const LAST = [
  'Andersson',
  'Brown',
  'Castro',
  'Dubois',
  'Eriksen',
  'Fischer',
  'García',
  'Haddad',
  'Ivanova',
  'Jansen',
  'Kowalski',
  'Lee',
  'Müller',
  'Novák',
];
const LANDS = ['Corellia', 'Naboo', 'Tatooine', 'Alderaan', 'Hoth', 'Endor'];

function usersOf(random: () => number): (index: number) => StoredUser {
  const pick = (items: readonly string[]): string => items[Math.floor(random() * items.length)] ?? '';
  return (index) => ({
    id: `user-${index}`,
    rev: index + 1,
    name: `${pick(FIRST)} ${pick(LAST)} ${index}`,
    image: `https://cdn.example.com/avatars/${index}.jpg`,
    role: random() < 0.001 ? 'admin' : 'user',
    teams: random() < 0.5 ? ['red', 'blue'] : ['green'],
    custom: {
      birthland: pick(LANDS),
      score: Math.floor(random() * 100_000),
      tags: ['alpha', 'beta'],
      address: { city: pick(LANDS), zip: String(10_000 + (index % 80_000)) },
      bio: 'x'.repeat(100),
    },
    created_at: 1_700_000_000_000_000 + index * 1_000,
    updated_at: 1_700_000_000_000_000 + index * 1_000,
    ...(random() < 0.3 ? { last_active: 1_750_000_000_000_000 + index } : undefined),
  });
}

function filled(): Directory {
  const directory = new Directory({ epoch: 'bench', seq: 0 });
  const make = usersOf(seeded(SEED));
  for (let first = 0; first < USERS; first += ENTRY_USERS) {
    const users = Array.from({ length: Math.min(ENTRY_USERS, USERS - first) }, (_, index) => make(first + index));
    // Out of JSON, as they come out of the journal: nothing is shared between two of them.
    const facts = users.map((user) => ({ t: 'user' as const, event: 'created' as const, user: JSON.parse(JSON.stringify(user)) }));
    directory.apply({ id: `entry-${first}`, time: 1, first: directory.seq + 1, facts });
  }
  return directory;
}

type Payload = Readonly<Record<string, unknown>>;

/** What an index answers. `index` makes every question another one. */
const LOOKED_UP: readonly (readonly [string, (index: number) => Payload])[] = [
  ['by id', (index) => ({ filter_conditions: { id: `user-${index}` } })],
  [
    'by 100 ids',
    (index) => ({
      filter_conditions: { id: { $in: Array.from({ length: 100 }, (_, at) => `user-${(index + at * 37) % USERS}`) } },
      limit: 100,
    }),
  ],
  ['by name', (index) => ({ filter_conditions: { name: `Ann Lee ${index}` } })],
];

/** What looks at every user. */
const SCANS: readonly (readonly [string, Payload])[] = [
  ['everyone, newest first', { filter_conditions: {} }],
  ['role', { filter_conditions: { role: 'admin' } }],
  ['custom field equals', { filter_conditions: { birthland: 'Naboo' } }],
  ['custom number above', { filter_conditions: { score: { $gt: 90_000 } } }],
  ['dotted custom field', { filter_conditions: { 'address.city': { $in: ['Hoth', 'Endor'] } } }],
  ['$autocomplete of name', { filter_conditions: { name: { $autocomplete: 'eri' } } }],
  ['$q of name, two words', { filter_conditions: { name: { $q: 'müll fat' } } }],
  ['last_active exists', { filter_conditions: { last_active: { $exists: true } } }],
  ['a team that half of them have', { filter_conditions: { teams: { $in: ['red'] } } }],
  [
    'nested $or and $and',
    {
      filter_conditions: {
        $or: [
          { $and: [{ birthland: 'Hoth' }, { score: { $lt: 1_000 } }] },
          { $and: [{ role: 'admin' }, { $or: [{ teams: { $in: ['green'] } }, { name: { $autocomplete: 'zz' } }] }] },
        ],
      },
    },
  ],
  ['sorted by a custom number', { filter_conditions: {}, sort: [{ field: 'score', direction: -1 }] }],
  [
    'sorted by two fields, page at 1,000',
    { filter_conditions: {}, sort: [{ field: 'birthland' }, { field: 'name', direction: -1 }], offset: 1_000, limit: 100 },
  ],
];

const offline = (): boolean => false;

async function cpuMsOf(directory: Directory, make: (index: number) => Payload): Promise<number> {
  const before = process.cpuUsage();
  for (let count = 0; count < LOOKUPS; count++) {
    const payload = make((count * 7_919) % USERS);
    const users = await inSlices(runQuery(directory, parseQuery(payload), offline));
    if (users.length > 100) throw new Error('more than a page');
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / LOOKUPS;
}

interface Scan {
  readonly ms: number;
  /** What it would take on a machine with nothing else to do, or a little more: the collector's own threads are in it. */
  readonly cpuMs: number;
  /** Longest time between two turns of the event loop. */
  readonly blockMs: number;
}

async function scan(directory: Directory, payload: Payload): Promise<Scan> {
  let [blockMs, isRunning] = [0, true];
  let lastMs = performance.now();
  const tick = (): void => {
    const nowMs = performance.now();
    blockMs = Math.max(blockMs, nowMs - lastMs);
    lastMs = nowMs;
    if (isRunning) setImmediate(tick);
  };
  setImmediate(tick);
  const startMs = performance.now();
  const before = process.cpuUsage();
  await inSlices(runQuery(directory, parseQuery(payload), offline));
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(before);
  isRunning = false;
  await new Promise((resolve) => setImmediate(resolve));
  return { ms, cpuMs: (user + system) / 1_000, blockMs };
}

export async function query(): Promise<Report> {
  const directory = filled();
  const rows: Row[] = [];
  for (const [what, make] of LOOKED_UP) {
    await cpuMsOf(directory, make);
    const samples: number[] = [];
    for (let turn = 0; turn < ROUNDS; turn++) samples.push(await cpuMsOf(directory, make));
    rows.push({ what, unit: 'ms CPU', stat: overRounds(samples), target: { most: 1 } });
  }
  const target = { most: (250 * USERS) / 1_000_000 };
  for (const [what, payload] of SCANS) {
    for (let turn = 0; turn < WARM_UPS; turn++) await scan(directory, payload);
    const samples: Scan[] = [];
    for (let turn = 0; turn < ROUNDS; turn++) samples.push(await scan(directory, payload));
    rows.push({ what, unit: 'ms', stat: overRounds(samples.map(({ ms }) => ms)), target });
    rows.push({ what: '  CPU', unit: 'ms', stat: overRounds(samples.map(({ cpuMs }) => cpuMs)) });
    rows.push({ what: '  longest block', unit: 'ms', stat: overRounds(samples.map(({ blockMs }) => blockMs)), target: { most: 20 } });
  }
  return {
    rig: 'query',
    notes: [
      `${USERS.toLocaleString('en-US')} users of about 400 bytes (seed ${SEED}), in this process; a page of 30 unless it says otherwise.`,
      `lookups: ${LOOKUPS} different ones, the payload read and checked each time; scans: one at a time, in slices as the daemon runs them.`,
      'the block is the longest time between two turns of the event loop, collections of garbage included.',
    ],
    rows,
  };
}

await runWhenMain(import.meta.url, query);
