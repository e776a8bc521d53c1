/**
 * PV1 over live connections: the frames of a client do not depend on what it may not see. In two daemons that differ only in hidden
 * users, clients send every kind of frame at random while servers change users; a failure prints its seed.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ClientFrame } from '../../../protocol/live/client-frames.ts';
import { eventually } from '../../support/eventually.ts';
import type { Send } from '../../support/http/fake-backend.ts';
import type { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { sized } from '../../support/long.ts';
import { seeded, testOption } from '../../support/random.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';
import {
  act,
  align,
  CALLERS,
  type CallerId,
  type Curtain,
  difference,
  HIDDEN,
  namesFor,
  prepare,
  type Side,
  VOLATILE,
} from '../../support/worlds/hidden-users.ts';
import { chance, pick, type Random, someFilter, someId, somePaths } from '../../support/worlds/random-value.ts';

const PAIRS = sized(2, 40);
const STEPS = 60;
const SEED = testOption('seed', Math.floor(Math.random() * 2 ** 31));
/** Times, and who is online: presence is gathered for a while, so a page may show it as it was before. */
const BY_CLOCK = /"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"|"online":(?:true|false)/g;
/** For the same reason, its changes come between other frames at any place. */
const isPresence = ({ type }: Frame): boolean => type === 'user.presence.changed' || type === 'presence.state';
/** Frames about the connection itself, whose place depends on how long reading the past takes. */
const isOwn = ({ type, re }: Frame): boolean => type === 'health.check' || re === BARRIER;
/** A client that has read the past is behind until it knows who is online. Meanwhile, what it updates is answered at once and told later. */
const isOfUpdate = ({ re, user }: Frame): boolean => re === 'asked' && user !== undefined;
const BARRIER = 'barrier';
const GATHERED_MS = 200;

function sideOf(world: World): Side {
  const send: Send = async (method, path, { body, query = {}, token = serverToken() } = {}) => {
    const { status, body: answer } = await world.http(method, `${path}?${new URLSearchParams(query)}`, body, token ?? '');
    return { status, headers: {}, body: answer, text: JSON.stringify(answer) };
  };
  return {
    send,
    tokenOf: (id) => userToken(id),
    get seq() {
      return world.daemon.roster.position.seq;
    },
    // A connect would make a user, which nothing hides. One that was deactivated is refused.
    comeOnline: async (id) => {
      if (world.daemon.roster.directory.user(id) !== undefined) await world.chat(id).catch(() => {});
    },
  };
}

/** One client in one of the daemons. */
interface Seat {
  readonly client: LiveClient;
  /** Frames that were compared. */
  compared: number;
  /** The cursor of its last page. */
  more: string;
}

type Make = (random: Random, curtain: Curtain, id: CallerId) => (seat: Seat) => Record<string, unknown>;

function someSub(random: Random, curtain: Curtain, id: CallerId): Record<string, unknown> {
  const names = namesFor(curtain, id);
  const wants = [
    { ids: names.ids },
    { ids: [someId(random, names)] },
    { teams: pick(random, [['red'], ['blue'], ['red', 'blue']]) },
    { filter: someFilter(random, names) },
    { all: true },
  ];
  return {
    sub: pick(random, ['x', 'y', 'z']),
    ...pick(random, wants),
    ...(chance(random, 0.5) ? { limit: 1 + Math.floor(random() * 3) } : undefined),
    ...(chance(random, 0.2) ? { snapshot: false } : undefined),
    ...(chance(random, 0.3) ? { presence: true } : undefined),
  };
}

/** A random frame of each kind. */
const FRAMES: Readonly<Record<ClientFrame['op'], Make>> = {
  connect: () => () => ({ api_key: API_KEY, token: userToken('ann') }),
  sub: (random, curtain, id) => {
    const frame = someSub(random, curtain, id);
    return () => frame;
  },
  page: (random) => {
    const sub = pick(random, ['x', 'y', 'z']);
    return ({ more }) => ({ sub, more });
  },
  unsub: (random) => {
    const sub = pick(random, ['x', 'y', 'z', 'none']);
    return () => ({ sub });
  },
  update: (random) => {
    const set = somePaths(random);
    return () => ({ set });
  },
  upsert: (random, curtain, id) => {
    const users = { [someId(random, namesFor(curtain, id))]: { name: 'x' } };
    return () => ({ users });
  },
  refresh: (random, _, id) => {
    const token = userToken(chance(random, 0.8) ? id : 'bob');
    return () => ({ token });
  },
  ack: () => () => ({ seq: 1 }),
  ping: () => () => ({}),
};

/** What servers do to users in sight, in both daemons alike. */
const ACTS: readonly ((send: Send, random: Random) => Promise<unknown>)[] = [
  (send, random) => send('PATCH', '/users', { body: { users: [{ id: pick(random, ['bob', 'eve']), set: { colour: random() } }] } }),
  (send, random) =>
    send('PATCH', '/users', { body: { users: [{ id: 'eve', set: { teams: pick(random, [['red', 'blue'], ['blue'], ['red']]) } }] } }),
  (send, random) => send('POST', '/moderation/ban', { body: { target_user_id: pick(random, ['bob', 'ann']), shadow: random() < 0.5 } }),
  (send) => send('DELETE', '/moderation/ban', { query: { target_user_id: 'bob' } }),
  (send) => send('POST', '/moderation/flag', { body: { target_user_id: 'bob', user_id: 'mod' } }),
  (send, random) => send('POST', `/users/dea/${pick(random, ['deactivate', 'reactivate'])}`, { body: {} }),
  (send, random) => send('POST', '/users', { body: { users: { [`new-${Math.floor(random() * 5)}`]: { teams: ['red'] } } } }),
  (send, random) => send('DELETE', `/users/new-${Math.floor(random() * 5)}`, {}),
];

class Pair {
  readonly #curtain: Curtain;
  readonly #random: Random;
  readonly #sides: readonly Side[];
  readonly #worlds: readonly World[];
  readonly #seats = new Map<CallerId, readonly Seat[]>();

  constructor(curtain: Curtain, random: Random, worlds: readonly World[]) {
    this.#curtain = curtain;
    this.#random = random;
    this.#worlds = worlds;
    this.#sides = worlds.map(sideOf);
  }

  async run(): Promise<void> {
    await prepare(this.#sides, this.#curtain, this.#random);
    for (const world of this.#worlds) for (const id of CALLERS) await this.#comeOnline(world, id);
    for (const id of CALLERS) await this.#sit(id);
    for (let step = 0; step < STEPS; step++) {
      await this.#step();
      await align(this.#sides);
      for (const id of CALLERS) await this.#compare(id);
    }
    await new Promise((resolve) => setTimeout(resolve, GATHERED_MS));
    for (const id of CALLERS) this.#checkPresence(id);
  }

  /** Another connection keeps the client online: when others hear that it comes, and whether a filter finds it, depends on the clock. */
  async #comeOnline(world: World, id: CallerId): Promise<void> {
    const client = await world.open();
    client.send({ op: 'connect', id: 'c', api_key: API_KEY, token: userToken(id), user: { id } });
    await client.until(({ re }) => re === 'c');
    await eventually(() => world.daemon.roster.toldOnline(id), `${id} does not come online`);
  }

  /** Connects the client, now and then from a position in the past. */
  async #sit(id: CallerId): Promise<void> {
    const subs = [0, 1].map((index) => ({ ...someSub(this.#random, this.#curtain, id), sub: ['x', 'y'][index] }));
    const back = chance(this.#random, 0.5) ? Math.floor(this.#random() * 20) : undefined;
    const seats = await this.#connected(id, subs, back);
    this.#seats.set(id, seats);
    // A subscription that is refused refuses the connect.
    if (!seats.some(({ client }) => client.frames.some(({ type }) => type === 'connection.error'))) return;
    assert.equal(...(seats.map(({ client }) => this.#shown(client.frames)) as [string, string]));
    this.#seats.set(id, await this.#connected(id, [], back));
  }

  async #connected(id: CallerId, subs: readonly object[], back: number | undefined): Promise<Seat[]> {
    const seats: Seat[] = [];
    for (const world of this.#worlds) {
      const { epoch, seq } = world.daemon.roster.position;
      const client = await world.open();
      const resume = back === undefined ? undefined : { resume: { epoch, seq: seq - back } };
      client.send({ op: 'connect', id: 'c', api_key: API_KEY, token: userToken(id), user: { id }, subs, ...resume });
      await client.until(({ re, type }) => re === 'c' || type === 'connection.error');
      seats.push({ client, compared: 0, more: '' });
    }
    return seats;
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const kind = random();
    if (kind < 0.4) {
      for (const side of this.#sides) await act(side, this.#curtain, random);
      return;
    }
    if (kind < 0.65) {
      const chosen = pick(random, ACTS);
      const seed = Math.floor(random() * 2 ** 31);
      for (const { send } of this.#sides) await chosen(send, seeded(seed));
      return;
    }
    const id = pick(random, CALLERS);
    if (kind < 0.72) {
      for (const { client } of this.#seats.get(id) ?? []) client.terminate();
      return await this.#sit(id);
    }
    const op = pick(random, Object.keys(FRAMES) as ClientFrame['op'][]);
    const frame = FRAMES[op](random, this.#curtain, id);
    for (const seat of this.#seats.get(id) ?? []) {
      const answer = seat.client.next(({ re }) => re === 'asked', `the answer to ${op}`);
      seat.client.send({ op, id: 'asked', ...frame(seat) });
      await answer;
    }
  }

  /** Everything that came since the last comparison. The answer to a ping says how far the client was told. */
  async #compare(id: CallerId): Promise<void> {
    const seats = this.#seats.get(id) ?? [];
    const told: string[] = [];
    for (const [index, seat] of seats.entries()) {
      // A client that reads the past has not been told everything yet.
      for (let seq = -1; seq < (this.#sides[index]?.seq ?? 0); ) {
        const answer = seat.client.next(({ re }) => re === BARRIER);
        seat.client.send({ op: 'ping', id: BARRIER });
        seq = (await answer).seq;
      }
      const fresh = seat.client.frames.slice(seat.compared).filter((frame) => !isPresence(frame) && !isOwn(frame));
      seat.compared = seat.client.frames.length;
      seat.more = fresh.findLast(({ more }) => more !== undefined)?.more ?? seat.more;
      told.push(this.#shown([...fresh.filter(isOfUpdate), ...fresh.filter((frame) => !isOfUpdate(frame))]));
    }
    const [one = '', other = ''] = told;
    if (one !== other) throw new Error(`${id} was told what it may not see:\n${difference(one, other)}`);
  }

  /** When each change is told depends on the clock; hidden users are in none of them. */
  #checkPresence(id: CallerId): void {
    for (const { client } of this.#seats.get(id) ?? []) {
      const told = JSON.stringify(client.frames.filter(isPresence));
      for (const hidden of HIDDEN) assert.ok(!told.includes(`"${hidden}"`), `${id} was told of ${hidden}: ${told}`);
    }
  }

  #shown(frames: readonly Frame[]): string {
    const epochs = this.#worlds.map(({ daemon }) => daemon.roster.position.epoch);
    const text = frames.map((frame) => JSON.stringify(frame)).join('\n');
    return epochs.reduce((shown, epoch) => shown.replaceAll(epoch, '<epoch>'), text.replace(VOLATILE, '*').replace(BY_CLOCK, '<now>'));
  }
}

async function twoDaemons(t: TestContext): Promise<World[]> {
  return [await World.start(t, { flags: { 'rate-limits': 'off' } }), await World.start(t, { flags: { 'rate-limits': 'off' } })];
}

for (const curtain of ['walls', 'roles'] as const) {
  test(`PV1 no live frame says what a client may not see (${curtain})`, async (t) => {
    t.diagnostic(`seed ${SEED}`);
    for (let index = 0; index < PAIRS; index++) {
      const worlds = await twoDaemons(t);
      try {
        await new Pair(curtain, seeded(SEED + index), worlds).run();
      } catch (error) {
        assert.fail(`--seed ${SEED + index}: ${error instanceof Error ? error.message : error}`);
      }
      for (const world of worlds) await world.stop();
    }
  });
}
