/**
 * PV1: a client's answers do not depend on what it may not see. Every endpoint of the route table is asked at random in two
 * directories that differ only in hidden users; a failure prints its seed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '../../daemon/edge/http/endpoint.ts';
import { ROUTES } from '../../daemon/edge/routes.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import { sized } from '../support/long.ts';
import { seeded, testOption } from '../support/random.ts';
import { CALLERS, type Curtain, namesFor } from '../support/worlds/hidden-users.ts';
import { Pair } from '../support/worlds/pair.ts';
import { chance, pick, type Random } from '../support/worlds/random-value.ts';
import { randomRequest } from '../support/worlds/requests.ts';

const PAIRS = sized(2, 60);
/** Requests to each endpoint for clients, in each pair of worlds. */
const ROUNDS = 6;
/** More requests to an endpoint that refused all of them, before its generator counts as useless. */
const ATTEMPTS = 300;
/** Queries in a pair of worlds where little work is allowed. */
const LIMITED_QUERIES = 60;
const SEED = testOption('seed', Math.floor(Math.random() * 2 ** 31));

const SERVED = ROUTES.filter(({ isStub }) => isStub !== true);
const FOR_CLIENTS = SERVED.filter(({ access }) => access === 'user' || access === 'guest');

class Trial {
  readonly #curtain: Curtain;
  readonly #random: Random;
  /** Endpoints that answered with a success. */
  readonly #good: Set<Endpoint>;
  asked = 0;

  constructor(curtain: Curtain, seed: number, good: Set<Endpoint>) {
    this.#curtain = curtain;
    this.#random = seeded(seed);
    this.#good = good;
  }

  async run(isLast: boolean): Promise<void> {
    // In all pairs but the last, a query may take so little work that many are refused: what is refused must not depend on it either.
    const pair = await Pair.make(this.#curtain, this.#random, isLast ? LIMITS.queryUnits : 40 + Math.floor(this.#random() * 200));
    const queries = SERVED.filter(({ method, path }) => method === 'GET' && path.endsWith('/users'));
    if (!isLast) for (let count = 0; count < LIMITED_QUERIES; count++) await this.#ask(pair, pick(this.#random, queries));
    for (let round = 0; round < ROUNDS; round++) {
      for (const row of round === 0 ? SERVED : FOR_CLIENTS) {
        await this.#ask(pair, row);
        if (this.#curtain === 'roles' || !chance(this.#random, 0.05)) continue;
        const past = pair.past(this.#random);
        await pair.ask(past.by, past);
      }
    }
    if (!isLast) return;
    for (const row of FOR_CLIENTS) {
      // There are no guests where teams are walls.
      if (this.#curtain === 'walls' && row.access === 'guest') continue;
      // What can be removed must be there first.
      const beside = FOR_CLIENTS.filter((other) => other.path === row.path && other.method !== row.method);
      for (let count = 0; count < ATTEMPTS && !this.#good.has(row); count++) {
        for (const one of [...beside, row]) await this.#ask(pair, one);
      }
      assert.ok(this.#good.has(row), `no good request was made to ${row.method} ${row.path}: mend the generator in test/support/worlds`);
    }
  }

  async #ask(pair: Pair, row: Endpoint): Promise<void> {
    const caller = pick(this.#random, CALLERS);
    const status = await pair.ask(caller, randomRequest(row, this.#random, namesFor(this.#curtain, caller)));
    if (status < 300) this.#good.add(row);
    this.asked++;
  }
}

for (const curtain of ['walls', 'roles'] as const) {
  test(`PV1 no answer says what a client may not see (${curtain})`, async (t) => {
    const good = new Set<Endpoint>();
    let asked = 0;
    for (let index = 0; index < PAIRS; index++) {
      const seed = SEED + index;
      const trial = new Trial(curtain, seed, good);
      try {
        await trial.run(index === PAIRS - 1);
      } catch (error) {
        assert.fail(`--seed ${seed}: ${error instanceof Error ? error.message : error}`);
      }
      asked += trial.asked;
    }
    t.diagnostic(`seed ${SEED}, ${asked} requests`);
  });
}
