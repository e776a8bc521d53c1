/** BU3 and BU9: long bodies that come at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyLane, bodyLaneOf } from '../../../daemon/edge/http/body-lane.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { ownTime } from '../../support/own-time.ts';
import { TurnCount } from '../../support/turn-count.ts';

test('BU3 long bodies that end at once take turns when reading them takes long, and so do compressed ones; short ones are read at once', async (t) => {
  const pass = ownTime(t);
  const lane = new BodyLane(Number.POSITIVE_INFINITY);
  const loop = new TurnCount();
  const readFor = async (ms: number): Promise<number> => {
    pass(ms);
    return loop.turns;
  };
  const read = (): Promise<number> => readFor(3);
  const long = Promise.all([lane.turn(100_000, false, read), lane.turn(100, true, read), lane.turn(100_000, false, read)]);
  assert.equal(await lane.turn(100, false, () => readFor(0)), 0);
  const turns = await long;
  loop.stop();
  assert.equal(new Set(turns).size, 3, String(turns));
});

test('BU3 what follows a body that took long to read has a turn of its own, and what follows a quick one goes on', async (t) => {
  const pass = ownTime(t);
  const lane = new BodyLane(Number.POSITIVE_INFINITY);
  const after = async (ms: number): Promise<boolean> => {
    let isLater = false;
    const read = async (): Promise<void> => {
      setImmediate(() => {
        isLater = true;
      });
      pass(ms);
    };
    await lane.turn(100_000, false, read);
    return isLater;
  };
  assert.deepEqual([await after(12), await after(0)], [true, false]);
});

test('BU3 a body that cannot be read does not hold up the next one; servers have a lane of their own', async () => {
  const lane = new BodyLane(Number.POSITIVE_INFINITY);
  const wrong = lane.turn(100_000, false, () => Promise.reject(new Error('not JSON')));
  const next = lane.turn(100_000, false, async () => 'read');
  await assert.rejects(wrong, /not JSON/);
  assert.equal(await next, 'read');
  const client = bodyLaneOf({ kind: 'anonymous' });
  assert.notEqual(bodyLaneOf({ kind: 'server' }), client);
});

test('BU9 beyond the bound, a long body is refused and a short one is not; what is released makes room', () => {
  const lane = new BodyLane(1_000_000);
  for (let size = 100_000; size <= 900_000; size += 100_000) lane.arrived(100_000, size);
  lane.arrived(30_000, 30_000);
  const more = (size: number): void => lane.arrived(100_000, size);
  const isUnavailable = (error: unknown): boolean => error instanceof RosterError && error.kind === 'unavailable';
  assert.throws(() => more(100_000), isUnavailable);
  lane.arrived(10_000, 10_000);
  lane.released(900_000);
  more(200_000);
});
