/**
 * A webhook against a receiver with random moods, with daemons that end at random moments and start again from a position
 * that was written before. `npm run test:unit -- --seed 7` repeats a run; `--lives 50` makes it longer.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { SendResult } from '../../daemon/jobs/hooks/quick-attempts.ts';
import { HookBench, OK, status } from '../support/hooks/hook-bench.ts';
import { sized } from '../support/long.ts';
import { seeded, testOption } from '../support/random.ts';

const USERS = 9;
const BAD: readonly SendResult[] = [
  ...[status(500), status(400), status(429, 1_000), status(302), status(503, 60_000)],
  ...([{ kind: 'network', reason: 'cut' }, { kind: 'timeout' }] as const),
];

/** How the receiver is at the moment: the part of requests that fail, for everybody and for one user. */
interface Mood {
  readonly all: number;
  readonly user: string;
  readonly own: number;
}

/** One run. Resolves with what it did. */
async function run(t: TestContext, seed: number, lives: number): Promise<{ told: number; requests: number; parked: number }> {
  const random = seeded(seed);
  const below = (max: number): number => Math.floor(random() * max);
  const taken: { readonly seq: number; readonly user: string }[] = [];
  let mood: Mood = { all: 0, user: '', own: 0 };
  const bench = await HookBench.open(t, { random, concurrency: 1 + below(6), limits: { parked: 5 + below(200) } });
  bench.script = ({ seq, user }) => {
    const isBad = random() < Math.max(mood.all, user === mood.user ? mood.own : 0);
    if (isBad) return BAD[below(BAD.length)] ?? OK;
    taken.push({ seq, user });
    return OK;
  };
  let told = 0;
  let parked = 0;
  let written = 0;
  for (let life = 0; life < lives; life++) {
    for (let step = below(6); step >= 0; step--) {
      mood = { all: [0, 0, 0.2, 1][below(4)] ?? 0, user: `u${below(USERS)}`, own: [0, 1][below(2)] ?? 0 };
      const ids = Array.from({ length: 1 + below(12) }, () => `u${below(USERS)}`);
      told += ids.length;
      await bench.tell(...ids);
      await bench.advance([0, 300, 40_000, 700_000][below(4)] ?? 0);
      if (below(2) === 0) written = bench.line.position;
      parked = Math.max(parked, bench.letters.parked);
    }
    await bench.restart(written);
  }
  mood = { all: 0, user: '', own: 0 };
  const isDone = (): boolean => bench.line.position === told && bench.letters.parked === 0;
  // Ten hours: far longer than any pause, and far shorter than the time after which an event is given up.
  for (let round = 0; round < 300 && !isDone(); round++) await bench.advance(120_000);
  assert.equal(bench.line.position, told, 'everything was looked at');
  assert.deepEqual([bench.letters.parked, bench.letters.dead, bench.letters.lost], [0, 0, 0], 'nothing is left, and nothing was given up');
  assert.equal(new Set(taken.map(({ seq }) => seq)).size, told, 'every event was taken');
  const last = new Map<string, number>();
  const seen = new Set<number>();
  for (const { seq, user } of taken) {
    if (seen.has(seq)) continue;
    seen.add(seq);
    assert.ok(seq > (last.get(user) ?? 0), `${user}: ${seq} after ${last.get(user)}`);
    last.set(user, seq);
  }
  return { told, requests: bench.requests.length, parked };
}

test('WH16 whatever the receiver does and whenever the daemon ends, every event is taken, in order per user', async (t) => {
  const first = testOption('seed', 1);
  const runs = testOption('runs', sized(12, 25));
  const sum = { told: 0, requests: 0, parked: 0 };
  for (let seed = first; seed < first + runs; seed++) {
    try {
      const { told, requests, parked } = await run(t, seed, testOption('lives', 6));
      sum.told += told;
      sum.requests += requests;
      sum.parked = Math.max(sum.parked, parked);
    } catch (error) {
      throw new Error(`seed ${seed} fails`, { cause: error });
    }
  }
  t.diagnostic(`${runs} runs: ${sum.told} events, ${sum.requests} requests, at most ${sum.parked} parked`);
  assert.ok(sum.parked > 0 && sum.requests > sum.told, 'the receiver was too good to prove anything');
});
