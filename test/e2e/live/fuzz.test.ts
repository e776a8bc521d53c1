/**
 * LF1: whatever happens to subscribers, to users and to the daemon, every copy converges to the directory, and nobody gets
 * an event twice, out of order, or misses one. Runs: `npm run test:e2e -- --runs 1000`; one of them: `--runs 1 --seed 7`.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isInSight } from '../../../protocol/access/tenancy.ts';
import { eventType } from '../../../protocol/live/user-events.ts';
import { type Reader, renderLive } from '../../../protocol/users/render.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { eventually } from '../../support/eventually.ts';
import { Follower, type FollowerOptions } from '../../support/live/follower.ts';
import type { Frame } from '../../support/live/received.ts';
import { sized } from '../../support/long.ts';
import { seeded, testOption } from '../../support/random.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

const IDS = Array.from({ length: 12 }, (_, n) => `u${n}`);
const TEAMS = ['red', 'blue', 'green'];
const STEPS = 30;
/** Users of a flood that a paused reader cannot take. */
const FLOOD = Array.from({ length: 100 }, (_, n) => `f${n}`);
const PLANS = ['flood', 'none', 'none', 'none', 'none', 'expiry', 'none', 'none', 'none', 'none'] as const;
const PAD = 'x'.repeat(8_000);
const PATIENCE_MS = 20_000;

interface Subject {
  readonly follower: Follower;
  /** Who speaks; undefined for a server. */
  readonly userId: string | undefined;
  /** Whether the copy should show this user. */
  readonly wants: (user: StoredUser) => boolean;
  readonly isWalled: boolean;
  /** Whether it is to be told of every event that servers are told of. */
  readonly isExact: boolean;
}

/** What all runs together came across. */
interface Coverage {
  resumes: number;
  resyncs: number;
  resets: number;
  restarts: number;
  fellBehind: number;
  /** Connections that ended with their token. */
  expired: number;
  ended: number;
  events: number;
}

class Run {
  readonly #t: TestContext;
  readonly #random: () => number;
  readonly #data: string;
  readonly #coverage: Coverage;
  #world: World | undefined;
  #subjects: Subject[] = [];
  /** Seq of everything that was announced to servers, in order. */
  readonly #announced: number[] = [];
  readonly #shortTokens = new Set<string>();
  #isRestartDue = false;
  #isExpiryDue = false;

  constructor(t: TestContext, seed: number, data: string, coverage: Coverage) {
    this.#t = t;
    this.#random = seeded(seed);
    this.#data = data;
    this.#coverage = coverage;
  }

  get #running(): World {
    assert.ok(this.#world !== undefined);
    return this.#world;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(list: readonly T[]): T {
    const picked = list[this.#below(list.length)];
    assert.ok(picked !== undefined);
    return picked;
  }

  #some<T>(list: readonly T[], max: number): T[] {
    return [...new Set(Array.from({ length: 1 + this.#below(max) }, () => this.#pick(list)))];
  }

  /** `plan`: what happens in the middle of the run, whatever the dice say, so that a few runs come across everything. */
  async run(plan: 'flood' | 'expiry' | 'none'): Promise<void> {
    await this.#start();
    if (this.#random() < 0.5) await this.#running.http('PATCH', '/app', { multi_tenant_enabled: true });
    await this.#running.upsert(...IDS.slice(0, 8).map((id) => this.#record(id)));
    this.#subjects = this.#makeSubjects();
    for (const { follower } of this.#subjects) await follower.connect();
    for (let step = 0; step < STEPS; step++) {
      if (step === STEPS / 2 && plan === 'flood') await this.#flood();
      if (step === STEPS / 2 && plan === 'expiry') await this.#expire();
      const burst = this.#random() < 0.3 ? 3 : 1;
      await Promise.all(Array.from({ length: burst }, () => this.#step()));
      if (this.#isExpiryDue) await this.#expire();
      this.#isExpiryDue = false;
      if (this.#isRestartDue) await this.#restart();
      this.#isRestartDue = false;
    }
    await this.#settle();
    for (const { follower } of this.#subjects) follower.cut();
    await this.#running.stop();
  }

  async #start(): Promise<void> {
    const flags = {
      'history-bytes': '65536',
      'outbox-bytes-max': '65536',
      'presence-grace-ms': this.#random() < 0.5 ? '0' : '30',
      'rate-limits': 'off',
    };
    const world = await World.start(this.#t, { data: this.#data, flags });
    world.daemon.roster.onApplied((entry) => {
      for (const [index, fact] of entry.facts.entries()) {
        if (fact.t === 'app' || fact.t === 'doc' || eventType(fact) === undefined) continue;
        this.#announced.push(entry.first + index);
      }
    });
    this.#world = world;
  }

  #makeSubjects(): Subject[] {
    const server = () => ({ api_key: API_KEY, token: serverToken() });
    const of = (name: string, options: Omit<FollowerOptions, 'name' | 'url' | 'isServer'>, isServer = true): Follower =>
      new Follower({ name, isServer, url: () => this.#running.daemon.url, ...options });
    const asServer = (name: string, transport: FollowerOptions['transport'], want: Frame, wants: Subject['wants']): Subject => ({
      follower: of(name, { transport, connect: server, want, presence: want.all === true }),
      userId: undefined,
      wants,
      isWalled: false,
      isExact: want.all === true,
    });
    const watched = this.#some(IDS, 6);
    const team = this.#pick(TEAMS);
    const asUser = (id: string, transport: FollowerOptions['transport'], want: Frame, wants: Subject['wants']): Subject => ({
      follower: of(`${id} by ${transport}`, { transport, connect: () => this.#clientConnect(id), want }, false),
      userId: id,
      wants,
      isWalled: true,
      isExact: false,
    });
    const newest: Subject = {
      follower: of('newest by ws', { transport: 'ws', connect: () => ({ ...server(), conflate: true }), want: { all: true } }),
      userId: undefined,
      wants: () => true,
      isWalled: false,
      isExact: false,
    };
    const newestOfTeam: Subject = {
      follower: of('newest of team by ws', { transport: 'ws', connect: () => ({ ...server(), conflate: true }), want: { teams: [team] } }),
      userId: undefined,
      wants: ({ teams }) => teams.includes(team),
      isWalled: false,
      isExact: false,
    };
    const everyone = (): boolean => true;
    return [
      asServer('all by ws', 'ws', { all: true, limit: 5 }, everyone),
      newest,
      newestOfTeam,
      asServer('all by io', this.#random() < 0.3 ? 'io polling' : 'io', { all: true }, everyone),
      asServer('team by ws', 'ws', { teams: [team] }, ({ teams }) => teams.includes(team)),
      asServer('filter by io', 'io', { filter: { level: { $gte: 5 } } }, ({ custom }) => Number(custom.level) >= 5),
      asServer('ids by ws', 'ws', { ids: watched, limit: 2 }, ({ id }) => watched.includes(id)),
      asUser('u0', 'ws', { all: true, limit: 3 }, everyone),
      asUser('u1', 'io', { ids: watched }, ({ id }) => watched.includes(id)),
      asUser('u2', 'ws', { filter: { level: { $gte: 5 } } }, ({ custom }) => Number(custom.level) >= 5),
    ];
  }

  /** Tokens are from a moment that no revocation during the run is after; some of them end soon. */
  #clientConnect(id: string): Record<string, unknown> {
    const nowS = Math.floor(Date.now() / 1000);
    const isShort = this.#shortTokens.delete(id);
    const token = userToken(id, { iat: nowS + 3, ...(isShort ? { exp: nowS + 2 } : {}) });
    return { api_key: API_KEY, token };
  }

  #record(id: string): { id: string; [key: string]: unknown } {
    return {
      id,
      name: `${id} ${this.#below(1_000)}`,
      teams: this.#random() < 0.7 ? this.#some(TEAMS, 2) : [],
      custom: { level: this.#below(10) },
    };
  }

  async #step(): Promise<void> {
    const dice = this.#random();
    if (dice < 0.55) await this.#change();
    else if (dice < 0.7) this.#cut();
    else if (dice < 0.85) await this.#return();
    else if (dice < 0.93) await this.#disturb();
    else if (dice < 0.931) await this.#flood();
    else if (dice < 0.96) this.#isRestartDue = true;
    else await this.#running.http('PATCH', '/app', { multi_tenant_enabled: this.#random() < 0.5 });
  }

  /** One request of a server; that it may be refused in the state that the users are in is part of the game. */
  async #change(): Promise<void> {
    const world = this.#running;
    const id = this.#pick(IDS);
    const post = (path: string, body: object) => world.http('POST', path, body);
    const changes: readonly (() => Promise<unknown>)[] = [
      () => world.upsert(...this.#some(IDS, 8).map((one) => this.#record(one))),
      () => world.upsert(this.#record(id)),
      () => world.http('PATCH', '/api/v2/users', { users: [{ id, set: { level: this.#below(10) }, unset: ['name'] }] }),
      () => world.http('PATCH', '/api/v2/users', { users: [{ id, set: { teams: this.#some(TEAMS, 2) } }] }),
      () => world.http('PATCH', '/users', { users: [{ id, set: { revoke_tokens_issued_before: new Date().toISOString() } }] }),
      () => world.http('DELETE', `/users/${id}`),
      () =>
        post('/api/v2/users/delete', {
          user_ids: this.#some(IDS, 3),
          user: this.#pick(['soft', 'pruning', 'hard']),
          messages: 'hard',
          conversations: 'hard',
        }),
      () => post('/api/v2/users/restore', { user_ids: [id] }),
      () => post('/api/v2/users/restore', { user_ids: [this.#pick(IDS)] }),
      () => post(`/users/${id}/deactivate`, {}),
      () => post(`/users/${id}/reactivate`, {}),
      () => post('/api/v2/moderation/ban', { target_user_id: id, banned_by_id: this.#pick(IDS), shadow: this.#random() < 0.3 }),
      () => post(`/users/${id}/event`, { event: { type: 'nudge', n: this.#below(100) } }),
      () => this.#pick(this.#subjects).follower.request('update', { set: { level: this.#below(10) } }),
    ];
    const answer = await this.#pick(changes)();
    if (typeof answer === 'object' && answer !== null && 'status' in answer) {
      assert.ok(Number(answer.status) < 500, JSON.stringify(answer));
    }
  }

  #cut(): void {
    this.#pick(this.#subjects).follower.cut();
  }

  async #return(): Promise<void> {
    const { follower } = this.#pick(this.#subjects);
    follower.resume();
    await follower.connect();
  }

  /** A reader that stops, a token that is short, a token that is replaced. */
  async #disturb(): Promise<void> {
    const { follower, userId } = this.#pick(this.#subjects);
    const dice = this.#random();
    if (dice < 0.4) follower.pause();
    else if (userId === undefined) await follower.request('refresh', { token: serverToken({ iat: 1 }) });
    else if (dice < 0.5) this.#isExpiryDue = true;
    else await follower.request('refresh', { token: String(this.#clientConnect(userId).token) });
  }

  /** More than a connection and the kernel take for a reader that has stopped. */
  async #flood(): Promise<void> {
    const [all, newest] = this.#subjects;
    await Promise.all([all?.follower.connect(), newest?.follower.connect()]);
    all?.follower.pause();
    if (this.#random() < 0.5) newest?.follower.pause();
    for (let round = 0; round < 10; round++) {
      await this.#running.upsert(...FLOOD.map((id) => ({ id, custom: { round: this.#below(1_000), pad: PAD } })));
    }
    this.#coverage.fellBehind += this.#running.daemon.roster.hub.stats.fellBehind;
    if (this.#random() < 0.5) all?.follower.resume();
  }

  /**
   * A client whose token ends stays until that is noticed. The first one that may connect at all. Between two steps: one
   * beside it may connect the client with a longer token, refresh its token, or stop reading what ends it.
   */
  async #expire(): Promise<void> {
    for (const { follower, userId } of this.#subjects) {
      if (userId === undefined) continue;
      this.#shortTokens.add(userId);
      follower.cut();
      if (!(await follower.connect())) continue;
      await eventually(() => !follower.isConnected, `${follower.options.name}: outlived its token`);
      this.#coverage.expired++;
      return;
    }
  }

  /** Between two steps, so that no request of the test itself is cut off. */
  async #restart(): Promise<void> {
    this.#coverage.restarts++;
    await this.#running.stop();
    await this.#start();
  }

  /** Brings everyone back, waits until each has heard of everything, and compares. */
  async #settle(): Promise<void> {
    const startedMs = performance.now();
    let heard = -1;
    let lastMs = startedMs;
    for (;;) {
      const nowHeard = this.#subjects.reduce((sum, { follower }) => sum + follower.heard, 0);
      if (nowHeard > heard) lastMs = performance.now();
      heard = nowHeard;
      const seq = this.#running.daemon.roster.position.seq;
      const reached = await Promise.all(this.#subjects.map((subject) => this.#bringUp(subject, seq)));
      if (reached.every((done) => done) && this.#running.daemon.roster.position.seq === seq) break;
      // A busy machine is slow, which is no fault as long as it gets on.
      const isHopeless = performance.now() - lastMs > PATIENCE_MS || performance.now() - startedMs > 10 * PATIENCE_MS;
      assert.ok(!isHopeless, `not all came up to ${seq}: ${reached}`);
    }
    for (const subject of this.#subjects) await this.#check(subject);
  }

  async #bringUp({ follower, userId }: Subject, seq: number): Promise<boolean> {
    follower.resume();
    if (!(await follower.connect())) return userId !== undefined && !this.#mayConnect(userId);
    return await follower.reached(seq);
  }

  #mayConnect(id: string): boolean {
    const { directory } = this.#running.daemon.roster;
    const user = directory.user(id);
    return user === undefined ? directory.record(id) === undefined : user.deactivated_at === undefined;
  }

  async #check({ follower, userId, wants, isWalled, isExact }: Subject): Promise<void> {
    const { roster } = this.#running.daemon;
    const { name } = follower.options;
    const { resumes, resyncs, resets, errors, seqs, breaches, since } = follower;
    this.#coverage.resumes += resumes;
    this.#coverage.resyncs += resyncs;
    this.#coverage.resets += resets;
    this.#coverage.events += seqs.length;
    this.#coverage.ended += errors.filter((code) => code === 16 || code === 17).length;
    assert.deepEqual(breaches, []);
    if (!follower.isConnected) return;
    const viewer = userId === undefined ? undefined : roster.directory.user(userId);
    const shown = [...roster.directory.users()].filter(
      (user) => wants(user) && (!isWalled || (viewer !== undefined && isInSight(roster.directory.app, viewer, user))),
    );
    const readerOf = (id: string): Reader => (userId === undefined ? 'server' : userId === id ? 'self' : 'other');
    const expected = comparable(
      shown.map((user) => renderLive(user, { online: false, reader: readerOf(user.id) })),
      isWalled,
    );
    assert.deepEqual(comparable(follower.users.values(), isWalled), expected, `${name}: the copy differs from the directory`);
    if (isExact) {
      assert.deepEqual(
        seqs,
        this.#announced.filter((seq) => seq > since),
        `${name}: lost, repeated or reordered`,
      );
      await this.#checkPresence(follower);
    }
  }

  async #checkPresence(follower: Follower): Promise<void> {
    const { presence } = this.#running.daemon.roster;
    const deadlineMs = performance.now() + PATIENCE_MS;
    const isTrue = (): boolean => [...presence.visible].sort().join() === [...follower.online].sort().join();
    while (!isTrue() && performance.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual([...follower.online].sort(), [...presence.visible].sort(), `${follower.options.name}: who is online`);
  }
}

/**
 * What is stored silently, and presence, are no part of a copy. Nor is for clients the revision: shadow bans, which they
 * are not told of, make one that shows nothing new.
 */
function comparable(users: Iterable<Frame>, isForClient: boolean): Record<string, Frame> {
  const sorted = [...users].sort((a, b) => (a.id < b.id ? -1 : 1));
  return Object.fromEntries(
    sorted.map(({ online: _, last_active: __, ...user }) => {
      const { pad, ...custom } = user.custom;
      return [user.id, { ...user, custom, pad: pad?.length, rev: isForClient ? 0 : user.rev }];
    }),
  );
}

test('LF1 random lives of subscribers, users and daemons lose, repeat and reorder nothing', { timeout: 3_600_000 }, async (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  const runs = testOption('runs', sized(3, 60));
  t.diagnostic(`seed ${seed}, ${runs} runs`);
  const coverage: Coverage = { resumes: 0, resyncs: 0, resets: 0, restarts: 0, fellBehind: 0, expired: 0, ended: 0, events: 0 };
  for (let n = 0; n < runs; n++) {
    // A test of its own lets go of its daemons when it ends: a thousand runs would not fit into the memory.
    let isOver = false;
    await t.test(`LF1 --runs 1 --seed ${seed + n}`, async (run) => {
      const data = await mkdtemp(join(tmpdir(), 'rosterd-'));
      run.after(() => rm(data, { recursive: true, force: true }));
      await new Run(run, seed + n, data, coverage).run(PLANS[(seed + n) % PLANS.length] ?? 'none');
      isOver = true;
    });
    if (!isOver) return;
  }
  t.diagnostic(JSON.stringify(coverage));
  if (runs < 20) return;
  for (const [what, count] of Object.entries(coverage)) assert.ok(count > 0, `no run came across: ${what}`);
});
