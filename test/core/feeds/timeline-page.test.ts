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

function finished({ directory }: Bench, page: TimelinePage): { readonly items: readonly FeedItem[]; readonly steps: number } {
  const walk = timelinePage(directory.docs, 'timeline:ann', page, () => true);
  for (let steps = 0; ; steps++) {
    const { done, value } = walk.next();
    if (done === true) return { items: value, steps };
  }
}

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
