/** The rules of activities on the core: FD9, FD10, FD22, FD23. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Activity } from '../../../protocol/feeds/activities.ts';
import { refusal } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const activity = (id: string, feeds: readonly string[], actor = 'SU:ann', more: Partial<Activity> = {}): Activity => ({
  ...{ id, feeds: [...feeds], origin: feeds[0] ?? '', time: 1, data: { actor } },
  ...more,
});

class FeedsBench extends RulesBench {
  add(activities: readonly Activity[], by?: string) {
    return this.run({ kind: 'activity-add', activities }, by);
  }

  remove(feed: string, by: { readonly id: string } | { readonly foreignId: string }) {
    return this.run({ kind: 'activity-remove', feed, by });
  }

  feedsOf(id: string): readonly string[] | undefined {
    return this.directory.docs.get('activity', id)?.feeds;
  }
}

const told = (act: () => unknown): [string, string][] => refusal(act).fields.map(({ path, message }) => [path, message]);

test('FD10 a client adds its own activities to its own feeds; every fault of each of them is named, and nothing is added', () => {
  const bench = new FeedsBench();
  bench.upsert([{ id: 'ann' }, { id: 'bob' }]);
  const both = ['user:ann', 'timeline:ann'];
  assert.equal(bench.add([activity('own', both)], 'ann').docs?.length, 1);
  const act = () => bench.add([activity('fine', ['user:ann']), activity('bad', ['user:ann', 'user:bob', 'team:red'], 'SU:bob')], 'ann');
  assert.equal(refusal(act).kind, 'not_allowed');
  assert.deepEqual(told(act), [
    ['to', 'to: user:bob is not a feed of the user ann'],
    ['to', 'to: team:red is not a feed of the user ann'],
    ['activities[1].actor', 'the actor must be SU:ann'],
  ]);
  assert.equal(bench.feedsOf('fine'), undefined);
  // A server adds what it likes.
  bench.add([activity('any', ['user:ann', 'user:bob'], 'SU:bob')]);
});

test('FD22 an activity that is added again is replaced, and is in the feeds of both; its origin stays', () => {
  const bench = new FeedsBench();
  bench.upsert([{ id: 'ann' }, { id: 'bob' }]);
  bench.add([activity('one', ['user:ann', 'a:ann'])], 'ann');
  const { docs } = bench.add([activity('one', ['a:ann', 'b:ann'], 'SU:ann', { time: 2 })], 'ann');
  assert.deepEqual(docs, [{ kind: 'activity', id: 'one', doc: activity('one', ['user:ann', 'a:ann', 'b:ann'], 'SU:ann', { time: 2 }) }]);
  // A client replaces its own activities only.
  bench.add([activity('of-bob', ['user:bob'], 'SU:bob')], 'bob');
  const act = () => bench.add([activity('fine', ['user:ann']), activity('of-bob', ['user:ann'])], 'ann');
  assert.deepEqual(told(act), [['activities[1].foreign_id', 'another actor has an activity with this foreign_id and time']]);
  assert.equal(refusal(act).kind, 'not_allowed');
  assert.deepEqual(bench.feedsOf('of-bob'), ['user:bob']);
});

test('FD9 an activity is in as many feeds as allowed, those included that it was in before', () => {
  const bench = new FeedsBench();
  const feeds = Array.from({ length: LIMITS.feedsPerActivity }, (_, n) => `f${n}:ann`);
  bench.add([activity('most', feeds)]);
  bench.add([activity('most', feeds.slice(0, 5))]);
  assert.equal(bench.feedsOf('most')?.length, LIMITS.feedsPerActivity);
  for (const act of [
    () => bench.add([activity('most', ['more:ann'])]),
    () => bench.add([activity('x', []), activity('new', [...feeds, 'more:ann'])]),
  ]) {
    const [[path, message] = []] = told(act);
    assert.match(path ?? '', /^activities\[[01]\]$/);
    assert.equal(message, `an activity cannot be in more than ${LIMITS.feedsPerActivity} feeds`);
    assert.equal(refusal(act).kind, 'input');
  }
});

test('FD23 an activity that is removed from a feed stays in the others; removed from its origin, it is gone', () => {
  const bench = new FeedsBench();
  bench.add([activity('one', ['user:ann', 'a:ann', 'b:ann']), activity('two', ['a:ann'])]);
  assert.deepEqual(bench.remove('b:ann', { id: 'one' }).docs, [
    { kind: 'activity', id: 'one', doc: activity('one', ['user:ann', 'a:ann']) },
  ]);
  // What is not in the feed, or does not exist, is no error and no fact.
  for (const id of ['two', 'none', 'one']) {
    assert.deepEqual(
      bench.factsOf(() => assert.deepEqual(bench.remove('b:ann', { id }).docs, [])),
      [],
    );
  }
  assert.deepEqual(bench.remove('user:ann', { id: 'one' }).docs, [{ kind: 'activity', id: 'one', doc: null }]);
  assert.deepEqual([bench.feedsOf('one'), bench.feedsOf('two')], [undefined, ['a:ann']]);
});

test('FD23 a foreign id removes everything with it from the feed, so many at once, and nothing else', () => {
  const bench = new FeedsBench();
  const count = LIMITS.activitiesPerRequest + 1;
  for (let n = 0; n < count; n += 100) {
    bench.add(
      Array.from({ length: Math.min(100, count - n) }, (_, k) =>
        activity(`s${n + k}`, ['user:ann', 'a:ann'], 'SU:ann', { foreign_id: 'same', time: n + k }),
      ),
    );
  }
  bench.add([activity('other', ['user:ann'], 'SU:ann', { foreign_id: 'other' }), activity('none', ['user:ann'])]);
  assert.deepEqual(bench.remove('c:ann', { foreignId: 'same' }).docs, []);
  assert.equal(bench.remove('a:ann', { foreignId: 'same' }).docs?.length, LIMITS.activitiesPerRequest);
  assert.equal(bench.remove('a:ann', { foreignId: 'same' }).docs?.length, 1);
  assert.equal(bench.remove('a:ann', { foreignId: 'same' }).docs?.length, 0);
  assert.equal(bench.remove('user:ann', { foreignId: 'same' }).docs?.length, LIMITS.activitiesPerRequest);
  assert.equal(bench.remove('user:ann', { foreignId: 'same' }).docs?.length, 1);
  assert.deepEqual(
    [...bench.directory.docs.all('activity')].map(({ id }) => id),
    ['other', 'none'],
  );
});
