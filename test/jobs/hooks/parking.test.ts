/** WH10, WH12–WH14, CK2: how events of a hook are put aside and given up, also when that fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Health } from '../../../daemon/jobs/hooks/health.ts';
import { type HookLane, type Item, Lanes } from '../../../daemon/jobs/hooks/lanes.ts';
import type { LetterStatus } from '../../../daemon/jobs/hooks/letter.ts';
import { Parking, parkedItem } from '../../../daemon/jobs/hooks/parking.ts';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import { FakeClock, START_MS } from '../../support/hooks/hook-bench.ts';

const EVENT = {} as HookEvent;
const HOUR_MS = 3_600_000;

const FULL = 'too many events are parked; it goes on when there is room';
const FAILED = 'events of a webhook could not be put aside on the disk';

class Bench {
  readonly clock = new FakeClock();
  readonly lanes = new Lanes();
  readonly health = new Health(() => 0);
  readonly steps: string[] = [];
  readonly statuses: LetterStatus[] = [];
  /** The answers of the file, one for each write; then everything is written. */
  readonly answers: (boolean | Error)[] = [];
  room = 10;
  dead = 0;
  readonly parking: Parking;

  constructor(random = 0.5) {
    const write = async (what: string, id: string, status: LetterStatus): Promise<boolean> => {
      this.steps.push(`${what} ${id}`);
      this.statuses.push(status);
      await new Promise((resolve) => setImmediate(resolve));
      const answer = this.answers.shift() ?? true;
      if (answer instanceof Error) throw answer;
      if (answer && status.state === 'dead') this.dead++;
      return answer;
    };
    const bench = this;
    this.parking = new Parking({
      ...{ hookId: 'h', lanes: this.lanes, health: this.health, clock: this.clock, random: () => random },
      letters: {
        put: (id: string, _: string, __: unknown, status: LetterStatus) => write('put', id, status),
        move: (id: string, status: LetterStatus, isUrgent = true) => write(isUrgent ? 'move' : 'move later', id, status),
        get room() {
          return bench.room;
        },
        get dead() {
          return bench.dead;
        },
      } as never,
      logger: { info: () => {}, error: (_, text) => this.steps.push(text) },
      leave: (seq) => this.steps.push(`left ${seq}`),
    });
  }

  lane(key: string, ...items: readonly Partial<Item>[]): HookLane {
    const lane = this.lanes.get(key);
    for (const [index, item] of items.entries()) {
      const seq = item.seq ?? index + 1;
      const whole = { id: `${key}${seq}`, epoch: 'e', seq, at: 1, event: EVENT, attempts: 1, retries: 0, isReplay: false, isMoving: false };
      lane.insert({ ...whole, ...item });
    }
    return lane;
  }

  /** Since the start of the clock. */
  due(lane: HookLane): number {
    return lane.dueMs - START_MS;
  }
}

test('WH12 a lane is parked with all of its events, which leave memory, and waits for up to 30 s', async () => {
  for (const [random, pauseMs] of [
    [0, 0],
    [0.5, 15_000],
    [1, 30_000],
  ] as const) {
    const bench = new Bench(random);
    bench.health.failed(0, 'answered 400', false);
    const lane = bench.lane('ann', { attempts: 3 }, { attempts: 0 });
    const parking = bench.parking.parkLane(lane);
    assert.equal(lane.state, 'moving');
    assert.ok(lane.items.every(({ isMoving }) => isMoving));
    await parking;
    assert.deepEqual(bench.steps, ['put ann1', 'put ann2', 'left 1', 'left 2']);
    const status = { state: 'parked', retries: 1, whenMs: START_MS + pauseMs, reason: 'answered 400', isReplay: false };
    assert.deepEqual(bench.statuses, [
      { ...status, attempts: 3 },
      { ...status, attempts: 0 },
    ]);
    assert.deepEqual([lane.state, bench.due(lane), bench.parking.waitingDueMs], ['waiting', pauseMs, START_MS + pauseMs]);
    assert.ok(lane.items.every(({ event, isMoving, retries }) => event === undefined && !isMoving && retries === 1));
    assert.equal(bench.parking.fullUntilMs, 0);
  }
});

test('WH12 only what is in memory and not under way is parked; an event that was never tried need not wait', async () => {
  const bench = new Bench();
  const lane = bench.lane('ann', { event: undefined, attempts: 0 }, { isMoving: true }, {});
  await bench.parking.parkLane(lane);
  assert.deepEqual(bench.steps, ['put ann3', 'left 3']);
  assert.equal(lane.state, 'ready');
  const empty = bench.lane('bob');
  await bench.parking.parkLane(empty);
  assert.deepEqual([empty.state, [...bench.lanes.all()].map(({ key }) => key)], ['idle', ['ann']]);
  const moving = bench.lane('carl', { isMoving: true, event: undefined });
  await bench.parking.parkLane(moving);
  assert.equal(moving.state, 'moving', 'whoever moves it says what comes next');
  const sending = bench.lane('dora', {});
  bench.lanes.move(sending, 'sending');
  await bench.parking.park(sending, sending.items);
  assert.equal(sending.state, 'sending', 'its first event is in flight');
});

test('WH10 without room, or without a disk, events stay, and nothing is put aside for 30 s', async () => {
  for (const [answer, room, reason] of [
    [false, 0, FULL],
    [false, 1, 'before'],
    [new Error('EIO'), 1, FAILED],
  ] as const) {
    const bench = new Bench();
    bench.health.note(1, 'before');
    bench.room = room;
    bench.answers.push(answer);
    const lane = bench.lane('ann', {}, {});
    await bench.parking.parkLane(lane);
    assert.deepEqual([lane.state, lane.items.map(({ event }) => event === undefined)], ['held', [false, true]]);
    assert.deepEqual([bench.parking.fullUntilMs, bench.health.lastError?.reason], [START_MS + 30_000, reason]);
    assert.equal(bench.health.lastError?.atMs, reason === 'before' ? 1 : START_MS);
    assert.ok(lane.items.every(({ isMoving }) => !isMoving));
    assert.equal(bench.steps.includes(FAILED), answer instanceof Error);
  }
});

test('WH12 an event that is given up is a dead letter with its reason, and the next has its turn', async () => {
  const bench = new Bench();
  const lane = bench.lane('ann', { attempts: 7, retries: 3 }, { event: undefined, attempts: 2 });
  const [first, second] = [...lane.items] as [Item, Item];
  const burying = bench.parking.bury(lane, first, 'answered 500');
  assert.deepEqual([lane.state, first.isMoving], ['moving', true]);
  await burying;
  assert.deepEqual([bench.steps, lane.state, lane.items], [['put ann1', 'left 1'], 'ready', [second]]);
  assert.deepEqual(bench.statuses, [{ state: 'dead', attempts: 7, retries: 3, whenMs: START_MS, reason: 'answered 500', isReplay: false }]);
  await bench.parking.bury(lane, second, 'r');
  assert.deepEqual(bench.steps.slice(2), ['move ann2'], 'it is in the file already');
  assert.deepEqual([lane.state, lane.items, first.isMoving], ['idle', [], false]);
});

test('WH12 an event that cannot be given up is held, or waits for the disk', async () => {
  const bench = new Bench();
  bench.answers.push(false, new Error('EIO'));
  const inMemory = bench.lane('ann', {});
  await bench.parking.bury(inMemory, inMemory.items[0] as Item, 'r');
  assert.deepEqual([inMemory.state, inMemory.items.length, inMemory.items[0]?.isMoving], ['held', 1, false]);
  const letter = bench.lane('bob', { event: undefined });
  await bench.parking.bury(letter, letter.items[0] as Item, 'r');
  assert.deepEqual([letter.state, bench.due(letter), letter.items.length], ['waiting', 30_000, 1]);
});

test('WH13 every first event that is too old is given up, one after the other, and nothing else', async () => {
  const bench = new Bench();
  const states = ['ready', 'held', 'waiting', 'sending', 'moving', 'idle'] as const;
  for (const state of states) bench.lanes.move(bench.lane(state, { seq: 1 }, { seq: 2 }, { seq: 9 }), state);
  bench.lanes.move(bench.lane('replayed', { isReplay: true }), 'ready');
  bench.lanes.move(bench.lane('underway', { isMoving: true }), 'held');
  await bench.parking.buryOld(
    ({ seq }) => seq < 5,
    'r',
    () => true,
  );
  assert.deepEqual(
    bench.steps.filter((step) => step.startsWith('put')),
    ['put ready1', 'put held1', 'put waiting1', 'put ready2', 'put held2', 'put waiting2'],
  );
  assert.deepEqual(
    states.map((state) => bench.lanes.get(state).items.length),
    [1, 1, 1, 3, 3, 3],
  );
});

test('WH13 giving up ends when the hook is well again, or nothing can be written', async () => {
  const bench = new Bench();
  bench.lanes.move(bench.lane('ann', {}, {}, {}), 'ready');
  let turns = 2;
  await bench.parking.buryOld(
    () => true,
    'r',
    () => turns-- > 0,
  );
  assert.equal(bench.dead, 2);
  bench.answers.push(false);
  await bench.parking.buryOld(
    () => true,
    'r',
    () => true,
  );
  assert.deepEqual([bench.dead, bench.lanes.get('ann').state], [2, 'held']);
});

test('WH12 a parked event that failed again waits twice as long, up to an hour, or as long as it was asked to; never beyond its end', () => {
  const again = (retries: number, retryAfterMs: number, endsMs = START_MS + 24 * HOUR_MS, random = 1): unknown[] => {
    const bench = new Bench(random);
    const lane = bench.lane('ann', { event: undefined, attempts: 5, retries });
    const [item] = lane.items as [Item];
    bench.parking.waitAgain(lane, item, { kind: 'failed', attempts: 5, reason: 'r', retryAfterMs }, endsMs);
    const [status] = bench.statuses;
    assert.deepEqual(status, { state: 'parked', attempts: 5, retries: retries + 1, whenMs: lane.dueMs, reason: 'r', isReplay: false });
    assert.deepEqual([bench.steps, item.retries, lane.state], [['move later ann1'], retries + 1, 'waiting']);
    return [bench.due(lane), bench.parking.waitingDueMs - START_MS];
  };
  assert.deepEqual(again(1, 0), [60_000, 60_000]);
  assert.deepEqual(again(2, 0), [120_000, 120_000]);
  assert.deepEqual(again(10, 0)[0], HOUR_MS);
  assert.deepEqual(again(1, 90_000)[0], 90_000);
  assert.deepEqual(again(1, 5 * HOUR_MS)[0], HOUR_MS);
  assert.deepEqual(again(1, 0, START_MS + 10_000)[0], 10_000);
  assert.deepEqual(again(1, 0, START_MS - 10_000)[0], 1);
  assert.deepEqual(again(1, 0, undefined, 0)[0], 1);
});

test('WH12 due events are made ready, and the next time to look is that of the first that is not', () => {
  const bench = new Bench();
  const lanes = [10, 20, 30].map((ms) => {
    const lane = bench.lane(`due${ms}`, { event: undefined });
    bench.parking.wait(lane, START_MS + ms);
    return lane;
  });
  assert.equal(bench.parking.waitingDueMs, START_MS + 10);
  bench.parking.wakeDue(START_MS + 9);
  assert.equal(bench.parking.waitingDueMs, START_MS + 10);
  bench.parking.wakeDue(START_MS + 20);
  assert.deepEqual([lanes.map(({ state }) => state), bench.parking.waitingDueMs], [['ready', 'ready', 'waiting'], START_MS + 30]);
  bench.parking.wakeDue(START_MS + 30);
  assert.equal(bench.parking.waitingDueMs, Number.POSITIVE_INFINITY);
});

test('CK2 a letter from a clock that was ahead waits for an hour at most, also when the clock is set back later', async () => {
  const bench = new Bench();
  const lane = bench.lane('ann', { event: undefined });
  bench.parking.wait(lane, START_MS + 9 * HOUR_MS);
  assert.deepEqual([bench.due(lane), bench.parking.waitingDueMs], [HOUR_MS, START_MS + HOUR_MS]);
  bench.answers.push(false);
  const full = bench.lane('bob', {});
  await bench.parking.parkLane(full);
  const backMs = START_MS - 100 * HOUR_MS;
  bench.parking.bound(backMs);
  assert.deepEqual(
    [lane.dueMs, bench.parking.waitingDueMs, bench.parking.fullUntilMs],
    [backMs + HOUR_MS, backMs + HOUR_MS, backMs + 30_000],
  );
  bench.parking.bound(START_MS);
  assert.deepEqual([lane.dueMs, bench.parking.fullUntilMs], [backMs + HOUR_MS, backMs + 30_000]);
});

test('CK1 an event of a letter is never younger than now', () => {
  const letter = { id: 'i', epoch: 'e', seq: 7, at: 5_000, attempts: 2, retries: 3, isReplay: true };
  const rest = { lane: 'l', type: 't', state: 'parked', whenMs: 1, reason: 'r', place: { offset: 0, bytes: 1 } } as const;
  const item = { ...letter, event: undefined, isMoving: false };
  assert.deepEqual(parkedItem({ ...letter, ...rest }, 6), item);
  assert.deepEqual(parkedItem({ ...letter, ...rest }, 4), { ...item, at: 4_000 });
});
