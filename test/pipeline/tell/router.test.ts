/** LV5, LV6, HB1, HB10: who is proposed for an event, what an interest makes of it, and what a change of interests costs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decoration, Interest, type InterestOptions, presenceDecoration, type Want } from '../../../daemon/pipeline/tell/interest.ts';
import { Router } from '../../../daemon/pipeline/tell/router.ts';
import { SharedFilter } from '../../../daemon/pipeline/tell/shared-filter.ts';
import { type Outlet, Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';
import { HIDDEN, type ToldOfUser } from '../../../daemon/pipeline/tell/told.ts';
import { parseFilter } from '../../../protocol/users/finding/filter.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { openRoster, subscribe, upsert } from '../../support/live/hub-kit.ts';
import { seeded, testOption } from '../../support/random.ts';

const OUTLET: Outlet = { queuedBytes: 0, write: () => {}, drained: async () => true, close: () => {} };

const user = (id: string, teams: readonly string[] = [], more: Partial<StoredUser> = {}): StoredUser => ({
  ...{ id, rev: 1, role: 'user', teams: [...teams], custom: {}, created_at: 1, updated_at: 1 },
  ...more,
});

const told = (before: StoredUser | undefined, after: StoredUser, more: Partial<ToldOfUser> = {}): ToldOfUser => ({
  ...{ seq: 10, type: 'user.updated', audience: 'all', id: after.id, before, after, knowsBefore: true, online: false },
  ...more,
});

const interest = (want: Want, more: Partial<InterestOptions> = {}): Interest =>
  new Interest({ name: 's', want, since: 0, reach: 'server', ...more });

const ids = (...names: string[]): Want => ({ kind: 'ids', ids: new Set(names) });
const teams = (...names: string[]): Want => ({ kind: 'teams', teams: new Set(names) });
const filter = (json: object): Want => ({ kind: 'filter', filter: new SharedFilter(parseFilter(json), 100) });

test('LV6 an event of a team or filter has enter, stay or leave, or concerns nobody there', () => {
  for (const want of [teams('red', 'blue'), filter({ teams: { $in: ['red', 'blue'] } })]) {
    const concerns = (before: string[] | undefined, after: string[], more: Partial<ToldOfUser> = {}): unknown =>
      interest(want).concerns(told(before && user('u', before), user('u', after), more));
    assert.equal(concerns(undefined, ['red']), 'enter');
    assert.equal(concerns(['green'], ['red']), 'enter');
    assert.equal(concerns(['red'], ['blue', 'green']), 'stay');
    assert.equal(concerns(['red'], []), 'leave');
    assert.equal(concerns(['green'], []), false);
    assert.equal(concerns(undefined, []), false);
    // Read back from the log, the state before is not known: a needless enter or leave does no harm.
    assert.equal(concerns(undefined, ['red'], { knowsBefore: false }), 'enter');
    assert.equal(concerns(['red'], [], { knowsBefore: false }), 'leave');
    const gone = told(user('u', ['red']), user('u', ['red'], { deleted_at: 5 }));
    assert.equal(interest(want).concerns(gone), 'leave', 'a deleted user is in no team');
  }
});

test('LV6 over several subscriptions an event names those that it concerns, and enters or leaves only where no other has the user', () => {
  const red = interest(teams('red'), { name: 'red' });
  const blue = interest(teams('blue'), { name: 'blue' });
  const ann = interest(ids('ann'), { name: 'ann' });
  const self = interest(ids('ann'), { name: '' });
  const said = (interests: Interest[], before: string[], after: string[]): unknown =>
    decoration(interests, told(user('ann', before), user('ann', after)));
  assert.equal(said([red, blue], [], ['red']), ',"sub":["red"],"match":"enter"');
  assert.equal(said([red, blue], ['red'], ['blue']), ',"sub":["red","blue"],"match":"stay"');
  assert.equal(said([red, blue], [], ['red', 'blue']), ',"sub":["red","blue"],"match":"enter"');
  assert.equal(said([red, ann], [], ['red']), ',"sub":["red","ann"],"match":"enter"');
  assert.equal(said([ann, self], [], ['red']), ',"sub":["ann"]');
  assert.equal(said([self], [], []), '');
  assert.equal(said([red], [], []), undefined);
});

test('LV5 who hears of an event: servers of all, a user of itself, others of what is for all, and nobody of what came before', () => {
  const heard = (audience: ToldOfUser['audience'], reach: InterestOptions['reach'], more: Partial<InterestOptions> = {}): unknown =>
    interest(ids('ann'), { reach, ...more }).concerns(told(user('ann'), user('ann'), { audience }));
  const reaches = ['server', 'self', 'others'] as const;
  assert.deepEqual(
    reaches.map((reach) => heard('all', reach)),
    [true, true, true],
  );
  assert.deepEqual(
    reaches.map((reach) => heard('self', reach)),
    [true, true, false],
  );
  assert.deepEqual(
    reaches.map((reach) => heard('server', reach)),
    [true, false, false],
  );
  assert.deepEqual([heard('all', 'server', { since: 9 }), heard('all', 'server', { since: 10 })], [true, false]);
});

test('LV44 a user that goes out of sight is hidden, once, and one that never was in sight is not named', () => {
  const sight = ({ teams: seen }: StoredUser): boolean => seen.includes('red');
  const all = interest({ kind: 'all' }, { sight });
  const concerns = (before: string[] | undefined, after: StoredUser, knowsBefore = true): unknown =>
    all.concerns(told(before && user('u', before), after, { knowsBefore }));
  assert.equal(concerns(['red'], user('u', ['red'])), true);
  assert.equal(concerns(['blue'], user('u', ['red'])), true);
  assert.equal(concerns(['red'], user('u', ['blue'])), HIDDEN);
  assert.equal(concerns(['blue'], user('u', ['blue'])), false);
  assert.equal(concerns(undefined, user('u', ['blue'])), false);
  assert.equal(concerns(['red'], user('u', ['blue']), false), false, 'the log does not say who was in sight');
  // A pruned user has no teams left: it is judged by what it was.
  assert.equal(concerns(['red'], user('u', [], { deleted_at: 5 })), true);
  assert.equal(concerns(['blue'], user('u', [], { deleted_at: 5 })), false);
  assert.deepEqual([all.isConfined, interest({ kind: 'all' }).isConfined], [true, false]);
  assert.equal(decoration([all], told(user('u', ['red']), user('u', []))), HIDDEN);
  const open = interest(ids('u'), { name: 'open' });
  assert.equal(decoration([all, open], told(user('u', ['red']), user('u', []))), ',"sub":["open"]', 'another subscription still shows it');
  assert.deepEqual([all.holds(user('u', ['red']), false), all.holds(user('u'), false), open.holds(user('u'), false)], [true, false, true]);
});

test('PR5 PR6 presence goes to those who asked for it, and makes users enter and leave a filter on `online`', () => {
  const said = (want: Want, isOnline: boolean, more: Partial<InterestOptions> = {}): unknown =>
    presenceDecoration([interest(want, more)], user('ann', ['red']), isOnline);
  for (const want of [{ kind: 'all' }, ids('ann'), teams('red')] satisfies Want[]) {
    assert.equal(said(want, true), undefined);
    assert.equal(said(want, true, { wantsPresence: true }), want.kind === 'teams' ? ',"sub":["s"],"match":"stay"' : ',"sub":["s"]');
    assert.equal(said(want, true, { wantsPresence: true, sight: () => false }), undefined);
  }
  assert.equal(said(ids('bob'), true, { wantsPresence: true }), undefined);
  assert.equal(said(teams('blue'), true, { wantsPresence: true }), undefined);
  for (const wantsPresence of [false, true]) {
    assert.equal(said(filter({ online: true }), true, { wantsPresence }), ',"sub":["s"],"match":"enter"');
    assert.equal(said(filter({ online: true }), false, { wantsPresence }), ',"sub":["s"],"match":"leave"');
  }
});

test('HB1 the indexes propose everyone who is concerned, whoever joins, changes and leaves', (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const names = ['a', 'b', 'c', 'd'];
  const some = (): string[] => names.filter(() => random() < 0.4);
  const wants: (() => Want)[] = [
    () => ({ kind: 'all' }),
    () => ids(...some()),
    () => teams(...some()),
    () => filter({ teams: { $in: ['a', ...some()] } }),
  ];
  const router = new Router();
  const joined = new Set<Subscriber>();
  for (let step = 0; step < 600; step++) {
    const chance = random();
    if (chance < 0.4) {
      const subscriber = new Subscriber(OUTLET, 'live');
      for (let n = Math.floor(random() * 3); n >= 0; n--) {
        const name = `s${n}`;
        subscriber.interests.set(name, interest(pick(wants)(), { name, reach: pick(['server', 'others'] as const) }));
      }
      router.add(subscriber);
      joined.add(subscriber);
    } else if (chance < 0.65 && joined.size > 0) {
      const subscriber = pick([...joined]);
      router.remove(subscriber);
      joined.delete(subscriber);
    }
    const id = pick(names);
    const event = told(random() < 0.3 ? undefined : user(id, some()), user(id, some()));
    const proposed = new Set([...router.candidates(event), ...[...router.cohorts].flatMap(({ members }) => [...members])]);
    for (const subscriber of joined) {
      const said = decoration(subscriber.interests.values(), event);
      if (said !== undefined) assert.ok(proposed.has(subscriber), `seed ${seed}, step ${step}`);
    }
    for (const subscriber of proposed) assert.ok(joined.has(subscriber), 'nobody who left');
    for (const { members, decoration: same } of router.cohorts) {
      for (const subscriber of members) assert.equal(decoration(subscriber.interests.values(), event), same);
    }
  }
  for (const subscriber of joined) router.remove(subscriber);
  assert.deepEqual([[...router.cohorts], [...router.candidates(told(undefined, user('a', names)))]], [[], []]);
});

test('HB2 those who want everything under one name, in one form and with or without presence, share a cohort', () => {
  const router = new Router();
  const join = (form: 'live' | 'v1', more: Partial<InterestOptions> = {}, withSelf = false): void => {
    const subscriber = new Subscriber(OUTLET, form);
    subscriber.interests.set('s', interest({ kind: 'all' }, more));
    if (withSelf) subscriber.interests.set(Symbol(), interest(ids('me'), { name: '' }));
    router.add(subscriber);
  };
  join('live');
  join('live', {}, true);
  join('v1');
  join('live', { name: 'other' });
  join('live', { wantsPresence: true });
  join('live', { reach: 'others' });
  assert.deepEqual(
    [...router.cohorts].map(({ form, decoration: said, wantsPresence, members }) => [form, said, wantsPresence, members.size]),
    [
      ['live', ',"sub":["s"]', false, 2],
      ['v1', ',"sub":["s"]', false, 1],
      ['live', ',"sub":["other"]', false, 1],
      ['live', ',"sub":["s"]', true, 1],
    ],
  );
  assert.equal([...router.candidates(told(undefined, user('a')))].length, 1);
});

test('HB1 the indexes propose nobody whose ids and teams are others', () => {
  const router = new Router();
  const join = (...wants: Want[]): Subscriber => {
    const subscriber = new Subscriber(OUTLET, 'live');
    for (const [index, want] of wants.entries()) subscriber.interests.set(`s${index}`, interest(want, { name: `s${index}` }));
    router.add(subscriber);
    return subscriber;
  };
  const proposed = (event: ToldOfUser): Subscriber[] => [...router.candidates(event)];
  const ann = join(ids('ann'));
  const both = join(ids('bob', 'carl'), ids('ann'));
  assert.deepEqual(proposed(told(undefined, user('ann'))), [ann, both]);
  assert.deepEqual(proposed(told(undefined, user('bob'))), [both]);
  assert.deepEqual(proposed(told(undefined, user('dora', ['red']))), []);
  const red = join(teams('red'));
  const blue = join(teams('blue', 'green'));
  assert.deepEqual(proposed(told(undefined, user('dora', ['red']))), [red]);
  assert.deepEqual(proposed(told(user('dora', ['green']), user('dora', ['red']))), [red, blue]);
  assert.deepEqual(proposed(told(user('ann', ['pink']), user('ann'))), [ann, both]);
  const filtered = join(filter({ id: 'zoe' }));
  assert.deepEqual(proposed(told(undefined, user('bob', ['blue']))), [filtered, both, blue]);
  const notice = { seq: 11, type: 'import.updated', audience: 'server', id: 'red', after: undefined, before: undefined } as const;
  assert.deepEqual([...router.candidates(notice)], [filtered], 'an event about no user concerns nobody who asked for users');
  router.remove(both);
  assert.deepEqual(proposed(told(undefined, user('ann'))), [filtered, ann]);
  for (const one of [filtered, red, blue, ann]) router.remove(one);
  assert.deepEqual(proposed(told(user('ann', ['red']), user('ann', ['blue']))), []);
});

test('HB2 a cohort ends with its last member, and one that comes after it begins anew', () => {
  const router = new Router();
  const join = (): Subscriber => {
    const subscriber = new Subscriber(OUTLET, 'live');
    subscriber.interests.set('s', interest({ kind: 'all' }));
    router.add(subscriber);
    return subscriber;
  };
  const [first, second] = [join(), join()];
  const [cohort] = router.cohorts;
  router.remove(first);
  assert.deepEqual([[...router.cohorts], [...(cohort?.members ?? [])]], [[cohort], [second]]);
  router.remove(second);
  assert.deepEqual([...router.cohorts], []);
  // Whoever is in a cohort no more is found by its interests again.
  first.interests.set('s', interest(ids('ann')));
  router.add(first);
  assert.deepEqual([...router.candidates(told(undefined, user('ann')))], [first]);
  router.remove(first);
  assert.deepEqual([...router.candidates(told(undefined, user('ann')))], []);
});

test('HB1 when the last subscriber to an id or a team has left, nothing of it is kept', () => {
  const router = new Router();
  const events = ['ann', 'bob'].map((id) => told(user(id, ['red']), user(id, ['red'])));
  const nobody = router.candidates(told(undefined, user('zoe')));
  const same = (): boolean => events.every((event) => router.candidates(event) === nobody);
  assert.ok(same());
  for (const want of [ids('ann', 'bob'), teams('red', 'blue'), filter({ id: 'ann' })]) {
    const both = [0, 1].map(() => {
      const subscriber = new Subscriber(OUTLET, 'live');
      subscriber.interests.set('s', interest(want));
      router.add(subscriber);
      return subscriber;
    });
    assert.ok(!same());
    for (const subscriber of both) {
      assert.ok(!same());
      router.remove(subscriber);
    }
    // One set for nobody, and not an empty one for each id.
    assert.ok(same());
  }
});

/** Ids that count how often they are walked over. */
class CountedIds extends Set<string> {
  walks = 0;

  override [Symbol.iterator](): SetIterator<string> {
    this.walks++;
    return super[Symbol.iterator]();
  }
}

const someIds = (prefix: string, count = 1_000): CountedIds => new CountedIds(Array.from({ length: count }, (_, n) => `${prefix}${n}`));

test('HB10 a change of one subscription walks over no ids of the others, nor do a fall and a return', async () => {
  const roster = await openRoster();
  const held = someIds('held');
  const { subscriber } = subscribe(roster, 'held', { kind: 'ids', ids: held });
  const { hub } = roster;
  const walked = held.walks;
  const first = someIds('first');
  hub.change(subscriber, (interests) => interests.set('s', interest({ kind: 'ids', ids: first })));
  hub.change(subscriber, (interests) => interests.set('s', interest({ kind: 'ids', ids: someIds('second') })));
  assert.equal(first.walks, 2, 'it came and went');
  hub.change(subscriber, (interests) => interests.delete('s'));
  hub.rewind(subscriber, hub.flushedSeq);
  assert.equal(subscriber.state.kind, 'behind');
  hub.change(subscriber, (interests) => interests.set('s', interest({ kind: 'teams', teams: new Set(['red']) })));
  const stateOf = (): string => subscriber.state.kind;
  while (stateOf() !== 'live') await new Promise((resolve) => setImmediate(resolve));
  assert.equal(held.walks, walked);
  hub.leave(subscriber);
  assert.equal(held.walks, walked + 1);
  await roster.close();
});

test('HB5 one that is behind is sent nothing from memory, although the indexes have it', async () => {
  const roster = await openRoster();
  const { subscriber, outlet } = subscribe(roster, 's', { kind: 'ids', ids: new Set(['ann']) });
  outlet.isReading = false;
  outlet.queuedBytes = 1;
  roster.hub.rewind(subscriber, roster.hub.flushedSeq);
  await upsert(roster, ['ann']);
  roster.hub.flush();
  assert.deepEqual([subscriber.state.kind, outlet.events], ['behind', []]);
  outlet.read();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(
    outlet.events.map(({ user }) => user.id),
    ['ann'],
  );
  roster.hub.leave(subscriber);
  await roster.close();
});

test('HB1 the indexes propose everyone who is concerned and nobody else, whatever changes, falls behind, returns and leaves', () => {
  const random = seeded(11);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const names = ['a', 'b', 'c', 'd'];
  const some = (): Set<string> => new Set(names.filter(() => random() < 0.4));
  const anyone = new SharedFilter(parseFilter({ id: { $in: names } }), 100);
  const wants: (() => Want)[] = [
    () => ({ kind: 'all' }),
    () => ({ kind: 'ids', ids: some() }),
    () => ({ kind: 'teams', teams: some() }),
    () => ({ kind: 'filter', filter: anyone }),
  ];
  const router = new Router();
  const all = Array.from({ length: 6 }, () => new Subscriber(OUTLET, 'live'));
  for (const one of all) router.add(one);
  for (let step = 0; step < 3_000; step++) {
    const one = pick(all);
    const chance = random();
    if (chance < 0.6) {
      const key = pick(['s0', 's1', 's2']);
      const reach = pick(['server', 'others'] as const);
      router.change(one, (interests) => {
        if (random() < 0.4) interests.delete(key);
        else interests.set(key, new Interest({ name: key, want: pick(wants)(), since: 0, reach }));
      });
    } else if (chance < 0.75 && one.state.kind !== 'behind') {
      router.rest(one);
      one.state = { kind: 'behind', position: 0, onCaughtUp: undefined };
    } else if (one.state.kind === 'behind') {
      one.state = { kind: 'live' };
      router.wake(one);
    }
    const after = user(pick(names), [...some()]);
    const event = told(undefined, after);
    const inCohorts = new Set([...router.cohorts].flatMap(({ members }) => [...members]));
    const proposed = new Set([...router.candidates(event), ...inCohorts]);
    for (const subscriber of all) {
      if (subscriber.state.kind === 'behind') assert.ok(!inCohorts.has(subscriber), `step ${step}`);
      else if (decoration(subscriber.interests.values(), event) !== undefined) assert.ok(proposed.has(subscriber), `step ${step}`);
      if (subscriber.interests.size === 0) assert.ok(!proposed.has(subscriber), `step ${step}`);
    }
  }
  for (const one of all) router.change(one, (interests) => interests.clear());
  for (const id of names) {
    const event = {
      ...{
        seq: 9,
        type: 'user.updated',
        audience: 'all',
        id,
        after: user(id, names),
        before: undefined,
        knowsBefore: true,
        online: false,
      },
    } as const;
    assert.deepEqual([...router.candidates(event)], []);
  }
  assert.deepEqual([...router.cohorts], []);
});

test('HB11 those with a filter are known, whatever they ask for besides, until they have none or leave', () => {
  const router = new Router();
  const of = (...wants: Want[]): Subscriber => {
    const subscriber = new Subscriber(OUTLET, 'live');
    for (const [index, want] of wants.entries()) subscriber.interests.set(`s${index}`, interest(want, { name: `s${index}` }));
    router.add(subscriber);
    return subscriber;
  };
  const [plain, filtered, both] = [of(ids('ann')), of(filter({ id: 'zoe' })), of(ids('ann'), filter({ id: 'zoe' }))];
  const judged = (): boolean[] => [plain, filtered, both].map((one) => router.isJudged(one));
  assert.deepEqual(
    [judged(), [...router.judged]],
    [
      [false, true, true],
      [filtered, both],
    ],
  );
  router.change(both, (interests) => interests.delete('s1'));
  router.change(plain, (interests) => interests.set('s1', interest(filter({ id: 'zoe' }), { name: 's1' })));
  assert.deepEqual(judged(), [true, true, false]);
  router.remove(filtered);
  router.remove(plain);
  assert.deepEqual([judged(), router.judged.size], [[false, false, false], 0]);
});
