/** HB7: what happens to a subscriber while the log is read for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interest, type Want } from '../../../daemon/pipeline/tell/interest.ts';
import { Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { FakeOutlet, openRoster, upsert } from '../../support/live/hub-kit.ts';

/** A log whose readers wait in the middle of reading when a test says so. */
class PausedLog extends MemoryLog {
  /** Called when a reader has an entry in its hands. */
  onRead: (entry: Entry) => Promise<void> = async () => {};

  override async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
    for await (const entry of super.read(after, signal)) {
      await this.onRead(entry);
      yield entry;
    }
  }
}

const wanting = (want: Want): Interest => new Interest({ name: 's', want, since: 0, reach: 'server' });

/** A subscriber that reads 20 events from `position` on in the log, and what it got; `meanwhile` happens once, during the read. */
async function seqsAfter(
  position: number,
  want: Want,
  meanwhile: (hub: Awaited<ReturnType<typeof openRoster>>['hub'], self: Subscriber) => void,
) {
  const log = new PausedLog({ retentionFacts: 1_000_000 });
  // With so little memory, the past is read from the log.
  const roster = await openRoster(1, log);
  for (const n of [0, 1])
    await upsert(
      roster,
      Array.from({ length: 10 }, (_, i) => `u${n * 10 + i + 1}`),
    );
  roster.hub.flush();
  const outlet = new FakeOutlet();
  const subscriber = new Subscriber(outlet, 'live');
  subscriber.interests.set('s', wanting(want));
  let reads = 0;
  log.onRead = async () => {
    if (++reads === 1) meanwhile(roster.hub, subscriber);
  };
  await new Promise<void>((resolve) => roster.hub.joinFrom(subscriber, position, resolve));
  assert.ok(reads > 0, 'the log was read');
  return outlet.events.map(({ seq }) => seq);
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

test('HB7 a subscriber that is sent back while the log is read for it gets everything from there on, once', async () => {
  for (const want of [{ kind: 'all' }, { kind: 'ids', ids: new Set(upTo(20).map((n) => `u${n}`)) }] satisfies Want[]) {
    assert.deepEqual(await seqsAfter(5, want, () => {}), upTo(20).slice(5));
    assert.deepEqual(await seqsAfter(5, want, (hub, self) => hub.rewind(self, 0)), upTo(20));
    assert.deepEqual(await seqsAfter(5, want, (hub, self) => hub.rewind(self, 12)), upTo(20).slice(5), 'it is never sent forward');
  }
});

test('HB7 what was read for earlier interests is not sent', async () => {
  const other = wanting({ kind: 'ids', ids: new Set(['u3', 'u17']) });
  const change: Parameters<typeof seqsAfter>[2] = (hub, self) => hub.change(self, (interests) => void interests.set('s', other));
  assert.deepEqual(await seqsAfter(0, { kind: 'all' }, change), [3, 17]);
  assert.deepEqual(await seqsAfter(0, { kind: 'ids', ids: new Set(['u1', 'u3']) }, change), [3, 17]);
});

test('HB7 nothing is sent to a subscriber that left while the log was read for it', async () => {
  const log = new PausedLog({ retentionFacts: 1_000_000 });
  const roster = await openRoster(1, log);
  await upsert(roster, ['u1', 'u2']);
  roster.hub.flush();
  const outlet = new FakeOutlet();
  const subscriber = new Subscriber(outlet, 'live');
  subscriber.interests.set('s', wanting({ kind: 'all' }));
  const left = new Promise<void>((resolve) => {
    log.onRead = async () => {
      roster.hub.leave(subscriber);
      resolve();
    };
  });
  roster.hub.joinFrom(subscriber, 0, () => assert.fail('it caught up'));
  await left;
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(outlet.writes, []);
});

test('LV44 a subscriber that may see only some users is not fed from the log: it is closed and gets nothing', async () => {
  const log = new PausedLog({ retentionFacts: 1_000_000 });
  const roster = await openRoster(1, log);
  await upsert(roster, ['u1', 'u2']);
  await upsert(roster, ['u3']);
  roster.hub.flush();
  const outlet = new FakeOutlet();
  const subscriber = new Subscriber(outlet, 'live');
  const confined = new Interest({ name: 's', want: { kind: 'all' }, since: 0, reach: 'others', sight: () => true });
  subscriber.interests.set('s', confined);
  log.onRead = () => assert.fail('the log was read');
  roster.hub.joinFrom(subscriber, 0, () => assert.fail('it caught up'));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([outlet.closedAs, outlet.writes], ['slow', []]);
});

test('BU6 who is online is found out before a subscriber that missed it goes live, and it is told after that', async () => {
  const roster = await openRoster();
  await upsert(roster, ['u1']);
  roster.hub.flush();
  const steps: string[] = [];
  const subscriber = new Subscriber(new FakeOutlet(), 'live');
  subscriber.interests.set('s', wanting({ kind: 'all' }));
  subscriber.gatherPresence = async () => {
    steps.push('asked');
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    steps.push('gathered');
  };
  subscriber.tellPresence = () => void steps.push('told');
  await new Promise<void>((resolve) => roster.hub.joinFrom(subscriber, 0, () => resolve(void steps.push('live'))));
  assert.deepEqual(steps, ['asked', 'gathered', 'live', 'told']);
});
