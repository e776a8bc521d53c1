/** BU8: what a client makes has a quota in total. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import { checkQuota } from '../../../daemon/core/feeds/quotas.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Activity } from '../../../protocol/feeds/activities.ts';
import type { Origin } from '../../../protocol/log/entry.ts';
import { Bench } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';

const ANN = { kind: 'user', id: 'ann' } as const;
const activity = (id: string, feed: string): Activity => ({ id, feeds: [feed], origin: feed, time: 1, data: { actor: 'SU:x' } });

function refused(act: () => unknown, reason: RegExp): void {
  assert.throws(act, (error) => error instanceof RosterError && error.kind === 'input' && reason.test(error.message));
}

test('BU8 a user has at most 500 activities over all its feeds; one that goes makes room, replacing is free, a server has no quota', () => {
  const bench = new Bench();
  const add = (id: string, feed: string, by?: string, text = '') =>
    bench.run({ kind: 'activity-add', activities: [{ ...activity(id, feed), data: { actor: `SU:${feed.split(':')[1]}`, text } }] }, by);
  for (let n = 0; n < LIMITS.activitiesPerUser; n++) add(`a${n}`, n % 2 === 0 ? 'user:ann' : 'timeline:ann', 'ann');
  refused(() => add('one-more', 'third:ann', 'ann'), /the user ann has 500 activities already/);
  add('a0', 'user:ann', 'ann', 'new');
  add('by-a-server', 'user:ann');
  bench.run({ kind: 'activity-remove', feed: 'user:ann', by: { id: 'by-a-server' } });
  bench.run({ kind: 'activity-remove', feed: 'timeline:ann', by: { id: 'a1' } });
  add('room', 'user:ann', 'ann');
  refused(() => add('full-again', 'user:ann', 'ann'), /500 activities/);
  add('of-bob', 'user:bob', 'bob');
});

test('BU8 within one request, the quota counts what the request has added before', () => {
  const bench = new Bench();
  const batch = (from: number, count: number) => {
    const activities = Array.from({ length: count }, (_, n) => ({ ...activity(`b${from + n}`, 'user:ann'), data: { actor: 'SU:ann' } }));
    return bench.run({ kind: 'activity-add', activities }, 'ann');
  };
  for (let from = 0; from < 400; from += 100) batch(from, 100);
  batch(400, 99);
  refused(() => batch(499, 2), /500 activities/);
  assert.equal(bench.directory.docs.count('activity'), 499, 'nothing of a refused request is kept');
});

test('BU8 the feeds of one user follow at most 2,000 others', () => {
  const bench = new Bench();
  const follow = (source: string, target: string, by?: string, kind: 'follow' | 'unfollow' = 'follow') =>
    bench.run({ kind, source, target }, by);
  for (let n = 0; n < LIMITS.followsPerUser; n++) follow(`s${n % 7}:ann`, `user:u${n}`, 'ann');
  refused(() => follow('other:ann', 'user:more', 'ann'), /the user ann has 2000 follows already/);
  follow('s0:ann', 'user:u0', 'ann');
  follow('other:ann', 'user:more');
  follow('s1:ann', 'user:u1', 'ann', 'unfollow');
  follow('other:ann', 'user:more', 'ann', 'unfollow');
  follow('other:ann', 'user:last', 'ann');
});

test('BU8 a user reports at most 1,000 others; reporting one again is free, and one that is withdrawn makes room', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }, { id: 'bob' }]);
  for (let n = 0; n <= LIMITS.flagsPerReporter; n += 100) {
    bench.upsert(Array.from({ length: 100 }, (_, k) => ({ id: `u${n + k}` })));
  }
  const flag = (target: string, by = 'ann', actor: { kind: 'user'; id: string } = ANN) =>
    bench.run({ kind: 'flag', actor, target, by, itemId: `i-${target}-${by}` });
  for (let n = 0; n < LIMITS.flagsPerReporter; n++) flag(`u${n}`);
  refused(() => flag('u1000'), /the user ann has reported 1000 users/);
  bench.run({ kind: 'flag', actor: ANN, target: 'u0', by: 'ann', itemId: 'again', reason: 'worse' });
  flag('u1000', 'bob', { kind: 'user', id: 'bob' });
  bench.run({ kind: 'unflag', actor: ANN, target: 'u1', by: 'ann' });
  flag('u1000');
});

test('BU8 a user makes as many as allowed for it, clients together as many as allowed in all; servers and anonymous callers have no quota', () => {
  for (const [kind, path, many] of [
    ['activity', 'activities', 'activities'],
    ['follow', 'target', 'follows'],
  ] as const) {
    const bench = new Bench();
    for (const id of ['ann', 'bob']) {
      if (kind === 'activity') bench.run({ kind: 'activity-add', activities: [activity(id, `user:${id}`)] });
      else bench.run({ kind: 'follow', source: `user:${id}`, target: 'user:x' });
    }
    const check = (origin: Origin | undefined, perUser: number, inAll: number) => () => {
      const draft = new Draft(bench.directory);
      if (origin !== undefined) draft.begin(origin);
      checkQuota(draft, kind, { perUser, inAll });
    };
    const ann: Origin = { source: 'client', by: 'ann' };
    check(ann, 2, 3)();
    for (const [perUser, inAll, message] of [
      [1, 3, `the user ann has 1 ${many} already, and may not have more`],
      [2, 2, `there are 2 ${many} already, and clients may not add more`],
    ] as const) {
      const { kind: refusedAs, fields } = refusal(check(ann, perUser, inAll));
      assert.deepEqual([refusedAs, fields], ['input', [{ path, message }]]);
      for (const origin of [undefined, { source: 'server' }, { source: 'client' }] as const) check(origin, perUser, inAll)();
    }
  }
});

test('BU8 guests may fill half of what clients may make in all, and leave the rest to users', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }, { id: 'guest', role: 'guest' }]);
  const add = (id: string, by: string) => () => {
    const draft = new Draft(bench.directory);
    draft.begin({ source: 'client', by });
    checkQuota(draft, 'activity', { perUser: 100, inAll: 4 });
    bench.run({ kind: 'activity-add', activities: [activity(id, `user:${by}`)] });
  };
  for (const id of ['a', 'b']) add(id, 'guest')();
  refused(add('c', 'guest'), /there are 2 activities already, and guests may not add more/);
  for (const id of ['c', 'd']) add(id, 'ann')();
  refused(add('e', 'ann'), /there are 4 activities already, and clients may not add more/);
});
