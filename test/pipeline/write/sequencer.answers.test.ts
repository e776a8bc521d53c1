/** When a command is answered, and with which times: SQ3, US1. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Command } from '../../../protocol/log/command.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import { LogUnavailable } from '../../../store/log.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { rosterWith } from '../../support/open-roster.ts';
import { NodeLog } from '../../support/store/node-log.ts';

/** A log whose entries are stored at once and reach readers only when `open` was called. */
class SlowlyReadLog extends MemoryLog {
  open: () => void = () => {};
  readonly #isOpen = new Promise<void>((resolve) => {
    this.open = resolve;
  });

  override async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
    for await (const entry of super.read(after, signal)) {
      await this.#isOpen;
      yield entry;
    }
  }
}

const upsert = (...users: { id: string; name?: string }[]): Command => ({
  kind: 'upsert',
  actor: { kind: 'server' },
  users: users.map((user) => ({ custom: {}, ...user })),
  problems: [],
});

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('SQ3 a command is answered once its change is applied, not when it is only stored', async () => {
  const log = new SlowlyReadLog();
  const roster = await rosterWith({ log });
  const seen: (string | undefined)[] = [];
  const answered = roster.submit(upsert({ id: 'ann', name: 'Ann' }), 'live').then(() => seen.push(roster.directory.user('ann')?.name));
  await turns();
  assert.deepEqual([log.head.seq, seen], [1, []], 'stored, and not answered');
  log.open();
  await answered;
  assert.deepEqual(seen, ['Ann'], 'what was answered can be read');
});

test('SQ3 a refusal that rests on another command of its batch waits until that one is durable', async () => {
  const log = new MemoryLog();
  const roster = await rosterWith({ log });
  await roster.submit({ kind: 'settings', set: { enforce_unique_usernames: 'app' } }, 'live');
  const release = log.hold();
  const ended: string[] = [];
  const first = roster.submit(upsert({ id: 'ann', name: 'Ann' }), 'live').then(() => ended.push('ann'));
  const second = roster.submit(upsert({ id: 'bob', name: 'ann' }), 'live').catch(() => ended.push('bob'));
  await turns();
  assert.deepEqual(ended, []);
  release();
  await Promise.all([first, second]);
  assert.deepEqual(ended, ['ann', 'bob'], 'in the order of the commands');
});

test('US1 times go on growing when the clock is set back, or stands still', async () => {
  const hourBackUs = 3_600_000_000;
  for (const steps of [
    [0, -hourBackUs, -hourBackUs, -2 * hourBackUs],
    [0, 0, 0, 0],
  ]) {
    const clock = steps.map((step) => 1_800_000_000_000_000 + step);
    let last = clock[0] ?? 0;
    const log = new MemoryLog();
    const roster = await rosterWith({
      log,
      now: () => {
        last = clock.shift() ?? last;
        return last;
      },
    });
    const times: number[] = [];
    for (let n = 0; n < 4; n++) {
      const { users } = await roster.submit(upsert({ id: 'ann', name: `Ann ${n}` }), 'live');
      times.push(users[0]?.user.updated_at ?? 0);
    }
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    assert.equal(new Set(times).size, 4);
    assert.equal(roster.directory.user('ann')?.created_at, times[0]);
  }
});

test('SQ5 SQ11 a refusal says whether the change may have been stored', async () => {
  const log = new MemoryLog();
  const roster = await rosterWith({ log });
  for (const [type, text] of [
    ['not-written', { outcome: 'not_stored', message: /nothing was stored$/ }],
    ['unknown-lost', { outcome: 'unknown', message: /it is not known whether the change was stored$/ }],
  ] as const) {
    log.failNext({ type });
    await assert.rejects(roster.submit(upsert({ id: 'ann' }), 'live'), text);
  }
  await roster.submit(upsert({ id: 'ann' }), 'live');
});

/** The storage of this log does not answer, and a command is refused after 300 ms. */
async function absent(t: TestContext) {
  const log = new NodeLog(new MemoryLog());
  const roster = await rosterWith({ log });
  t.after(() => roster.close());
  await roster.submit(upsert({ id: 'ann', name: 'Ann' }), 'live');
  log.goAway();
  return { log, roster };
}

test('SQ10 ND7 however many commands wait for an absent storage, each is refused within the deadline', async (t) => {
  const { log, roster } = await absent(t);
  const took: number[] = [];
  const submit = async (command: Command, lane: 'live' | 'bulk'): Promise<void> => {
    const started = performance.now();
    await assert.rejects(roster.submit(command, lane), /cannot store changes at the moment \(the test took it away\); nothing was stored$/);
    took.push(performance.now() - started);
  };
  const all: Promise<void>[] = [];
  // Twenty batches, and an answer that only has to be confirmed.
  for (let n = 0; n < 3_000; n++) all.push(submit(upsert({ id: `u${n}` }), n % 3 === 0 ? 'bulk' : 'live'));
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (let n = 0; n < 10; n++) all.push(submit(upsert({ id: 'ann', name: 'Ann' }), 'live'));
  await Promise.all(all);
  // One after the other, they would take six seconds.
  assert.ok(Math.max(...took) < 3_000, `${Math.max(...took)} ms`);
  assert.deepEqual([log.asked.append, took.length], [2, 3_010], 'one batch was tried, the others were not');
  log.comeBack();
  assert.equal((await roster.submit(upsert({ id: 'bob' }), 'live')).users[0]?.change, 'created');
});

test('SQ10 a storage that comes back in time costs no refusal, and keeps the order', async (t) => {
  const { log, roster } = await absent(t);
  const order: string[] = [];
  const all = ['a', 'b', 'c'].map(async (name) => {
    const { users } = await roster.submit(upsert({ id: 'ann', name }), 'live');
    order.push(`${name} ${users[0]?.user.rev}`);
  });
  await turns();
  const late = roster.submit(upsert({ id: 'ann', name: 'd' }), 'live').then(({ users }) => order.push(`d ${users[0]?.user.rev}`));
  log.comeBack();
  await Promise.all([...all, late]);
  assert.deepEqual(order, ['a 2', 'b 3', 'c 4', 'd 5']);
});

test('SQ10 what was stored and cannot be read back is said to be stored', async (t) => {
  const log = new NodeLog(new MemoryLog());
  const roster = await rosterWith({ log });
  t.after(() => roster.close());
  const read = log.holdReading();
  await assert.rejects(roster.submit(upsert({ id: 'ann' }), 'live'), /the change is stored, and cannot be read back at the moment$/);
  read();
});

test('SQ5 SQ10 a failure of a storage that is there is that of its own batch: what waits behind it is stored', async () => {
  const log = new MemoryLog();
  const roster = await rosterWith({ log });
  const release = log.hold();
  const first = roster.submit(upsert({ id: 'ann' }), 'live');
  await turns();
  const second = roster.submit(upsert({ id: 'bob' }), 'live');
  log.failNext({ type: 'not-written' });
  release();
  const outcomes = await Promise.allSettled([first, second]);
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  assert.equal(log.head.seq, 1);
});

test('US1 a time is that of the wall clock where that goes on, in the log as well', async () => {
  const log = new MemoryLog();
  let nowUs = 1_800_000_000_000_000;
  const roster = await rosterWith({ log, now: () => nowUs });
  const times: number[] = [];
  for (let n = 0; n < 3; n++) {
    nowUs += 5_000_000;
    times.push((await roster.submit(upsert({ id: 'ann', name: `Ann ${n}` }), 'live')).users[0]?.user.updated_at ?? 0);
  }
  assert.deepEqual(
    times,
    [5, 10, 15].map((seconds) => 1_800_000_000_000_000 + seconds * 1_000_000),
  );
  assert.ok(roster.directory.time >= nowUs);
});

test('SQ6 a command that a closing log refuses is refused as unavailable, and is no error of the daemon', async () => {
  const log = new MemoryLog();
  const errors: unknown[] = [];
  const roster = await rosterWith({ log, logger: { info: () => {}, error: (fields) => void errors.push(fields) }, onFatal: () => {} });
  await log.close();
  await assert.rejects(roster.submit(upsert({ id: 'ann' }), 'live'), { kind: 'unavailable', message: 'the daemon is shutting down' });
  assert.deepEqual(errors, []);
});

test('SQ3 each change carries the origin of its own command into the log', async () => {
  const log = new MemoryLog({ retentionFacts: 1_000 });
  const roster = await rosterWith({ log });
  const origins = [
    { source: 'server', client: 'one' },
    { source: 'import', job: 'seven' },
  ] as const;
  await Promise.all(origins.map((origin, n) => roster.submit(upsert({ id: `u${n}` }), 'live', origin)));
  const from: unknown[] = [];
  for await (const { facts } of log.read(0, AbortSignal.timeout(60_000))) {
    for (const fact of facts) from.push(fact.t === 'user' ? fact.from : undefined);
    if (from.length === 2) break;
  }
  assert.deepEqual(from, origins);
});

test('SQ11 an operator hears of a storage that fails, and not of what a caller did wrong', async () => {
  const log = new MemoryLog();
  const errors: unknown[] = [];
  const roster = await rosterWith({ log, logger: { info: () => {}, error: (fields) => void errors.push('err' in fields && fields.err) } });
  await assert.rejects(roster.submit({ kind: 'delete', ids: ['nobody'], mode: 'soft', options: {} }, 'live'));
  assert.equal(errors.length, 0);
  log.failNext({ type: 'not-written' });
  await assert.rejects(roster.submit(upsert({ id: 'ann' }), 'live'));
  assert.deepEqual(
    errors.map((error) => error instanceof LogUnavailable),
    [true],
  );
});

test('SQ2 each batch has at most four bulk commands, whatever waits', async () => {
  const log = new MemoryLog({ retentionFacts: 1_000 });
  const roster = await rosterWith({ log });
  const release = log.hold();
  const all = [roster.submit(upsert({ id: 'blocker' }), 'live')];
  await turns();
  for (let n = 0; n < 10; n++) all.push(roster.submit(upsert({ id: `bulk${n}` }), 'bulk'));
  for (let n = 0; n < 10; n++) all.push(roster.submit(upsert({ id: `live${n}` }), 'live'));
  release();
  await Promise.all(all);
  const batches: number[] = [];
  for await (const { first, facts } of log.read(0, AbortSignal.timeout(60_000))) {
    batches.push(facts.filter((fact) => fact.t === 'user' && fact.user.id.startsWith('bulk')).length);
    if (first + facts.length > 21) break;
  }
  assert.deepEqual(batches, [0, 4, 4, 2]);
});
