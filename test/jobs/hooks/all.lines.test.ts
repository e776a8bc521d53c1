/** WH1, WH2, WH11, WH14, WH16–WH18, WH20: all webhooks over a directory in memory, with a clock that moves when told. */
import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RosterLogger } from '../../../daemon/base/logger.ts';
import { Webhooks } from '../../../daemon/jobs/hooks/all.ts';
import { encodeLetterLine } from '../../../daemon/jobs/hooks/letter.ts';
import { LetterFolders } from '../../../daemon/jobs/hooks/letter-file.ts';
import type { SendResult } from '../../../daemon/jobs/hooks/quick-attempts.ts';
import type { Roster } from '../../../daemon/pipeline/roster.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock, OK, START_MS, status, userRecord } from '../../support/hooks/hook-bench.ts';
import { openRoster, upsert } from '../../support/live/hub-kit.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';

const HOUR_MS = 3_600_000;
const DEAD_KEPT_MS = 24 * HOUR_MS;

const hook = (id: string, more: object = {}) => ({
  ...{ id, hook_type: 'webhook', enabled: true, webhook_url: 'https://hooks.example/', event_types: [], dialect: 'v2' },
  ...more,
});

class World {
  readonly clock = new FakeClock();
  /** What arrived, as `hook:user`. */
  readonly sent: string[] = [];
  readonly logged: string[] = [];
  /** Requests that were cut off. */
  cuts = 0;
  answer: (sent: string) => SendResult | Promise<SendResult> = () => OK;
  roster: Roster;
  webhooks: Webhooks;
  readonly directory: string;

  private constructor(roster: Roster, directory: string) {
    this.roster = roster;
    this.directory = directory;
    this.webhooks = this.#new();
  }

  static async open(t: TestContext): Promise<World> {
    const world = new World(await openRoster(), await temporaryDirectory());
    await world.webhooks.start();
    t.after(() => world.webhooks.stop(0));
    return world;
  }

  #new(): Webhooks {
    const { clock, logged } = this;
    const logger: RosterLogger = { info: (_, text) => logged.push(text), error: (_, text) => logged.push(text) };
    const letters = new LetterFolders(this.directory, logger);
    return new Webhooks({
      ...{ roster: this.roster, letters, clock, random: () => 0.5, concurrency: 8, logger },
      ...{ retryMs: HOUR_MS, deadKeptMs: DEAD_KEPT_MS },
      send:
        ({ id }, _, { lane }) =>
        async (_attempt, _timeoutMs, cut) => {
          this.sent.push(`${id}:${lane}`);
          const isCut = new Promise<SendResult>((resolve) =>
            cut.addEventListener('abort', () => {
              this.cuts++;
              resolve({ kind: 'stopped' });
            }),
          );
          return await Promise.race([this.answer(`${id}:${lane}`), isCut]);
        },
    });
  }

  async settings(...hooks: readonly object[]): Promise<void> {
    await this.roster.submit({ kind: 'settings', set: { event_hooks: hooks as never } }, 'live');
    await this.settle();
  }

  async tell(...ids: readonly string[]): Promise<void> {
    await upsert(this.roster, ids, `note ${this.roster.directory.seq}`);
    await this.settle();
  }

  /** Everything that waits for files and for no time is done. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 6; turn++) {
      for (let step = 0; step < 5; step++) await new Promise((resolve) => setImmediate(resolve));
      await readdir(this.directory);
      await this.webhooks.deadLetters('h', { limit: 1 }).catch(() => {});
    }
  }

  /** Repeats `act` until this holds: what is written to a file takes its time. */
  async until(holds: () => boolean, act: () => Promise<void> = async () => {}): Promise<void> {
    const look = async (): Promise<boolean> => {
      if (holds()) return true;
      await act();
      await this.settle();
      return holds();
    };
    await eventually(look, `never: ${holds}`);
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms, () => this.settle());
  }

  /** The webhooks of the daemon that starts next, on the same directory or on another one. */
  async restart(roster = this.roster): Promise<void> {
    await this.webhooks.stop(0);
    this.roster = roster;
    this.webhooks = this.#new();
    await this.webhooks.start();
    await this.settle();
  }

  outbox(id: string): number | undefined {
    return this.roster.directory.docs.get('outbox', id)?.seq;
  }

  state(id: string): string | undefined {
    return this.webhooks.status().find((one) => one.id === id)?.state;
  }
}

test('WH1 WH2 a hook gets what happens while it is enabled: nothing from before it, nothing while it is disabled', async (t) => {
  const world = await World.open(t);
  await world.tell('before');
  await world.settings(hook('h'));
  await world.tell('ann');
  assert.deepEqual([world.sent, world.state('h')], [['h:ann'], 'ok']);
  await world.settings(hook('h', { enabled: false }));
  assert.deepEqual([world.state('h'), world.outbox('h')], ['disabled', undefined]);
  await world.tell('meanwhile');
  await world.settings(hook('h'));
  await world.tell('bob');
  assert.deepEqual(world.sent, ['h:ann', 'h:bob']);
  await world.settings();
  await world.tell('late');
  assert.deepEqual([world.sent, world.webhooks.status(), world.outbox('h')], [['h:ann', 'h:bob'], [], undefined]);
});

test('WH16 positions are written a second after they moved, all together, and not again', async (t) => {
  const world = await World.open(t);
  await world.settings(hook('h'), hook('i'));
  const { seq } = world.roster.directory;
  const since = () => world.roster.directory.docs.get('outbox', 'h')?.updated_at;
  await world.tell('ann', 'bob');
  assert.deepEqual([world.roster.directory.seq, world.outbox('h')], [seq + 2, seq - 2]);
  await world.advance(999);
  assert.equal(world.roster.directory.seq, seq + 2);
  await world.advance(1);
  assert.deepEqual([world.outbox('h'), world.outbox('i')], [seq + 2, seq + 2]);
  const written = world.roster.directory.seq;
  assert.equal(written, seq + 4, 'one fact for each hook');
  assert.equal(since(), (START_MS + 1_000) * 1_000);
  await world.advance(HOUR_MS);
  assert.equal(world.roster.directory.seq, written, 'the entry of the positions moves nothing');
  await world.tell('carl');
  await world.restart();
  assert.equal(world.outbox('h'), written + 1, 'written at a stop, too');
  assert.deepEqual(world.sent.filter((one) => one.endsWith('carl')).sort(), ['h:carl', 'i:carl'], 'and nothing is sent twice');
});

test('WH17 a hook that is changed goes on where it is; the letters of a removed hook go with it, and those of nobody at the start', async (t) => {
  const world = await World.open(t);
  await world.settings(hook('h'), hook('i'));
  world.answer = (sent) => (sent === 'h:ann' ? status(400) : OK);
  await world.tell('ann', 'bob');
  await world.tell('carl');
  await world.until(() => world.webhooks.status()[0]?.parked === 1);
  await world.settings(hook('h', { event_types: ['user.updated'] }), hook('i'));
  await world.tell('dora');
  assert.equal(world.sent.filter((one) => one === 'h:bob').length, 1);
  assert.ok(world.sent.includes('h:dora'));
  assert.equal((await readdir(world.directory)).length, 2);
  await world.settings(hook('i'));
  assert.equal((await readdir(world.directory)).length, 1);
  await world.webhooks.stop(0);
  await world.roster.submit({ kind: 'settings', set: { event_hooks: [] } }, 'live');
  await world.restart();
  assert.deepEqual(await readdir(world.directory), []);
});

test('WH18 a new history is reported, what was not sent before counts as lost, and the hook begins with it', async (t) => {
  const world = await World.open(t);
  await world.settings(hook('h'));
  await world.tell('ann');
  await world.advance(1_000);
  const known = world.outbox('h') ?? 0;
  // The same directory under another epoch, whose log begins 5 facts later.
  const other = await openRoster(1 << 20, new MemoryLog({ epoch: 'other', start: 0, retentionFacts: 1_000_000 }));
  await other.submit({ kind: 'settings', set: { event_hooks: [hook('h')] as never } }, 'live');
  const doc = { id: 'h', epoch: 'gone', seq: known, updated_at: 1 };
  await other.submit({ kind: 'docs', changes: [{ kind: 'outbox', id: 'h', doc }] }, 'live');
  await world.restart(other);
  assert.ok(world.logged.includes('the history began anew; what a webhook had not been sent before is lost to it'));
  assert.equal(world.webhooks.status()[0]?.lost, 1);
  const { epoch, seq, updated_at } = other.directory.docs.get('outbox', 'h') ?? assert.fail();
  assert.deepEqual([epoch, seq, updated_at], ['other', other.keptAfter, world.clock.now() * 1_000]);
  await world.tell('bob');
  assert.deepEqual(world.sent.slice(-1), ['h:bob']);
});

test('WH20 another kind of hook has a state that says so, and nothing is sent to it', async (t) => {
  const world = await World.open(t);
  await world.settings(hook('h'), hook('q', { hook_type: 'sqs' }));
  await world.tell('ann');
  assert.deepEqual([world.state('q'), world.sent], ['not delivered', ['h:ann']]);
  await assert.rejects(
    world.webhooks.deadLetters('q', { limit: 1 }),
    (error) => error instanceof RosterError && error.kind === 'not_found',
  );
});

/** A world in which these users' events are dead letters of `h`. */
async function buried(t: TestContext, ids: readonly string[]): Promise<World> {
  const world = await World.open(t);
  await world.settings(hook('h'));
  world.answer = (sent) => (ids.some((id) => sent === `h:${id}`) ? status(400) : OK);
  for (const id of ids) await world.tell(id, 'fine');
  await world.until(
    () => world.webhooks.status()[0]?.dead === ids.length,
    () => world.advance(HOUR_MS / 4),
  );
  // The hook is up again, so that nothing is looked for every few seconds.
  await world.tell('fine');
  return world;
}

test('WH14 dead letters are listed in pages, and those that are replayed and delivered leave the list', async (t) => {
  const world = await buried(t, ['a', 'b', 'c']);
  const all = await world.webhooks.deadLetters('h', { limit: 10 });
  assert.deepEqual(
    all.map(({ subject }) => subject),
    ['a', 'b', 'c'],
  );
  const page = await world.webhooks.deadLetters('h', { limit: 1, after: all[0]?.id ?? '' });
  assert.deepEqual(page, [all[1]]);
  const from = all[1]?.at ?? 0;
  const subjects = async (range: { from?: number; to?: number }) =>
    (await world.webhooks.deadLetters('h', { limit: 10, ...range })).map(({ subject }) => subject).join('');
  assert.deepEqual([await subjects({ from }), await subjects({ to: from }), await subjects({ from, to: from })], ['bc', 'ab', 'b']);
  await assert.rejects(world.webhooks.deadLetters('h', { limit: 1, after: 'none' }), /there is no such dead letter/);
  world.answer = () => OK;
  const before = world.sent.length;
  assert.deepEqual(await world.webhooks.replay('h', { ids: [all[0]?.id ?? '', all[2]?.id ?? '', 'none'] }), { replaying: 2, remaining: 0 });
  await world.until(() => world.webhooks.status()[0]?.parked === 0);
  assert.deepEqual(world.sent.slice(before).sort(), ['h:a', 'h:c']);
  assert.deepEqual(
    (await world.webhooks.deadLetters('h', { limit: 10 })).map(({ subject }) => subject),
    ['b'],
  );
  await world.settings(hook('h', { enabled: false }));
  await assert.rejects(world.webhooks.replay('h', {}), (error) => error instanceof RosterError && error.kind === 'conflict');
  await assert.rejects(world.webhooks.replay('none', {}), (error) => error instanceof RosterError && error.kind === 'not_found');
});

test('CO41 the dead letters of one user, and the event of one letter', async (t) => {
  const world = await buried(t, ['a', 'b']);
  const of = async (subject: string) => await world.webhooks.deadLetters('h', { limit: 10, subject });
  assert.deepEqual([(await of('b')).map(({ subject }) => subject), await of('none')], [['b'], []]);
  const [letter] = await of('b');
  const opened = await world.webhooks.openLetter('h', letter?.id ?? '');
  assert.deepEqual([opened.letter, opened.event.lane, opened.event.seq], [letter, 'b', letter?.seq]);
  for (const [hookId, id] of [
    ['h', 'none'],
    ['none', letter?.id ?? ''],
  ] as const)
    await assert.rejects(world.webhooks.openLetter(hookId, id), (error) => error instanceof RosterError && error.kind === 'not_found');
});

test('WH11 dead letters are kept for as long as the setting says', async (t) => {
  const world = await buried(t, ['a']);
  const [letter] = await world.webhooks.deadLetters('h', { limit: 1 });
  const ageMs = () => world.clock.now() - (letter?.failedAt ?? 0) / 1_000;
  while (ageMs() < DEAD_KEPT_MS - HOUR_MS) await world.advance(HOUR_MS);
  assert.equal(world.webhooks.status()[0]?.dead, 1);
  const dead = (): number | undefined => world.webhooks.status()[0]?.dead;
  while (dead() !== 0 && ageMs() < DEAD_KEPT_MS + 3 * HOUR_MS) {
    await world.advance(HOUR_MS);
    // A busy disk takes its time for the change to the file.
    for (let turn = 0; dead() !== 0 && turn < 40; turn++) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(dead(), 0);
  assert.ok(ageMs() < DEAD_KEPT_MS + 3 * HOUR_MS, `${ageMs() / HOUR_MS} hours`);
});

test('WH16 positions that moved since the last write are written a second after that, not with the one before', async (t) => {
  const world = await World.open(t);
  await world.settings(hook('h'));
  await world.tell('ann');
  await world.advance(500);
  await world.tell('bob');
  await world.advance(500);
  const written = world.outbox('h') ?? 0;
  await world.advance(100);
  await world.tell('carl');
  await world.advance(500);
  assert.equal(world.outbox('h'), written, 'at most once a second');
  await world.advance(500);
  assert.ok((world.outbox('h') ?? 0) > written);
});

test('WH16 positions that could not be stored are written with the next ones, and that is reported', async (t) => {
  const world = await World.open(t);
  await world.settings(hook('h'));
  const submit = world.roster.submit.bind(world.roster);
  let failing = 1;
  Object.assign(world.roster, {
    submit: (...args: Parameters<typeof submit>) =>
      args[0].kind === 'docs' && failing-- > 0 ? Promise.reject(new RosterError('unavailable', 'no space')) : submit(...args),
  });
  const before = world.outbox('h');
  await world.tell('ann');
  await world.advance(1_000);
  assert.deepEqual([world.outbox('h'), world.logged], [before, ['the positions of webhooks could not be stored']]);
  await world.advance(1_000);
  assert.ok((world.outbox('h') ?? 0) > (before ?? 0));
});

test('WH1 WH17 after a stop the settings are no longer followed; a hook that is disabled or removed cuts its requests at once', async (t) => {
  const world = await World.open(t);
  await world.settings(hook('h'), hook('i'));
  world.answer = () => new Promise(() => {});
  await world.tell('ann');
  assert.deepEqual([world.sent, world.cuts], [['h:ann', 'i:ann'], 0]);
  await world.settings(hook('h', { enabled: false }), hook('i'));
  assert.deepEqual([world.cuts, world.state('h')], [1, 'disabled']);
  await world.settings(hook('h', { enabled: false }));
  assert.deepEqual([world.cuts, (await readdir(world.directory)).length], [2, 1]);
  await world.settings();
  assert.deepEqual([await readdir(world.directory), world.logged], [[], []], 'a disabled hook has no line to end');
  await world.settings(hook('h'));
  await world.webhooks.stop(0);
  await world.settings(hook('h'), hook('j'));
  assert.equal((await readdir(world.directory)).length, 1);
  assert.equal(world.state('j'), undefined);
});

test('WH14 WH17 letters are kept over every start', async (t) => {
  const world = await buried(t, ['a']);
  for (let start = 0; start < 3; start++) {
    await world.restart();
    const [letter] = await world.webhooks.deadLetters('h', { limit: 1 });
    assert.equal(letter?.subject, 'a');
    assert.equal((await readdir(world.directory)).length, 1);
  }
});

/** A letter of `h` about a user of its own, as a line of the file. */
function letterLine(seq: number, state: 'parked' | 'dead', whenMs: number): string {
  const user = userRecord(`u${seq}`, seq);
  const event = { seq, at: seq, type: 'user.updated', lane: user.id, fact: { t: 'user', event: 'updated', user } } as const;
  const status = { state, attempts: 1, retries: 1, whenMs, reason: 'r', isReplay: false };
  return encodeLetterLine({ op: 'put', id: `id${seq}`, epoch: 'before', status, event }).toString();
}

test('WH14 a replay takes the oldest thousand, parked ones too, and dead ones only as far as there is room', async (t) => {
  const world = await World.open(t);
  await world.settings(hook('h'));
  await world.webhooks.stop(0);
  const [folder = ''] = await readdir(world.directory);
  const laterMs = world.clock.now() + HOUR_MS / 2;
  const lines = Array.from({ length: 10_003 }, (_, index) => letterLine(index + 1, index < 5 ? 'dead' : 'parked', laterMs));
  await writeFile(join(world.directory, folder, 'letters.ndjson'), lines.join(''));
  world.answer = () => new Promise(() => {});
  await world.restart();
  assert.deepEqual([world.webhooks.status()[0]?.parked, world.webhooks.status()[0]?.dead, world.sent], [9_998, 5, []]);
  // Two of the five dead ones have room; the others of the first thousand are parked already.
  assert.deepEqual(await world.webhooks.replay('h', {}), { replaying: 997, remaining: 9_006 });
  assert.deepEqual([world.webhooks.status()[0]?.parked, world.webhooks.status()[0]?.dead], [10_000, 3]);
  await world.until(() => world.sent.length >= 3);
  assert.deepEqual(world.sent.slice(0, 3), ['h:u1', 'h:u2', 'h:u6']);
  assert.deepEqual(await world.webhooks.replay('h', { from: 4, to: 7 }), { replaying: 2, remaining: 2 });
  assert.deepEqual(await world.webhooks.replay('h', { ids: ['id1', 'id9000', 'none'] }), { replaying: 2, remaining: 0 });
});

test('WH1 a change of the settings that cannot be followed is reported and tried again a second later', async (t) => {
  const world = await World.open(t);
  await rm(world.directory, { recursive: true });
  await writeFile(world.directory, 'in the way');
  await world.roster.submit({ kind: 'settings', set: { event_hooks: [hook('h') as never] } }, 'live');
  await world.webhooks.deadLetters('h', { limit: 1 }).catch(() => {});
  assert.deepEqual(world.logged, ['a change to the webhooks could not be followed; it is tried again']);
  assert.equal(world.state('h'), 'disabled');
  await rm(world.directory);
  await mkdir(world.directory);
  await world.advance(999);
  assert.equal(world.state('h'), 'disabled');
  await world.advance(1);
  await world.webhooks.deadLetters('h', { limit: 1 });
  assert.deepEqual([world.state('h'), world.logged.length], ['ok', 1]);
});

test('WH14 WH16 a page after no letter is a mistake of the field; positions are stored when a stop resolves', async (t) => {
  const world = await World.open(t);
  await world.settings(hook('h'));
  await assert.rejects(
    world.webhooks.deadLetters('h', { limit: 1, after: 'none' }),
    (error) => error instanceof RosterError && error.kind === 'input' && error.fields[0]?.path === 'after',
  );
  const before = world.outbox('h') ?? 0;
  await world.tell('ann');
  assert.equal(world.outbox('h'), before);
  await world.webhooks.stop(0);
  assert.ok((world.outbox('h') ?? 0) > before);
});
