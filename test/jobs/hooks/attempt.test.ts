/** WH7, WH12, WH13: one attempt at an event. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AttemptOptions, attempt } from '../../../daemon/jobs/hooks/attempt.ts';
import type { Item } from '../../../daemon/jobs/hooks/lanes.ts';
import type { DeliveryResult, SendResult } from '../../../daemon/jobs/hooks/quick-attempts.ts';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import { FakeClock, HOOK, OK, status } from '../../support/hooks/hook-bench.ts';

const EVENT = { type: 'in memory' } as HookEvent;
const STORED = { type: 'stored' } as HookEvent;

interface Tried {
  readonly result: DeliveryResult;
  readonly sent: string[];
  readonly logged: string[];
}

async function tried(
  item: Partial<Item>,
  isProbe: boolean,
  answer: SendResult,
  more: Partial<AttemptOptions> = {},
  timeoutMs?: number,
): Promise<Tried> {
  const clock = new FakeClock();
  const sent: string[] = [];
  const logged: string[] = [];
  const never = new AbortController().signal;
  const whole: Item = {
    id: 'id',
    epoch: 'e',
    seq: 7,
    at: 1,
    event: EVENT,
    attempts: 4,
    retries: 0,
    isReplay: false,
    isMoving: false,
    ...item,
  };
  const trying = attempt({ ...HOOK, timeoutMs }, whole, isProbe, {
    letters: { read: async () => STORED },
    send:
      (_, { id }, { type }) =>
      async (count, ms, cut) => {
        sent.push(`${id} ${type} #${count} ${ms} ${cut === never}`);
        return answer;
      },
    ...{ clock, random: () => 0, cut: never, stopping: never },
    logger: { info: () => {}, error: (_, text) => logged.push(text) },
    ...more,
  });
  let isDone = false;
  void trying.finally(() => {
    isDone = true;
  });
  while (!isDone) await clock.advance(1_000, () => new Promise((resolve) => setImmediate(resolve)));
  return { result: await trying, sent, logged };
}

test('WH7 a new event has all of its quick attempts; the timeout is that of the hook, or 6 s', async () => {
  const { result, sent } = await tried({}, false, status(500));
  assert.deepEqual(result, { kind: 'failed', attempts: 7, reason: 'answered 500', retryAfterMs: 0 });
  assert.deepEqual(sent, ['id in memory #5 6000 true', 'id in memory #6 6000 true', 'id in memory #7 6000 true']);
  assert.deepEqual((await tried({}, false, OK, {}, 250)).sent, ['id in memory #5 250 true']);
});

test('WH12 WH13 a letter and a probe have one; a letter is read from its file', async () => {
  assert.deepEqual((await tried({}, true, status(500))).sent, ['id in memory #5 6000 true']);
  assert.deepEqual((await tried({ event: undefined }, false, status(500))).sent, ['id stored #5 6000 true']);
  assert.deepEqual((await tried({ event: undefined }, true, OK)).result, { kind: 'delivered', attempts: 5 });
});

test('WH12 an event that cannot be made ready has failed once more, and the log says why', async () => {
  const expected = { kind: 'failed', attempts: 5, reason: 'the daemon could not make it ready; its log says more', retryAfterMs: 0 };
  const unread = await tried({ event: undefined }, false, OK, { letters: { read: () => Promise.reject(new Error('no disk')) } });
  const unmade = await tried({}, false, OK, {
    send: () => {
      throw new Error('a mistake');
    },
  });
  for (const { result, sent, logged } of [unread, unmade]) {
    assert.deepEqual([result, sent, logged], [expected, [], ['an event could not be made ready for a webhook']]);
  }
});
