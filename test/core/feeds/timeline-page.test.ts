/** A page of a feed that follows others: FD30, FD33. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TimelinePage } from '../../../daemon/core/directory/timeline.ts';
import { type FeedItem, timelinePage } from '../../../daemon/core/feeds/timeline-page.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Activity } from '../../../protocol/feeds/activities.ts';
import { Bench } from '../../support/decide-bench.ts';
import { seeded, testOption } from '../../support/random.ts';

const SEED = testOption('seed', Math.floor(Math.random() * 2 ** 31));

const activity = (id: string, time: number, feeds: readonly string[]): Activity => ({
  id,
  feeds: [...feeds],
  origin: feeds[0] ?? '',
  time,
  data: { actor: 'SU:x' },
});

interface Finished {
  readonly items: readonly FeedItem[];
  readonly steps: number;
  readonly units: number;
  readonly unseen: number;
}

function finished({ directory }: Bench, page: TimelinePage, isSeen: (feed: string) => boolean = () => true): Finished {
  const walk = timelinePage(directory.docs, 'timeline:ann', page, isSeen);
  let units = 0;
  let unseen = 0;
  for (let steps = 0; ; steps++) {
    const { done, value } = walk.next();
    if (done === true) return { items: value, steps, units, unseen };
    units += value.units;
    unseen += value.unseen;
  }
}

const idsOf = ({ items }: Finished): string[] => items.map((item) => item.activity.id);

test('FD30 a page is that part of all activities in order, whatever is followed, kept, bounded and skipped', () => {
  const random = seeded(SEED);
  const below = (count: number) => Math.floor(random() * count);
  for (let round = 0; round < 150; round++) {
    const bench = new Bench();
    const feeds = ['timeline:ann', ...Array.from({ length: below(9) }, (_, n) => `user:u${n}`)];
    const all: Activity[] = [];
    for (let n = below(120); n > 0; n--) {
      const made = activity(`a${below(1_000)}`, 1 + below(60), [
        ...new Set([feeds[below(feeds.length)] ?? '', feeds[below(feeds.length)] ?? '']),
      ]);
      if (all.some(({ id }) => id === made.id)) continue;
      all.push(made);
      bench.run({ kind: 'activity-add', activities: [made] });
    }
    const cuts = new Map<string, number>([['timeline:ann', -1]]);
    for (const target of feeds.slice(1)) {
      if (random() < 0.2) continue;
      const cut = below(40) - 5;
      cuts.set(target, cut);
      bench.run({ kind: 'follow', source: 'timeline:ann', target, ...(cut < 0 ? {} : { since: { time: cut, id: '~' } }) });
    }
    const [from, to, offset, limit] = [below(30), 30 + below(40), below(10), 1 + below(30)];
    const isIn = ({ time, feeds: own }: Activity) =>
      time > from && time < to && own.some((feed) => time > (cuts.get(feed) ?? Number.POSITIVE_INFINITY));
    const wanted = all
      .filter(isIn)
      .sort((a, b) => b.time - a.time || (a.id < b.id ? 1 : -1))
      .slice(offset, offset + limit);
    const bounds = { after: [{ time: from, id: '~', inclusive: false }], before: [{ time: to, id: '', inclusive: false }] };
    const { items } = finished(bench, { ...bounds, offset, limit });
    assert.deepEqual(
      items.map((item) => item.activity.id),
      wanted.map(({ id }) => id),
      `--seed ${SEED}, round ${round}`,
    );
    for (const { activity: found, from: origin } of items) {
      assert.equal(origin === null, found.feeds.includes('timeline:ann'));
      assert.ok(origin === null || found.feeds.includes(origin));
    }
  }
});

test('FD33 a page of a feed that follows 5,000 feeds is read in small steps, and no feed follows more', () => {
  const bench = new Bench();
  for (let n = 0; n < LIMITS.followsPerFeed; n++) {
    bench.run({ kind: 'follow', source: 'timeline:ann', target: `user:u${n}` });
    if (n % 50 === 0) bench.run({ kind: 'activity-add', activities: [activity(`a${n}`, n + 1, [`user:u${n}`])] });
  }
  const { items, steps } = finished(bench, { limit: 3 });
  assert.deepEqual(
    items.map((item) => item.activity.id),
    ['a4950', 'a4900', 'a4850'],
  );
  assert.ok(steps >= LIMITS.followsPerFeed / 64, `${steps} steps`);
  const more = () => bench.run({ kind: 'follow', source: 'timeline:ann', target: 'user:more' });
  const isFull = (error: unknown) =>
    error instanceof RosterError && error.kind === 'input' && /follows 5000 feeds already/.test(error.message);
  assert.throws(more, isFull);
  bench.run({ kind: 'unfollow', source: 'timeline:ann', target: 'user:u0', keepsHistory: true });
  assert.throws(more, isFull);
  bench.run({ kind: 'follow', source: 'timeline:ann', target: 'user:u0' });
  bench.run({ kind: 'unfollow', source: 'timeline:ann', target: 'user:u0' });
  more();
});

test('FD32 of a feed that was followed once, what it had before the end is shown, and nothing from that moment on', () => {
  const bench = new Bench();
  const ended_at = 50;
  const doc = { source: 'timeline:ann', target: 'user:bob', created_at: 1, ended_at };
  bench.run({ kind: 'docs', changes: [{ kind: 'follow', id: 'timeline:ann>user:bob', doc }] });
  for (const [id, time] of [
    ['before', 49],
    ['at', 50],
    ['after', 51],
  ] as const) {
    bench.run({ kind: 'activity-add', activities: [activity(id, time, ['user:bob'])] });
  }
  assert.deepEqual(idsOf(finished(bench, { limit: 9 })), ['before']);
  bench.run({ kind: 'follow', source: 'timeline:ann', target: 'user:cem', since: { time: 50, id: 'c50' } });
  for (const [id, time] of [
    ['c49', 49],
    ['c50', 50],
    ['c51', 51],
  ] as const) {
    bench.run({ kind: 'activity-add', activities: [activity(id, time, ['user:cem'])] });
  }
  assert.deepEqual(idsOf(finished(bench, { limit: 9 })), ['c51', 'before'], 'the activity that a follow begins after is not shown');
  const bounds = { after: [{ time: 49, id: 'before', inclusive: true }], before: [{ time: 51, id: 'c51', inclusive: false }] };
  assert.deepEqual(idsOf(finished(bench, { ...bounds, limit: 9 })), ['before']);
});

test('FD28 nothing is shown of a followed feed that the reader may not see', () => {
  const bench = new Bench();
  for (const name of ['bob', 'cem']) {
    bench.run({ kind: 'follow', source: 'timeline:ann', target: `user:${name}` });
    bench.run({ kind: 'activity-add', activities: [activity(name, 1, [`user:${name}`])] });
  }
  bench.run({ kind: 'activity-add', activities: [activity('own', 1, ['timeline:ann'])] });
  assert.deepEqual(idsOf(finished(bench, { limit: 9 }, (feed) => feed !== 'user:bob')), ['own', 'cem']);
});

test('FD30 an activity of several feeds comes from the own feed, else from the one that was followed first', () => {
  const bench = new Bench();
  const feeds = ['user:z', 'user:a', 'user:m'];
  for (const target of feeds) bench.run({ kind: 'follow', source: 'timeline:ann', target });
  bench.run({ kind: 'activity-add', activities: [activity('all', 5, ['user:m', 'user:a', 'user:z'])] });
  bench.run({ kind: 'activity-add', activities: [activity('two', 4, ['user:m', 'user:a'])] });
  bench.run({ kind: 'activity-add', activities: [activity('own', 3, ['user:m', 'timeline:ann'])] });
  const { items } = finished(bench, { limit: 9 });
  assert.deepEqual(
    items.map(({ activity: { id }, from }) => [id, from]),
    [
      ['all', 'user:z'],
      ['two', 'user:a'],
      ['own', null],
    ],
  );
});

test('FD33 a read gives way after every 32 feeds and activities, and says how much work that was', () => {
  const bench = new Bench();
  const follow = (n: number) => bench.run({ kind: 'follow', source: 'timeline:ann', target: `user:u${n}` });
  for (let n = 0; n < 31; n++) follow(n);
  assert.deepEqual(finished(bench, { limit: 1 }), { items: [], steps: 1, units: 0, unseen: 31 * 500 });
  for (const n of [31, 32]) follow(n);
  assert.deepEqual(finished(bench, { limit: 1 }), { items: [], steps: 2, units: 0, unseen: 33 * 500 });
  const few = new Set(['user:u0', 'user:u9']);
  assert.deepEqual(
    finished(bench, { limit: 1 }, (feed) => few.has(feed)),
    { items: [], steps: 2, units: 0, unseen: 33 * 500 },
    'an empty feed, and one out of sight, are counted alike, and apart',
  );
  bench.run({ kind: 'activity-add', activities: Array.from({ length: 70 }, (_, n) => activity(`a${n}`, n + 1, ['user:u0'])) });
  const walked = (limit: number) => finished(bench, { limit });
  const { steps, units, unseen } = walked(63);
  assert.deepEqual([walked(30).steps, walked(31).steps, steps, units, unseen], [2, 3, 4, 64 * 500, 32 * 500]);
});

test('FD33 a page that needs much of one feed reads it in a few pieces, without a gap', () => {
  const bench = new Bench();
  bench.run({ kind: 'follow', source: 'timeline:ann', target: 'user:bob' });
  const ids = Array.from({ length: 300 }, (_, n) => `a${String(n).padStart(3, '0')}`);
  for (let from = 0; from < 300; from += 100) {
    bench.run({ kind: 'activity-add', activities: ids.slice(from, from + 100).map((id, n) => activity(id, 1 + from + n, ['user:bob'])) });
  }
  const read: number[] = [];
  const { docs } = bench.directory;
  const counting = new Proxy(docs, {
    get: (target, name) =>
      name === 'newest'
        ? (kind: 'activity', feed: string, stretch: TimelinePage) => {
            if (feed === 'user:bob') read.push(stretch.limit);
            return target.newest(kind, feed, stretch);
          }
        : Reflect.get(target, name).bind(target),
  });
  const page = finished({ directory: { docs: counting } } as never, { limit: 250 });
  assert.deepEqual(idsOf(page), [...ids].reverse().slice(0, 250));
  assert.deepEqual(read, [2, 4, 8, 16, 32, 64, 64, 64]);
  read.length = 0;
  assert.equal(
    finished({ directory: { docs: counting } } as never, { limit: 250, after: [{ time: 299, id: '', inclusive: true }] }).items.length,
    2,
  );
  assert.deepEqual(read, [2, 4], 'a full piece may be the last one; one that is not full is');
});
