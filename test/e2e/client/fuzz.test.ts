/**
 * CL30: whatever happens to the connections of clients, to users and to the daemon, the local copy of every client becomes what its
 * subscriptions hold in the directory, and no event is lost, comes twice or out of order.
 * Runs: `npm run test:e2e -- --client-runs 1000`; one of them: `--client-runs 1 --seed 7`.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { digest } from '../../../protocol/base/digest.ts';
import type { RosterClient } from '../../../protocol/client/roster-client.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { eventually } from '../../support/eventually.ts';
import { type Cuttable, cuttable, Host, serverClient } from '../../support/live/client-kit.ts';
import type { LiveClient } from '../../support/live/live-client.ts';
import { sized } from '../../support/long.ts';
import { seeded, testOption } from '../../support/random.ts';
import { userToken } from '../../support/world.ts';

const IDS = Array.from({ length: 14 }, (_, n) => `u${n}`);
const TEAMS = ['red', 'blue'];
const COLOURS = ['green', 'gold', 'grey'];
const STEPS = 40;

type Wanted = (user: StoredUser, isOnline: boolean) => boolean;

/** Subscriptions that a client may have, and what they hold. */
const WANTS: Readonly<Record<string, { readonly spec: Record<string, unknown>; readonly holds: Wanted }>> = {
  all: { spec: { all: true, limit: 5 }, holds: () => true },
  some: { spec: { ids: IDS.slice(0, 5), presence: true }, holds: ({ id }) => IDS.indexOf(id) < 5 && id.startsWith('u') },
  gold: { spec: { filter: { colour: 'gold' } }, holds: ({ custom }) => custom.colour === 'gold' },
  notGrey: { spec: { filter: { colour: { $ne: 'grey' } }, presence: true, limit: 3 }, holds: ({ custom }) => custom.colour !== 'grey' },
  red: { spec: { teams: ['red'] }, holds: ({ teams }) => teams.includes('red') },
  online: { spec: { filter: { online: true } }, holds: (_, isOnline) => isOnline },
  goldOnline: {
    spec: { filter: { colour: 'gold', online: true }, presence: true },
    holds: ({ custom }, isOnline) => isOnline && custom.colour === 'gold',
  },
};

/** Enough ids of nobody that of two such subscriptions only one fits into a connect frame: what the other missed comes late. */
const far = (name: string, ids: readonly string[]): Record<string, { readonly spec: Record<string, unknown>; readonly holds: Wanted }> => ({
  [name]: {
    spec: { ids: [...ids, ...Array.from({ length: 950 }, (_, n) => `${name}-nobody-at-all-${n}`)] },
    holds: ({ id }) => ids.includes(id),
  },
});
const FAR = { ...far('near', IDS.slice(0, 7)), ...far('far', IDS.slice(7)) };

interface Subject extends Cuttable {
  readonly name: string;
  readonly subs: Set<string>;
  /** Seq of every event, in the order it was handed on. */
  readonly seqs: number[];
  resyncs: number;
}

interface Coverage {
  events: number;
  cuts: number;
  restarts: number;
  resyncs: number;
  chats: number;
}

class Run {
  readonly #t: TestContext;
  readonly #seed: number;
  readonly #random: () => number;
  readonly #host: Host;
  readonly #subjects: Subject[] = [];
  readonly #chats = new Map<string, LiveClient>();
  readonly #coverage: Coverage;

  constructor(t: TestContext, seed: number, host: Host, coverage: Coverage) {
    this.#t = t;
    this.#seed = seed;
    this.#random = seeded(seed);
    this.#host = host;
    this.#coverage = coverage;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(list: readonly T[]): T {
    const picked = list[this.#below(list.length)];
    assert.ok(picked !== undefined);
    return picked;
  }

  #add(name: string, made: Cuttable): RosterClient {
    const subject: Subject = { name, ...made, subs: new Set(), seqs: [], resyncs: 0 };
    made.client.on('event', ({ type, seq }) => {
      if (type === 'user.presence.changed') return;
      const last = subject.seqs.at(-1) ?? 0;
      // What comes late is from before what came already.
      assert.ok(seq > last || name === 'late', `seed ${this.#seed}: ${name} was handed event ${seq} after event ${last}`);
      subject.seqs.push(seq);
    });
    made.client.on('resync', () => subject.resyncs++);
    this.#subjects.push(subject);
    return made.client;
  }

  #named(name: string): Subject {
    const found = this.#subjects.find((subject) => subject.name === name);
    assert.ok(found !== undefined);
    return found;
  }

  async play(): Promise<void> {
    const { url } = this.#host;
    await this.#host.world.upsert(...IDS.slice(0, 8).map((id) => ({ id, custom: { colour: this.#pick(COLOURS) } })));
    for (const name of ['steady', 'cut', 'sets']) await this.#add(name, serverClient(this.#t, url)).connect();
    await this.#add('ann', cuttable(this.#t, url)).connectUser({ id: 'ann' }, userToken('ann'));
    for (const name of ['steady', 'cut']) await this.#subscribe(this.#named(name), 'all');
    for (const name of ['gold', 'red', 'goldOnline']) await this.#subscribe(this.#named('sets'), name);
    await this.#subscribe(this.#named('ann'), 'some');
    const late = serverClient(this.#t, url);
    await this.#add('late', late).connect();
    for (const name of Object.keys(FAR)) await this.#subscribe(this.#named('late'), name);
    late.client.on('state', ({ kind }) => {
      if (kind === 'open' && late.sockets.length % 3 !== 0) late.sockets.at(-1)?.on('message', (data) => cutWhenCaughtUp(late, data));
    });
    for (let step = 0; step < STEPS; step++) await this.#step();
    await this.#judge();
  }

  async #subscribe(subject: Subject, name: string): Promise<void> {
    const want = WANTS[name] ?? FAR[name];
    assert.ok(want !== undefined);
    subject.subs.add(name);
    await subject.client.subscribe({ sub: name, ...want.spec });
  }

  async #step(): Promise<void> {
    const { world } = this.#host;
    const id = this.#pick(IDS);
    const dice = this.#below(100);
    if (dice < 25) {
      const ids = new Set([id, this.#pick(IDS), this.#pick(IDS)]);
      await world.upsert(...[...ids].map((one) => ({ id: one, teams: [this.#pick(TEAMS)], custom: { colour: this.#pick(COLOURS) } })));
    } else if (dice < 40) {
      await world.http('PATCH', '/users', { users: [{ id, set: { colour: this.#pick(COLOURS) } }] });
    } else if (dice < 48) await world.http('DELETE', `/users/${id}${this.#random() < 0.2 ? '?hard_delete=true' : ''}`);
    else if (dice < 54) await world.http('POST', '/users/restore', { user_ids: [id] });
    else if (dice < 58) await world.http('POST', `/users/${id}/deactivate`, {});
    else if (dice < 62) await world.http('POST', `/users/${id}/reactivate`, {});
    else if (dice < 72) await this.#comeOrGo(id);
    else if (dice < 86) this.#cut();
    else if (dice < 97) await this.#changeWants();
    else await this.#restart();
  }

  #cut(): void {
    this.#coverage.cuts++;
    this.#pick(this.#subjects.slice(1)).cut();
  }

  async #restart(): Promise<void> {
    this.#coverage.restarts++;
    this.#chats.clear();
    await this.#host.restart();
  }

  async #comeOrGo(id: string): Promise<void> {
    const there = this.#chats.get(id);
    if (there !== undefined) {
      there.terminate();
      this.#chats.delete(id);
      return;
    }
    const chat = await this.#host.world.chat(id).catch(() => undefined);
    if (chat === undefined) return;
    this.#coverage.chats++;
    this.#chats.set(id, chat);
    void chat.closed.then(() => this.#chats.delete(id));
  }

  /** Now and then nobody waits for the answer, so that a cut comes in between. */
  async #changeWants(): Promise<void> {
    const subject = this.#pick(this.#subjects.slice(2, 4));
    const name = this.#pick(subject.name === 'ann' ? ['some', 'notGrey', 'online', 'gold'] : Object.keys(WANTS));
    const work = subject.subs.delete(name)
      ? subject.client.unsubscribe(name).catch(() => {})
      : this.#subscribe(subject, name).catch(() => {});
    if (this.#random() < 0.5) await work;
  }

  #expected({ subs }: Subject): StoredUser[] {
    const { roster } = this.#host.world.daemon;
    const wants = [...subs].flatMap((name) => WANTS[name] ?? FAR[name] ?? []);
    return [...roster.directory.users()].filter((user) => wants.some(({ holds }) => holds(user, roster.online(user.id))));
  }

  async #judge(): Promise<void> {
    for (const subject of this.#subjects) {
      const { client, name } = subject;
      const expected = (): string => digest(this.#expected(subject));
      await eventually(
        () => client.state.kind === 'open' && client.digest() === expected(),
        () => `seed ${this.#seed}: ${name} (${[...subject.subs]}) has ${ids(client.users.values())}, not ${ids(this.#expected(subject))}`,
      );
      this.#coverage.events += subject.seqs.length;
      this.#coverage.resyncs += subject.resyncs;
    }
    const [steady, cut] = [this.#named('steady'), this.#named('cut')];
    await eventually(
      () => steady.seqs.at(-1) === cut.seqs.at(-1),
      () => `seed ${this.#seed}: the ends differ`,
    );
    assert.deepEqual(cut.seqs, steady.seqs, `seed ${this.#seed}: a client that was cut was not handed what another was`);
    assert.equal(steady.resyncs + cut.resyncs, 0, `seed ${this.#seed}: nothing was lost that asks for a resync`);
    for (const { client } of this.#subjects) await client.disconnectUser();
  }
}

/** Before the answer to the subscription that was named late. */
function cutWhenCaughtUp({ cut }: Cuttable, data: unknown): void {
  if (String(data).includes('caught_up')) cut();
}

function ids(users: Iterable<{ readonly id: string; readonly rev: number }>): string {
  return [...users]
    .map(({ id, rev }) => `${id}:${rev}`)
    .sort()
    .join(' ');
}

test('CL30 every copy converges, and nothing is lost, repeated or reordered', { timeout: 1_800_000 }, async (t) => {
  const first = testOption('seed', Date.now() % 1_000_000);
  const runs = testOption('client-runs', sized(6, 48));
  t.diagnostic(`seed ${first}, ${runs} runs`);
  const coverage: Coverage = { events: 0, cuts: 0, restarts: 0, resyncs: 0, chats: 0 };
  for (let run = 0; run < runs; run++) {
    await t.test(`seed ${first + run}`, async (inner) => {
      const host = await Host.start(inner, { 'history-bytes': '65536', 'presence-grace-ms': '0', 'rate-limits': 'off' });
      await new Run(inner, first + run, host, coverage).play();
    });
  }
  t.diagnostic(JSON.stringify(coverage));
  // Over few runs some of it may not happen.
  if (runs >= 20) for (const [what, times] of Object.entries(coverage)) assert.ok(times > 0, `there were no ${what}`);
});
