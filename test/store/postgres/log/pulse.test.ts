/** PL3, PL4, PL6, PL7, PL10, PL11: what each answer to a pulse means. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LogClosed, LogFormatRaised } from '../../../../store/log.ts';
import type { PgRow } from '../../../../store/postgres/link/connection.ts';
import type { ServerLink } from '../../../../store/postgres/link/link.ts';
import { Confirmed } from '../../../../store/postgres/log/confirmed.ts';
import { Pulse } from '../../../../store/postgres/log/pulse.ts';
import { ServerClock } from '../../../../store/postgres/log/server-clock.ts';
import { answered, scripted, warned } from '../../../support/nodes/scripted.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

beforeEach(() => kit.closeNodes());

const ROW = { epoch: 'e', seq: 5, fence: 9, tail: 2, format: 4, is_unsafe: false, time_ms: 1_000_000, id: 'newest' };
const beat = (row: PgRow = {}) => answered({ ...ROW, ...row });

interface Stage {
  readonly pulse: Pulse;
  readonly confirmed: Confirmed;
  readonly clock: ServerClock;
  readonly link: ServerLink;
  /** What the pulse said and did, in order. */
  readonly done: string[];
  readonly fatal: Error[];
}

/** A pulse on the link of a real log, for which the test answers. It knows three facts. */
async function stage(t: TestContext): Promise<Stage> {
  const { log } = await kit.node(randomUUID(), { pulseMs: 600_000 });
  const link = await log.links.ready();
  const confirmed = new Confirmed({ epoch: 'e', seq: 3, id: 'third' }, 1, { fence: 0, format: 1 }, 10_000, { oldest: 3, newest: 4 });
  const clock = new ServerClock(() => 500);
  const [done, fatal]: [string[], Error[]] = [[], []];
  t.mock.method(link, 'giveUp', (error: Error) => void done.push(`gave up: ${error.message}`));
  const pulse = new Pulse({
    ...{ app: 'app', links: log.links, confirmed, clock, pulseMs: 5, deadAfterMs: 300 },
    onFatal: (error) => {
      fatal.push(error);
      pulse.stop();
    },
    onState: (...said) => void done.push(said.filter((one) => one !== undefined).join(' ')),
  });
  t.after(() => pulse.stop());
  return { pulse, confirmed, clock, link, done, fatal };
}

test('PL4 PL9 a clean answer confirms the end, and says the tail, the fence, the format and the time', pgOptions, async (t) => {
  const { pulse, confirmed, clock, link, done } = await stage(t);
  const asked = scripted(t, link.pulse, beat());
  assert.equal(await pulse.beat(), 5);
  assert.deepEqual([confirmed.end, confirmed.tail, confirmed.fence, confirmed.format], [{ epoch: 'e', seq: 5, id: 'newest' }, 2, 9, 4]);
  assert.deepEqual([clock.nowMs(), done, asked[0]?.values], [1_000_000, ['ready'], ['app']]);
});

test('PL4 where the log ends with no entry, none is named', pgOptions, async (t) => {
  const { pulse, confirmed, link } = await stage(t);
  scripted(t, link.pulse, beat({ id: null }));
  await pulse.beat();
  assert.equal(confirmed.end.id, undefined);
});

test('PL3 a warning, an error and an answer of a link that is over prove nothing: it is asked again', pgOptions, async (t) => {
  const { pulse, confirmed, link, done } = await stage(t);
  let isOver = false;
  t.mock.getter(link, 'isOver', () => isOver);
  const asked = scripted(
    t,
    link.pulse,
    warned({ ...ROW, seq: 9 }),
    new Error('cut'),
    () => {
      isOver = true;
      return beat({ seq: 8 });
    },
    () => {
      isOver = false;
      return beat({ seq: 4 });
    },
  );
  assert.equal(await pulse.beat(), 4);
  assert.deepEqual([asked.length, confirmed.end.seq, done], [4, 4, ['ready']]);
});

test('PL2 a server that names no standby, though one is required, is for reading only, and says what to do', pgOptions, async (t) => {
  const { pulse, link, done } = await stage(t);
  scripted(t, link.pulse, beat({ is_unsafe: true }), beat());
  await pulse.beat();
  await pulse.beat();
  assert.match(done[0] ?? '', /^read-only no synchronous standby is named: set synchronous_standby_names, or turn log\.require_sync off/);
  assert.deepEqual(done.slice(1), ['ready']);
});

test('PL7 PL11 no log, another history, and a format that is not read end it, each with what to do', pgOptions, async (t) => {
  const cases = [
    [answered(), '', /the database no longer holds the log of app/],
    [beat({ epoch: 'x' }), 'x', /another node has noticed it/],
    [beat({ format: 5 }), 'e', /^the log of app has format 5, and this rosterd knows 4: start the version that wrote it$/],
    [beat({ format: 2 }), 'e', /^the log of app has format 2, and this rosterd knows 3 and later: upgrade it/],
  ] as const;
  for (const [answer, epoch, text] of cases) {
    const { pulse, confirmed, link, done, fatal } = await stage(t);
    scripted(t, link.pulse, answer);
    await assert.rejects(pulse.beat(), LogClosed);
    const [error] = fatal;
    assert.ok(error !== undefined && 'epoch' in error && text.test(error.message), String(error));
    assert.deepEqual([error.epoch, error instanceof LogFormatRaised, done, confirmed.end.seq], [epoch, epoch === 'e', [], 3]);
  }
});

test('PL7 a log that ends before what was confirmed is looked at on another connection', pgOptions, async (t) => {
  const { pulse, confirmed, link, done } = await stage(t);
  scripted(t, link.pulse, beat({ seq: 2 }), beat({ seq: 3, id: 'third' }));
  assert.equal(await pulse.beat(), 3, 'where it is as it was');
  assert.deepEqual([done, confirmed.end.seq], [['gave up: the log ends at 2, and 3 was confirmed', 'ready'], 3]);
});

test('LG13 calls share a commit that has not begun; what is asked while one is on its way gets the next', pgOptions, async (t) => {
  const { pulse, link } = await stage(t);
  let answer = (): void => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const asked = scripted(
    t,
    link.pulse,
    async () => {
      await held;
      return beat({ seq: 5 });
    },
    beat({ seq: 6 }),
    beat({ seq: 7 }),
  );
  const first = [pulse.beat(), pulse.beat()];
  while (asked.length === 0) await nextTurn();
  const second = [pulse.beat(), pulse.beat()];
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.equal(asked.length, 1);
  answer();
  assert.deepEqual(await Promise.all([...first, ...second]), [5, 5, 6, 6]);
  assert.equal(await pulse.beat(), 7);
});

test('PL4 it beats by itself until it is stopped, whatever becomes of a beat', pgOptions, async (t) => {
  const { pulse, link } = await stage(t);
  const asked = scripted(t, link.pulse, beat(), answered(), beat());
  t.mock.timers.enable({ apis: ['setInterval'] });
  const pass = async (ms: number): Promise<number> => {
    t.mock.timers.tick(ms);
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    return asked.length;
  };
  pulse.start();
  assert.deepEqual([await pass(4), await pass(1), await pass(5)], [0, 1, 2]);
  pulse.stop();
  assert.equal(await pass(100), 2);
});

test(
  'PL10 PL6 a commit that takes long: away after 2 s, since it was sent; a silent server is given up, a slow standby waited for',
  pgOptions,
  async (t) => {
    const { pulse, link, done } = await stage(t);
    let answer = (): void => {};
    let asked = 0;
    t.mock.method(link.pulse, 'ask', async () => {
      asked++;
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return beat();
    });
    let isAlive = true;
    t.mock.method(link.reader, 'ask', () => (isAlive ? Promise.resolve(answered()) : new Promise(() => {})));
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 40_000 });
    const beating = pulse.beat();
    while (asked === 0) await nextTurn();
    const pass = async (ms: number): Promise<string[]> => {
      t.mock.timers.tick(ms);
      await nextTurn();
      return done.splice(0);
    };
    assert.deepEqual(await pass(299), []);
    assert.deepEqual(await pass(1), ['away commits wait for the synchronous standby 40000'], 'it answers, and the commit does not come');
    isAlive = false;
    assert.deepEqual(await pass(300), []);
    assert.deepEqual(await pass(299), []);
    assert.ok((await pass(1)).includes('gave up: the server has not answered for 300 ms'));
    isAlive = true;
    assert.ok(!(await pass(1_099)).some((one) => one.includes('2000 ms')));
    assert.ok((await pass(1)).includes('away the database has not answered for 2000 ms 40000'));
    answer();
    assert.equal(await beating, 5);
    done.splice(0);
    await pass(10_000);
    assert.deepEqual(done, [], 'nothing is watched any more');
  },
);
