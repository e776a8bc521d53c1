/** Follows between feeds on the core: FD25, FD30, FD31, FD32, FD33. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Follow } from '../../../protocol/feeds/follows.ts';
import type { Fact } from '../../../protocol/log/entry.ts';
import { refusal } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

class FollowBench extends RulesBench {
  follow(since?: Follow['since'], target = 'user:bob') {
    return this.run({ kind: 'follow', source: 'timeline:ann', target, ...(since === undefined ? {} : { since }) });
  }

  unfollow(keepsHistory?: boolean, target = 'user:bob') {
    return this.run({ kind: 'unfollow', source: 'timeline:ann', target, ...(keepsHistory === undefined ? {} : { keepsHistory }) });
  }

  get held(): Follow | undefined {
    return this.directory.docs.get('follow', 'timeline:ann>user:bob');
  }
}

const place = (time: number, id = 'x'): NonNullable<Follow['since']> => ({ time, id });
const FEEDS = { source: 'timeline:ann', target: 'user:bob' };

test('FD25 a follow is stored once: following again, and ending what does not exist, is no fact', () => {
  const bench = new FollowBench();
  assert.deepEqual(
    bench.factsOf(() => [bench.unfollow(), bench.unfollow(true)]),
    [],
  );
  bench.follow();
  assert.deepEqual(bench.held, { ...FEEDS, created_at: bench.now });
  assert.deepEqual(
    bench.factsOf(() => [bench.follow(), bench.follow(place(5))]),
    [],
  );
  bench.unfollow();
  assert.equal(bench.held, undefined);
  bench.follow(place(5));
  assert.deepEqual(bench.held, { ...FEEDS, created_at: bench.now, since: place(5) });
});

test('FD32 a follow that ends with its history is kept with its end; ending it again changes nothing, and without history it goes', () => {
  const bench = new FollowBench();
  bench.follow(place(5));
  const created_at = bench.now;
  bench.unfollow(true);
  const ended = { ...FEEDS, created_at, since: place(5), ended_at: bench.now };
  assert.deepEqual(bench.held, ended);
  assert.deepEqual(
    bench.factsOf(() => bench.unfollow(true)),
    [],
  );
  assert.deepEqual(bench.held, ended);
  bench.unfollow(false);
  assert.equal(bench.held, undefined);
});

test('FD31 a feed that follows again shows what it has kept, and what the new follow shows', () => {
  const cases: readonly [Follow['since'], Follow['since'], Follow['since']][] = [
    [undefined, undefined, undefined],
    [undefined, place(5), undefined],
    [place(5), undefined, undefined],
    [place(5), place(7), place(5)],
    [place(7), place(5), place(5)],
    [place(5, 'a'), place(5, 'b'), place(5, 'a')],
    [place(5, 'b'), place(5, 'a'), place(5, 'a')],
  ];
  for (const [before, again, since] of cases) {
    const bench = new FollowBench();
    bench.follow(before);
    bench.unfollow(true);
    bench.follow(again);
    assert.deepEqual(bench.held, { ...FEEDS, created_at: bench.now, ...(since === undefined ? {} : { since }) });
  }
});

test('FD33 a feed follows so many, those included that it only shows; one of them can always be followed again', () => {
  const bench = new FollowBench();
  const facts = Array.from({ length: LIMITS.followsPerFeed }, (_, n): Fact => {
    const doc = { source: 'timeline:ann', target: `user:u${n}`, created_at: 1, ...(n === 0 ? { ended_at: 2 } : {}) };
    return { t: 'doc', kind: 'follow', id: `timeline:ann>user:u${n}`, doc };
  });
  bench.directory.apply({ id: 'many', time: 1, first: 1, facts: facts.slice(1) });
  const full = () => bench.run({ kind: 'follow', source: 'timeline:ann', target: 'user:more' });
  bench.directory.apply({ id: 'last', time: 2, first: facts.length, facts: facts.slice(0, 1) });
  const error = refusal(full);
  assert.deepEqual(
    [error.kind, error.fields],
    ['input', [{ path: 'target', message: 'the feed timeline:ann follows 5000 feeds already, and no feed may follow more' }]],
  );
  bench.follow(undefined, 'user:u0');
  bench.unfollow(false, 'user:u1');
  full();
  assert.equal(refusal(() => bench.follow()).kind, 'input');
});
