/** PL5, LG14: turns, for each way in which one begins and ends. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, type TestContext, test } from 'node:test';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { LogUnavailable } from '../../../../store/log.ts';
import type { Question } from '../../../../store/postgres/link/connection.ts';
import type { ServerLink } from '../../../../store/postgres/link/link.ts';
import { Confirmed } from '../../../../store/postgres/log/confirmed.ts';
import { ENTRY_FORMATS } from '../../../../store/postgres/log/formats.ts';
import { WriterTurns } from '../../../../store/postgres/log/turns.ts';
import { answered, type Reply, scripted, serverError, warned } from '../../../support/nodes/scripted.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

beforeEach(() => kit.closeNodes());

const DONE = answered();
const taken = (seq: number, fence = 4) => answered({ epoch: 'e', seq, fence, payload: null });
const APPEND = { name: 'append', text: 'append' };

interface Stage {
  readonly turns: WriterTurns;
  readonly link: ServerLink;
  readonly confirmed: Confirmed;
  readonly reached: number[];
  /** What the appender is asked, in order. */
  readonly waited: string[];
  /** The beginnings of what the writer was asked. */
  asked(): readonly string[];
}

async function stage(
  t: TestContext,
  replies: readonly Reply[],
  deadlineMs = 60_000,
  reach = async (): Promise<void> => {},
): Promise<Stage> {
  const { log } = await kit.node(randomUUID(), { pulseMs: 600_000 });
  const link = await log.links.ready();
  const confirmed = new Confirmed({ epoch: 'e', seq: 3, id: 'third' }, 0, { fence: 0, format: 1 }, 10_000, ENTRY_FORMATS);
  const [reached, waited]: [number[], string[]] = [[], []];
  const questions: Question[] = scripted(t, link.writer, ...replies);
  const turns = new WriterTurns({
    ...{ app: 'app', links: log.links, confirmed, deadlineMs, reason: () => 'the reason' },
    reach: async (seq) => {
      reached.push(seq);
      await reach();
    },
    idle: async () => void waited.push('idle'),
    settled: async () => void waited.push('settled'),
  });
  return { turns, link, confirmed, reached, waited, asked: () => questions.map(({ name, text }) => name ?? text) };
}

test('PL5 a turn that appends ends with the commit of its append, and both must be clean', pgOptions, async (t) => {
  const appended = answered({ status: 'appended' });
  const { turns, link, confirmed, reached, waited, asked } = await stage(t, [
    DONE,
    taken(7),
    appended,
    DONE,
    DONE,
    taken(7),
    appended,
    warned(),
  ]);
  const answers = [];
  for (let n = 0; n < 2; n++)
    answers.push(
      await turns.take(async (head) => {
        assert.deepEqual([head, reached.at(-1), confirmed.fence], [7, 7, 4]);
        return await turns.within(link, APPEND);
      }),
    );
  assert.deepEqual(
    answers.map(({ isClean }) => isClean),
    [true, false],
  );
  const once = ['begin', 'rosterd-turn', 'append', 'commit'];
  assert.deepEqual(
    [asked(), waited],
    [
      [...once, ...once],
      ['settled', 'idle', 'settled', 'idle'],
    ],
  );
});

test('PL5 an append outside of a turn, or on another link, is not a part of it', pgOptions, async (t) => {
  const appended = answered({ status: 'appended' });
  const { turns, link, asked } = await stage(t, [appended]);
  assert.equal(await turns.within(link, APPEND), appended);
  assert.deepEqual(asked(), ['append']);
});

test('PL5 a conflict leaves the turn open, its work ends it, and so does the error of its work', pgOptions, async (t) => {
  const { turns, link, asked } = await stage(t, [DONE, taken(7), answered({ status: 'conflict' }), DONE, DONE, taken(7), DONE]);
  await turns.take(() => turns.within(link, APPEND));
  await assert.rejects(
    turns.take(async () => {
      throw new RangeError('of the work');
    }),
    /of the work/,
  );
  assert.deepEqual(asked(), ['begin', 'rosterd-turn', 'append', 'rollback', 'begin', 'rosterd-turn', 'rollback']);
});

test('PL5 an append whose turn ended meanwhile is not taken for a part of the next one', pgOptions, async (t) => {
  let arrive = (): void => {};
  const held = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const late = async () => {
    await held;
    return answered({ status: 'appended' });
  };
  const { turns, link, asked } = await stage(t, [DONE, taken(7), late, DONE]);
  let appending: Promise<unknown> = Promise.resolve();
  await turns.take(async () => {
    appending = turns.within(link, APPEND);
  });
  arrive();
  await assert.rejects(appending, /the turn ended before its append/);
  assert.deepEqual(asked(), ['begin', 'rosterd-turn', 'append', 'rollback']);
});

test('PL5 one turn after the other; appends wait while one begins', pgOptions, async (t) => {
  const { turns } = await stage(t, [DONE, taken(7), DONE, DONE, taken(8), DONE]);
  assert.equal(turns.gate, undefined);
  const order: string[] = [];
  let isOpen = false;
  const first = turns.take(async () => {
    order.push('first begins');
    await turns.gate;
    isOpen = true;
    await delay(20);
    order.push('first ends');
  });
  const second = turns.take(async () => void order.push('second'));
  await Promise.all([first, second]);
  assert.deepEqual([order, isOpen], [['first begins', 'first ends', 'second'], true]);
});

test('PL5 a refusal is that of the turn, and takes nothing with it; a link that was lost is replaced', pgOptions, async (t) => {
  const { turns, link, asked } = await stage(t, [DONE, serverError('57014'), DONE, DONE, new Error('cut'), DONE, taken(9), DONE]);
  await assert.rejects(
    turns.take(async () => assert.fail('there is no turn')),
    /refused/,
  );
  assert.deepEqual(asked(), ['begin', 'rosterd-turn', 'rollback']);
  let looks = 0;
  t.mock.getter(link, 'isOver', () => looks++ < 2);
  assert.equal(await turns.take(async (head) => head), 9);
  assert.deepEqual(asked().slice(3), ['begin', 'rosterd-turn', 'begin', 'rosterd-turn', 'rollback']);
});

test('LG14 what cannot be reached within the turn ends it, and the next one begins anew', pgOptions, async (t) => {
  let isReached = false;
  const reach = async (): Promise<void> => {
    if (!isReached) throw new LogUnavailable('not-written', 'not confirmed');
  };
  const { turns, asked } = await stage(t, [DONE, taken(7), DONE, DONE, taken(7), DONE], 60_000, reach);
  await assert.rejects(
    turns.take(async () => assert.fail('there is no turn')),
    /not confirmed/,
  );
  isReached = true;
  assert.equal(await turns.take(async (head) => head), 7);
  assert.deepEqual(asked(), ['begin', 'rosterd-turn', 'rollback', 'begin', 'rosterd-turn', 'rollback']);
});

test(
  'PL5 a turn that does not begin in time is refused, goes back at once, and never works; nor does one that waits for it',
  pgOptions,
  async (t) => {
    let arrive = (): void => {};
    const held = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const late = async () => {
      await held;
      return taken(7);
    };
    const { turns, asked } = await stage(t, [DONE, late, DONE, DONE, taken(8), DONE], 40);
    const isRefused = (error: unknown) =>
      error instanceof LogUnavailable && error.outcome === 'not-written' && error.message === 'the reason';
    const never = async () => assert.fail('it is too late');
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const refused = [turns.take(never), turns.take(never)].map((taking) => assert.rejects(taking, isRefused));
    while (asked().length < 2) await nextTurn();
    t.mock.timers.tick(40);
    await Promise.all(refused);
    assert.deepEqual(asked(), ['begin', 'rosterd-turn']);
    arrive();
    assert.equal(await turns.take(async (head) => head), 8);
    assert.deepEqual(asked(), ['begin', 'rosterd-turn', 'rollback', 'begin', 'rosterd-turn', 'rollback']);
  },
);
