/** PL6, OP6: which server is used, from the first attempt to the end. */
import assert from 'node:assert/strict';
import { beforeEach, type TestContext, test } from 'node:test';
import { LogClosed, LogEpochChanged } from '../../../../store/log.ts';
import { ServerLink } from '../../../../store/postgres/link/link.ts';
import { type LinksOptions, ServerLinks } from '../../../../store/postgres/link/links.ts';
import { PostgresUnusable, postgresTargets } from '../../../../store/postgres/link/target.ts';
import { eventually } from '../../../support/eventually.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

const opened: ServerLink[] = [];
beforeEach(async () => {
  for (const link of opened.splice(0)) await link.close();
});

interface Stage {
  readonly links: ServerLinks;
  /** What was told, in order. */
  readonly told: string[];
  /** The servers that were tried, in order. */
  readonly tried: string[];
}

type Attempt = 'link' | Error;

/** Two servers, `one` and `two`, whose attempts end as the test says, one after the other, and then well. */
function stage(t: TestContext, attempts: readonly Attempt[], options: Partial<LinksOptions> = {}): Stage {
  const [told, tried, left]: [string[], string[], Attempt[]] = [[], [], [...attempts]];
  const open = ServerLink.open.bind(ServerLink);
  t.mock.method(ServerLink, 'open', async ({ name }: { readonly name: string }) => {
    tried.push(name);
    const attempt = left.shift() ?? 'link';
    if (attempt instanceof Error) throw attempt;
    const [target] = postgresTargets(kit.url());
    const link = await open(target ?? assert.fail(), 1_000);
    opened.push(link);
    return link;
  });
  const links = new ServerLinks({
    ...{ targets: ['one', 'two'].map((name) => ({ name, url: name })), turnMs: 1_000, prepare: async () => {} },
    onAwaited: (reason) => void told.push(`awaited: ${reason}`),
    onUp: () => void told.push('up'),
    onDown: (reason) => void told.push(`down: ${reason}`),
    onFatal: (error) => void told.push(`fatal: ${error.epoch}`),
    ...options,
  });
  t.after(() => links.close());
  return { links, told, tried };
}

test('PL6 the first server that can be used is, and whoever waits for it gets it', pgOptions, async (t) => {
  const { links, told, tried } = stage(t, [new Error('away'), 'link']);
  const waiting = links.ready();
  assert.equal(links.current, undefined);
  await links.start(10_000);
  assert.deepEqual([tried, told], [['one', 'two'], ['up']]);
  assert.deepEqual([await waiting, await links.ready()], [links.current, links.current]);
});

test('OP6 a start waits, and says for what, once for each reason; what somebody must put right ends it', pgOptions, async (t) => {
  const reasons = ['a', 'b', 'a', 'b', 'x', 'c'].map((text) => new Error(text));
  const { links, told, tried } = stage(t, [...reasons, new PostgresUnusable('one', 'no right'), new Error('d')]);
  await assert.rejects(links.start(60_000), (error) => error instanceof PostgresUnusable && error.message === 'one: no right');
  assert.deepEqual(told, ['awaited: b', 'awaited: c'], 'the last reason of each round');
  assert.equal(tried.length, 8);
});

test('OP6 a start that takes too long ends with the names of the servers and the last reason', pgOptions, async (t) => {
  const { links, told } = stage(
    t,
    Array.from({ length: 40 }, () => new Error('away')),
  );
  await assert.rejects(links.start(120), (error) => error instanceof PostgresUnusable && error.message === 'one, two: away');
  assert.deepEqual(told, ['awaited: away']);
  assert.equal(links.current, undefined);
});

test('PL6 what is not an Error is a reason, too', pgOptions, async (t) => {
  const prepare = async () => {
    throw 'nonsense';
  };
  const { links } = stage(t, [], { prepare });
  await assert.rejects(links.start(0), /one, two: nonsense/);
});

test('PL7 a history that is another one ends a start, and no other server is asked', pgOptions, async (t) => {
  const other = new LogEpochChanged('x', 'other');
  const { links, tried } = stage(t, [other]);
  await assert.rejects(links.start(10_000), other);
  assert.deepEqual(tried, ['one']);
});

test('PL7 a history that is another one when it connects again ends the log', pgOptions, async (t) => {
  const other = new LogEpochChanged('x', 'other');
  let isOther = false;
  const prepare = async () => {
    if (isOther) throw other;
  };
  const running = stage(t, [], { prepare });
  await running.links.start(10_000);
  isOther = true;
  const [first] = opened;
  first?.giveUp(new Error('cut'));
  await eventually(() => running.told.length > 2, 'it is told');
  assert.deepEqual(running.told, ['up', 'down: cut', 'fatal: x']);
  assert.deepEqual(
    opened.map(({ isOver }) => isOver),
    [true, true],
    'what was opened is closed',
  );
});

test('PL6 a link that cannot be prepared is closed, and another server tried', pgOptions, async (t) => {
  let count = 0;
  const prepare = async () => {
    if (++count === 1) throw new Error('no table');
  };
  const { links, tried } = stage(t, [], { prepare });
  await links.start(10_000);
  assert.deepEqual([tried, opened[0]?.isOver, links.current === opened[1]], [['one', 'two'], true, true]);
});

test('PL6 a lost link is replaced, and each failure on the way is told; questions wait meanwhile', pgOptions, async (t) => {
  const { links, told } = stage(t, ['link', new Error('a'), new Error('b'), new PostgresUnusable('one', 'no right'), new Error('c')]);
  await links.start(10_000);
  links.current?.giveUp(new Error('cut'));
  assert.equal(links.current, undefined);
  const link = await links.ready();
  assert.deepEqual(told, ['up', 'down: cut', 'down: b', 'down: one: no right', 'up']);
  assert.equal(links.current, link);
  opened[0]?.giveUp(new Error('again'));
  assert.equal(links.current, link, 'a link that was replaced takes nothing with it');
});

test('PL6 a link that is lost before it is used is told as lost, and replaced', pgOptions, async (t) => {
  let count = 0;
  const prepare = async (link: ServerLink) => {
    if (++count === 1) link.giveUp(new Error('early'));
  };
  const { links, told } = stage(t, [], { prepare });
  await links.start(10_000);
  await links.ready();
  assert.deepEqual(told, ['down: the connection was lost at once', 'up']);
});

test('LG10 after the end nothing is connected to, and who waits gets its reason, the first one', pgOptions, async (t) => {
  const { links, told } = stage(t, ['link', ...Array.from({ length: 99 }, () => new Error('away'))]);
  await links.start(10_000);
  const [first] = opened;
  first?.giveUp(new Error('cut'));
  await eventually(() => told.includes('down: away'), 'it is tried');
  const waiting = assert.rejects(links.ready(), LogEpochChanged);
  await links.close(new LogEpochChanged('x', 'gone'));
  await links.close(new LogClosed());
  await waiting;
  await assert.rejects(links.ready(), LogEpochChanged);
});

test('LG10 a close is no loss', pgOptions, async (t) => {
  const { links, told } = stage(t, []);
  await links.start(10_000);
  await links.close();
  assert.equal(opened[0]?.isOver, true);
  await assert.rejects(links.ready(), LogClosed);
  assert.deepEqual(told, ['up']);
});

test('LG10 a link that is found after the end is closed', pgOptions, async (t) => {
  let found = (): void => {};
  const isHeld = new Promise<void>((resolve) => {
    found = resolve;
  });
  const { links, told, tried } = stage(t, [], { prepare: () => isHeld });
  const starting = links.start(10_000);
  await eventually(() => opened.length > 0, 'it is connected to');
  await links.close();
  found();
  await starting;
  await eventually(() => opened[0]?.isOver === true, 'it is closed');
  assert.deepEqual([told, tried, links.current], [[], ['one'], undefined]);
});

test('PL6 a new link whose history cannot be checked in time is given up, and the next one is tried', pgOptions, async (t) => {
  let checks = 0;
  const prepare = async (link: ServerLink): Promise<void> => {
    if (++checks === 2) await link.writer.ask({ text: 'select pg_sleep(11)' });
  };
  const { links, told } = stage(t, [], { prepare });
  await links.start(10_000);
  links.current?.giveUp(new Error('cut'));
  const link = await links.ready();
  assert.deepEqual([checks, link.isOver, told[0], told.at(-1)], [3, false, 'up', 'up']);
});
