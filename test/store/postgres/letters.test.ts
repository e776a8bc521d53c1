/** Letters as rows (LT1–LT5): lost jobs, lost and late answers, unclean commits, and replays. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LeaseLost } from '../../../store/leases.ts';
import type { LetterReplay, LetterRow, LetterTerm, LetterWrite } from '../../../store/letters.ts';
import { eventually } from '../../support/eventually.ts';
import { LettersKit, type LettersNode } from '../../support/hooks/letters-kit.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';

const pg = PgKit.ofProcess();

const WRITE = 'rosterd-write-letters';
const EVERYTHING: LetterReplay = {
  ...{ from: undefined, to: undefined, ids: undefined, nowMs: 77, countMax: 1_000, parkedMax: 10_000, parkedBytesMax: 1_000_000 },
};

function letter(seq: number, state: 'parked' | 'dead' = 'parked'): LetterRow & { readonly event: string } {
  const row = { id: `id${seq}`, epoch: 'e', seq, at: 1_000 + seq, lane: `u${seq}`, type: 't', bytes: 10, state, attempts: 1, retries: 1 };
  return { ...row, whenMs: 5, reason: 'r', isReplay: false, event: `{"seq":${seq}}` };
}

interface Stage {
  readonly kit: LettersKit;
  readonly one: LettersNode;
  readonly two: LettersNode;
  /** `one` has the job and has loaded the letters of `h`. */
  readonly term: LetterTerm;
  write(number: number, changes: Partial<LetterWrite>, term?: LetterTerm): Promise<void>;
  /** The stored letters, as `id state`. */
  stored(): Promise<string>;
}

async function stage(t: TestContext, signal?: AbortSignal): Promise<Stage> {
  const kit = new LettersKit(pg, t);
  const [one, two] = [await kit.node(), await kit.node()];
  const term = await one.term(signal);
  await one.table.load(term, 'h');
  const none = { isUrgent: true, lost: 0, puts: [], moves: [], drops: [], expired: [] };
  return {
    ...{ kit, one, two, term },
    write: (number, changes, of = term) => one.table.write(of, 'h', { ...none, number, ...changes }),
    stored: () => kit.sql(`select coalesce(string_agg(id || ' ' || state, ', ' order by seq), '') from rosterd.letter where app = '$app'`),
  };
}

async function isWaiting(promise: Promise<unknown>, ms: number): Promise<boolean> {
  return await Promise.race([promise.then(() => false), delay(ms, true)]);
}

test('LT1 LT3 a write counts once, in the order of the numbers', pgOptions, async (t) => {
  const { write, stored, two, term } = await stage(t);
  await write(2, { puts: [letter(1), letter(2, 'dead')], lost: 3 });
  await write(2, { puts: [letter(3)], lost: 9 });
  await write(1, { drops: ['id1'] });
  assert.equal(await stored(), 'id1 parked, id2 dead');
  await write(3, { drops: ['id1'], moves: [{ ...letter(2), reason: 'new' }] });
  assert.equal(await stored(), 'id2 parked');
  assert.deepEqual(await two.table.counts(), new Map([['h', { parked: 1, dead: 0, lost: 0, report: '' }]]));
  assert.deepEqual([await two.table.event(term, 'h', 'id2'), await two.table.event(term, 'h', 'id1')], ['{"seq":2}', undefined]);
});

test('LT1 a write that the storage refuses is not stored in part, and is refused at once', pgOptions, async (t) => {
  const { write, stored } = await stage(t);
  const broken = { ...letter(2), attempts: 2 ** 40 };
  await assert.rejects(write(1, { puts: [letter(1), broken] }), /out of range/);
  assert.equal(await stored(), '');
  await write(1, { puts: [letter(1)] });
  assert.equal(await stored(), 'id1 parked');
});

test('LT2 a process that lost the job changes nothing, whatever it asks for', pgOptions, async (t) => {
  const { one, two, term, write, stored } = await stage(t);
  await write(1, { puts: [letter(1), letter(2, 'dead')] });
  await one.table.replay('h', { ...EVERYTHING, ids: ['id1'] });
  const [marked] = await one.table.replayed('h');
  assert.ok(marked !== undefined);
  await two.term();
  const isLost = (error: unknown): boolean => error instanceof LeaseLost && error.message.includes('webhooks');
  await assert.rejects(write(2, { drops: ['id1'] }), isLost);
  await assert.rejects(one.table.load(term, 'h'), isLost);
  await assert.rejects(one.table.remove(term, 'these', ['h']), isLost);
  await assert.rejects(one.table.remove(term, 'others', []), isLost);
  await assert.rejects(one.table.report(term, new Map([['h', 'late']])), isLost);
  await assert.rejects(one.table.takenUp(term, 'h', [marked]), isLost);
  assert.equal(await stored(), 'id1 parked, id2 dead');
  assert.equal((await two.table.counts()).get('h')?.report, '');
  assert.deepEqual(await two.table.replayed('h'), [marked]);
});

test('LT2 LT4 a write on its way when the job changes hands is loaded by the next process, or refused', pgOptions, async (t) => {
  const { one, two, write, stored } = await stage(t);
  let arrive = (): void => {};
  const held = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  one.proxy.once(WRITE, async (exchange) => {
    const answer = await exchange.forward();
    await held;
    exchange.answer(answer);
  });
  const before = write(1, { puts: [letter(1)] });
  await eventually(async () => (await stored()) !== '');
  const loaded = await two.table.load(await two.term(), 'h');
  assert.deepEqual([loaded.letters.map(({ id }) => id), loaded.number], [['id1'], 1]);
  arrive();
  await before;
  const term = await one.term();
  let late = (): void => {};
  const isLate = new Promise<void>((resolve) => {
    late = resolve;
  });
  one.proxy.once(WRITE, async (exchange) => {
    await isLate;
    exchange.answer(await exchange.forward());
  });
  const after = write(2, { drops: ['id1'] }, term);
  assert.equal((await two.table.load(await two.term(), 'h')).letters.length, 1);
  late();
  await assert.rejects(after, LeaseLost);
  assert.equal(await stored(), 'id1 parked');
});

test('LT3 a write whose answer is lost, or that never arrived, is asked again', pgOptions, async (t) => {
  const { one, write, stored } = await stage(t);
  one.proxy.once(WRITE, async (exchange) => {
    await exchange.forward();
    exchange.cut();
  });
  await write(1, { puts: [letter(1)], lost: 2 });
  one.proxy.once(WRITE, async (exchange) => exchange.cut());
  await write(2, { puts: [letter(2)], lost: 2 });
  one.proxy.isAway = true;
  one.proxy.cutAll();
  const waiting = write(3, { drops: ['id1'], lost: 2 });
  assert.ok(await isWaiting(waiting, 300));
  one.proxy.isAway = false;
  await waiting;
  assert.equal(await stored(), 'id2 parked');
  assert.equal((await one.table.counts()).get('h')?.lost, 2);
});

test('LT3 a copy that arrives late changes nothing', pgOptions, async (t) => {
  const { one, write, stored } = await stage(t);
  let arrive = async (): Promise<void> => {};
  one.proxy.once(WRITE, async (exchange) => {
    arrive = async () => void (await exchange.forward());
    exchange.cutClient();
  });
  await write(1, { puts: [letter(1)] });
  await write(2, { drops: ['id1'] });
  await arrive();
  assert.equal(await stored(), '');
});

test('LT3 when the term ends while the storage is away, a write rejects', pgOptions, async (t) => {
  const ending = new AbortController();
  const { one, write } = await stage(t, ending.signal);
  one.proxy.isAway = true;
  one.proxy.cutAll();
  const waiting = write(1, { puts: [letter(1)] });
  waiting.catch(() => {});
  assert.ok(
    await isWaiting(
      waiting.catch(() => {}),
      200,
    ),
  );
  ending.abort();
  await assert.rejects(waiting, (error) => !(error instanceof LeaseLost));
  one.proxy.isAway = false;
});

test('LT4 what a load has seen, and the standby does not have, is not loaded yet', pgOptions, async (t) => {
  const { one, term, write } = await stage(t);
  await write(1, { puts: [letter(1)] });
  one.proxy.once('is_replay from rosterd.letter', async (exchange) => {
    await pg.standby('nobody');
    exchange.answer(await exchange.forward());
  });
  const loading = one.table.load(term, 'h');
  try {
    assert.ok(await isWaiting(loading, 500));
  } finally {
    await pg.standby('');
  }
  assert.equal((await loading).letters.length, 1);
});

test(
  'LT1 LT3 LT4 what the standby does not have does not count: an urgent write waits, also when its wait is cancelled',
  pgOptions,
  async (t) => {
    const { kit, one, two, term, write } = await stage(t);
    await pg.standby('nobody');
    try {
      await write(1, { puts: [letter(1)], isUrgent: false });
      await one.table.report(term, new Map([['h', 'well']]));
      assert.equal((await two.table.counts()).get('h')?.report, 'well');
      const writing = write(2, { puts: [letter(2)] });
      assert.ok(await isWaiting(writing, 200));
      const cancel =
        "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep' and query like '%write_letters%'";
      await eventually(async () => Number(await kit.sql(cancel)) > 0);
      assert.ok(await isWaiting(writing, 300), 'the warning is no acknowledgement');
      const loading = one.table.load(term, 'h');
      assert.ok(await isWaiting(loading, 200), 'what is seen need not be durable');
      await pg.standby('');
      await writing;
      assert.equal((await loading).letters.length, 2);
    } finally {
      await pg.standby('');
    }
  },
);

test('LT5 the oldest are replayed, dead ones as far as there is room; each is found until it is taken up', pgOptions, async (t) => {
  const { one, two, term, write, stored } = await stage(t);
  await write(1, { puts: [letter(4), letter(3, 'dead'), letter(2, 'dead'), letter(1, 'dead'), letter(5)] });
  assert.deepEqual(await two.table.replayedHooks(), []);
  assert.deepEqual(await two.table.replay('h', { ...EVERYTHING, parkedMax: 4 }), { replaying: 4, remaining: 1 });
  assert.equal(await stored(), 'id1 parked, id2 parked, id3 dead, id4 parked, id5 parked');
  assert.deepEqual(await one.table.replayedHooks(), ['h']);
  const marked = await one.table.replayed('h');
  assert.deepEqual(
    marked.map(({ id, state, isReplay, whenMs, attempts }) => [id, state, isReplay, whenMs, attempts]).sort(),
    [1, 2, 4, 5].map((seq) => [`id${seq}`, 'parked', seq < 3, 77, 1]),
  );
  // Asked for again before the first request is taken up: that is another mark.
  assert.deepEqual(await two.table.replay('h', { ...EVERYTHING, ids: ['id1', 'none'], from: 1_001, to: 1_001 }), {
    replaying: 1,
    remaining: 0,
  });
  await one.table.takenUp(term, 'h', marked);
  assert.deepEqual(
    (await one.table.replayed('h')).map(({ id }) => id),
    ['id1'],
  );
  assert.deepEqual(await two.table.replay('h', { ...EVERYTHING, countMax: 2, parkedMax: 4, from: 1_002 }), { replaying: 1, remaining: 3 });
  assert.deepEqual(await two.table.replay('h', { ...EVERYTHING, parkedBytesMax: 40, ids: ['id3'] }), { replaying: 0, remaining: 1 });
  assert.deepEqual(await two.table.replay('other', EVERYTHING), { replaying: 0, remaining: 0 });
});

test(
  'LT5 a dead letter that is asked for while it expires stays; what the one with the job has done with it ends the request',
  pgOptions,
  async (t) => {
    const { one, two, write, stored } = await stage(t);
    await write(1, { puts: [letter(1, 'dead'), letter(2, 'dead'), letter(3, 'dead'), letter(4, 'dead')] });
    await two.table.replay('h', { ...EVERYTHING, ids: ['id1', 'id3', 'id4'] });
    await write(2, { expired: ['id1', 'id2'], drops: ['id3'], moves: [letter(4, 'dead')] });
    assert.equal(await stored(), 'id1 parked, id4 dead');
    assert.deepEqual(
      (await one.table.replayed('h')).map(({ id }) => id),
      ['id1'],
    );
  },
);

test('LT5 dead letters come in pages, the oldest event first, of several epochs too', pgOptions, async (t) => {
  const { two, write } = await stage(t);
  const old = { ...letter(90, 'dead'), epoch: 'before', at: 1_002 };
  await write(1, { puts: [letter(3, 'dead'), old, letter(1, 'dead'), letter(2, 'dead'), letter(4)] });
  const page = async (more: object): Promise<readonly string[] | undefined> =>
    (await two.table.dead('h', { from: undefined, to: undefined, lane: undefined, after: undefined, limit: 10, ...more }))?.map(
      ({ id }) => id,
    );
  assert.deepEqual(await page({}), ['id1', 'id2', 'id90', 'id3']);
  assert.deepEqual(await page({ limit: 2, after: 'id2' }), ['id90', 'id3']);
  const [third] = (await two.table.dead('h', { from: undefined, to: undefined, lane: undefined, after: 'id90', limit: 1 })) ?? [];
  assert.equal(third?.id, 'id3');
  assert.deepEqual(await page({ lane: 'none' }), []);
  const found = await two.table.deadLetter('h', 'id3');
  assert.deepEqual(found?.row, third);
  assert.ok(found !== undefined && found.event.length > 0);
  assert.deepEqual([await two.table.deadLetter('h', 'id4'), await two.table.deadLetter('h', 'none')], [undefined, undefined]);
  assert.deepEqual(await page({ from: 1_002, to: 1_002 }), ['id2', 'id90']);
  assert.deepEqual(
    [await page({ after: 'id4' }), await page({ after: 'id1', from: 1_002 }), await page({ after: 'id3' })],
    [undefined, undefined, []],
  );
});

test(
  'LT3 a term that has ended gives its last question one second; writes leave nothing with the signal of the term',
  pgOptions,
  async (t) => {
    const ending = new AbortController();
    const { one, write } = await stage(t, ending.signal);
    await Promise.all([write(1, { puts: [letter(1)] }), write(2, { puts: [letter(2)] })]);
    assert.deepEqual(getEventListeners(ending.signal, 'abort'), []);
    ending.abort();
    one.proxy.on(WRITE, async () => {});
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let isOver = false;
    const writing = write(3, { drops: ['id1'] }).catch((error: unknown) => {
      isOver = true;
      return error;
    });
    const pass = async (ms: number): Promise<boolean> => {
      t.mock.timers.tick(ms);
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      return isOver;
    };
    assert.deepEqual([await pass(999), await pass(1)], [false, true]);
    assert.match(String(await writing), /PostgreSQL has not answered in time/);
    t.mock.timers.reset();
    one.proxy.on(WRITE, undefined);
  },
);
