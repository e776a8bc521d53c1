/** The local copy of the client: CL35–CL38. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserCopy } from '../../../../protocol/client/copy/user-copy.ts';
import type { LiveUser, UserEvent } from '../../../../protocol/client/types.ts';

function user(id: string, rev: number, more: Partial<LiveUser> = {}): LiveUser {
  const fixed = { role: 'user', teams: [], custom: {}, created_at: '', updated_at: '', online: false, banned: false, invisible: false };
  return { id, rev, ...fixed, ...more };
}

interface Told {
  readonly type?: string;
  readonly match?: 'enter' | 'stay' | 'leave';
}

function copyWith(...specs: readonly Record<string, unknown>[]): {
  copy: UserCopy;
  changed: string[];
  tell: (seq: number, id: string, sub: string[], told?: Told) => void;
} {
  const changed: string[] = [];
  const copy = new UserCopy((ids) => changed.push(...ids));
  for (const spec of specs) copy.begin(spec as { sub: string });
  const tell = (seq: number, id: string, sub: string[], told: Told = {}): void => {
    const event: UserEvent = { type: 'user.updated', seq, created_at: '', user: user(id, seq), sub, ...told };
    const names = copy.concerned(event);
    if (names.length > 0) copy.apply(event, names);
  };
  return { copy, changed, tell };
}

const idsOf = (copy: UserCopy): string[] => [...copy.users.values()].map(({ id, rev }) => `${id}:${rev}`).sort();

test('CL35 events that overtake a snapshot win over it, deletes too, and no record is replaced by an older one', () => {
  const { copy, tell } = copyWith({ sub: 'all', all: true });
  tell(12, 'ann', ['all']);
  tell(13, 'bob', ['all'], { type: 'user.deleted' });
  copy.page('all', 10, [user('ann', 5), user('bob', 6), user('carl', 7)]);
  tell(14, 'dora', ['all'], { type: 'user.deleted' });
  copy.page('all', 10, [user('dora', 8), user('eve', 9)]);
  assert.deepEqual(copy.end('all').gone, []);
  assert.deepEqual(idsOf(copy), ['ann:12', 'carl:7', 'eve:9']);
  tell(15, 'bob', ['all']);
  assert.deepEqual(idsOf(copy), ['ann:12', 'bob:15', 'carl:7', 'eve:9']);
});

test('CL35 a new snapshot takes out who is gone; events from before its position do not count', () => {
  const { copy, tell, changed } = copyWith({ sub: 'some', ids: ['ann', 'bob'] });
  copy.page('some', 10, [user('ann', 5), user('bob', 6)]);
  copy.end('some');
  copy.begin({ sub: 'some', ids: ['ann', 'carl'] });
  tell(11, 'bob', ['some']);
  copy.page('some', 12, [user('ann', 5), user('carl', 7)]);
  assert.deepEqual(copy.end('some'), { users: [user('ann', 5), user('carl', 7)], gone: ['bob'], isUnsure: false });
  assert.deepEqual(idsOf(copy), ['ann:5', 'carl:7']);
  assert.deepEqual(changed, ['ann', 'bob', 'bob', 'carl', 'bob']);
  tell(12, 'ann', ['some']);
  assert.deepEqual(idsOf(copy), ['ann:5', 'carl:7'], 'an event that the snapshot had in it');
  copy.remove('some');
  assert.deepEqual(idsOf(copy), []);
});

test('CL36 over several filters, a user stays exactly as long as one of them holds it', () => {
  const { copy, tell } = copyWith({ sub: 'a', filter: { x: 1 } }, { sub: 'b', filter: { y: 1 } });
  for (const sub of ['a', 'b']) {
    copy.page(sub, 10, [user('ann', 5)]);
    copy.end(sub);
  }
  // It left a and stays in b, or the other way round.
  tell(11, 'ann', ['a', 'b'], { match: 'stay' });
  assert.deepEqual(idsOf(copy), ['ann:11']);
  tell(12, 'ann', ['b'], { match: 'leave' });
  assert.deepEqual(idsOf(copy), [], 'a was not named, so it did not hold the user');
  tell(13, 'ann', ['a'], { match: 'enter' });
  tell(14, 'ann', ['a', 'b'], { match: 'leave' });
  assert.deepEqual(idsOf(copy), []);
});

test('CL36 where only perhaps some filter holds a user, it is asked again', () => {
  const { copy, tell } = copyWith({ sub: 'a', filter: { x: 1 } }, { sub: 'b', filter: { online: true } });
  for (const sub of ['a', 'b']) {
    copy.page(sub, 10, [user('ann', 5)]);
    copy.end(sub);
  }
  tell(11, 'ann', ['a', 'b'], { match: 'stay' });
  assert.equal(copy.doubtful.length, 2);
  copy.presence({ type: 'user.presence.changed', seq: 11, created_at: '', user: user('ann', 11), sub: ['b'], match: 'leave' });
  assert.deepEqual(
    copy.doubtful.map(({ sub }) => sub),
    ['a'],
  );
  copy.begin({ sub: 'a', filter: { x: 1 } });
  copy.page('a', 12, []);
  assert.deepEqual(copy.end('a').gone, ['ann']);
  assert.deepEqual([copy.doubtful, idsOf(copy)], [[], []]);
});

test('CL36 a user that comes online while two filters are read stays, though nobody knows yet which of them holds it', () => {
  const { copy } = copyWith({ sub: 'a', filter: { x: 1 }, presence: true }, { sub: 'b', filter: { online: true } });
  const came = { type: 'user.presence.changed', seq: 10, created_at: '', user: user('ann', 5, { online: true }) } as const;
  copy.page('a', 10, [user('ann', 5)]);
  copy.end('a');
  // It stays in a and enters b. The page of b, which is from before that, comes later.
  copy.presence({ ...came, sub: ['a', 'b'], match: 'stay' });
  copy.page('b', 10, []);
  assert.deepEqual(copy.end('b'), { users: [user('ann', 5, { online: true })], gone: [], isUnsure: false });
  copy.remove('a');
  assert.deepEqual(
    [idsOf(copy), copy.doubtful.map(({ sub }) => sub)],
    [['ann:5'], ['b']],
    'b alone may hold it now: its next snapshot tells',
  );
});

test('CL37 presence sets who is online without touching the record, and a state begins the list anew', () => {
  const { copy, changed } = copyWith({ sub: 'all', all: true, presence: true });
  copy.page('all', 10, [user('ann', 5), user('bob', 6, { online: true }), user('carl', 7, { online: true })]);
  copy.end('all');
  changed.length = 0;
  copy.presence({ type: 'user.presence.changed', seq: 10, created_at: '', user: user('ann', 5, { online: true }), sub: ['all'] });
  copy.presenceState(['all'], ['carl'], true);
  copy.presenceState(['all'], ['bob', 'nobody'], false);
  assert.deepEqual(
    [...copy.users.values()]
      .filter(({ online }) => online)
      .map(({ id }) => id)
      .sort(),
    ['bob', 'carl'],
  );
  assert.deepEqual(changed, ['ann', 'ann', 'bob', 'bob']);
});

test('CL38 in another history lower revisions are newer', () => {
  const { copy, tell } = copyWith({ sub: 'all', all: true });
  copy.page('all', 100, [user('ann', 90), user('bob', 91)]);
  copy.end('all');
  copy.forgetHistory();
  copy.begin({ sub: 'all', all: true });
  tell(3, 'ann', ['all']);
  copy.page('all', 2, [user('ann', 1)]);
  assert.deepEqual(copy.end('all').gone, ['bob']);
  assert.deepEqual(idsOf(copy), ['ann:3']);
});

test('CL38 what a late subscription missed is told to it and not again to the others', () => {
  const { copy } = copyWith({ sub: 'all', all: true }, { sub: 'late', ids: ['ann'], snapshot: false });
  copy.page('all', 10, [user('ann', 5)]);
  copy.end('all');
  copy.follow('late', 10);
  copy.holdBack(20, 'late');
  const concerned = (seq: number) =>
    copy.concerned({ type: 'user.updated', seq, created_at: '', user: user('ann', seq), sub: ['all', 'late'] });
  assert.deepEqual(concerned(15), ['late']);
  assert.deepEqual(concerned(21), ['all', 'late']);
});

test('CL36 an event that also names a filter that was ended meanwhile says nothing certain about the others', () => {
  const { copy, tell } = copyWith({ sub: 'a', filter: { x: 1 } }, { sub: 'b', filter: { y: 1 } });
  for (const sub of ['a', 'b']) {
    copy.page(sub, 10, [user('ann', 5)]);
    copy.end(sub);
  }
  copy.remove('b');
  tell(11, 'ann', ['a', 'b'], { match: 'stay' });
  assert.deepEqual(
    copy.doubtful.map(({ sub }) => sub),
    ['a'],
  );
  copy.begin({ sub: 'a', filter: { x: 1 } });
  copy.page('a', 12, []);
  assert.deepEqual(copy.end('a').gone, ['ann']);
});
