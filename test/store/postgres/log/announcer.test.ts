/** PL4: what nodes say to each other about the confirmed end. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ServerLink } from '../../../../store/postgres/link/link.ts';
import { Announcer } from '../../../../store/postgres/log/announcer.ts';
import { Confirmed } from '../../../../store/postgres/log/confirmed.ts';
import { ENTRY_FORMATS } from '../../../../store/postgres/log/formats.ts';
import { answered, scripted } from '../../../support/nodes/scripted.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

beforeEach(() => kit.closeNodes());

const end = (seq: number) => ({ epoch: 'e', seq, id: `id ${seq}` });

interface Stage {
  readonly announcer: Announcer;
  readonly confirmed: Confirmed;
  readonly link: ServerLink;
  /** As if it came over the link. */
  hear(payload: string): void;
}

async function stage(t: TestContext, app = 'app'): Promise<Stage> {
  const { log } = await kit.node(randomUUID(), { pulseMs: 600_000 });
  const link = await log.links.ready();
  const confirmed = new Confirmed(end(3), 0, { fence: 0, format: 1 }, 10_000, ENTRY_FORMATS);
  let hear = (_payload: string): void => {};
  t.mock.setter(link.listener, 'onNotification', (listener: (payload: string) => void) => {
    hear = listener;
  });
  return { announcer: new Announcer(app, () => confirmed), confirmed, link, hear: (payload) => hear(payload) };
}

test('PL4 what another node says of the same history is confirmed; everything else is not', pgOptions, async (t) => {
  const { announcer, confirmed, link, hear } = await stage(t);
  const asked = scripted(t, link.listener, answered());
  await announcer.listen(link);
  assert.match(asked[0]?.text ?? '', /^listen rosterd_[0-9a-f]{32}$/);
  for (const said of ['', 'e', 'e 9', 'x 9 id', ' 9 id', 'e nine id', 'e -9 id', 'undefined 9 id']) hear(said);
  assert.deepEqual(confirmed.end, end(3));
  hear('e 9 an id\nof two lines');
  assert.deepEqual(confirmed.end, { epoch: 'e', seq: 9, id: 'an id\nof two lines' });
  t.mock.getter(link, 'isOver', () => true);
  hear('e 10 id');
  assert.equal(confirmed.end.seq, 9, 'a link that is over may lead to an old primary');
});

test('PL4 a listener that cannot listen is an error', pgOptions, async (t) => {
  const { announcer, link } = await stage(t);
  scripted(t, link.listener, new Error('cut'));
  await assert.rejects(announcer.listen(link), /cut/);
});

test('PL4 before the head is known, nothing that is heard counts', pgOptions, async (t) => {
  const { link, hear } = await stage(t);
  scripted(t, link.listener, answered());
  await new Announcer('app', () => undefined).listen(link);
  hear('e 9 id');
});

test('PL4 one announcement at a time: those that come meanwhile share one, and one that is lost does no harm', pgOptions, async (t) => {
  const { announcer, link } = await stage(t);
  let answer = (): void => {};
  const held = async () => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return answered();
  };
  const asked = scripted(t, link.listener, held, new Error('cut'), answered(), answered());
  const said = () => asked.map(({ values }) => values?.[1]);
  for (const seq of [1, 2, 3]) announcer.say(link, end(seq));
  assert.deepEqual(said(), ['e 1 id 1']);
  answer();
  while (asked.length < 2) await nextTurn();
  await nextTurn();
  assert.deepEqual(said(), ['e 1 id 1', 'e 3 id 3']);
  for (const seq of [4, 5]) {
    announcer.say(link, end(seq));
    await nextTurn();
  }
  assert.deepEqual(said().slice(2), ['e 4 id 4', 'e 5 id 5']);
});

test('PL4 each application has a channel of its own, however long its key is', pgOptions, async (t) => {
  const channels: unknown[] = [];
  for (const app of ['one', 'two', 'x'.repeat(300)]) {
    const { announcer, link } = await stage(t, app);
    const asked = scripted(t, link.listener, answered());
    announcer.say(link, end(1));
    channels.push(asked[0]?.values?.[0]);
  }
  assert.equal(new Set(channels).size, 3);
  for (const channel of channels) assert.match(String(channel), /^rosterd_[0-9a-f]{32}$/);
});
