/** DE5, LV20: a stretch of the past for those who want only the newest state of each user. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conflation } from '../../../daemon/pipeline/tell/conflation.ts';
import type { EventForm } from '../../../daemon/pipeline/tell/event-form.ts';
import { eachText } from '../../../daemon/pipeline/tell/frame.ts';
import { Interest } from '../../../daemon/pipeline/tell/interest.ts';
import { batchFromLog, OutgoingUserEvent } from '../../../daemon/pipeline/tell/user-event.ts';
import type { UserFact } from '../../../protocol/log/entry.ts';
import { roughDataBytes } from '../../../protocol/users/size.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { lookupsOf } from '../../support/document-kit.ts';
import { RulesBench } from '../../support/rules-bench.ts';

/** The frames that a receiver gets. */
function framesOf(conflation: Conflation, receiver: { readonly form: EventForm; isPrivyTo(id: string): boolean }): Buffer[] {
  return [...conflation.frames(receiver)].flatMap((frame) => frame ?? []);
}

test('DE5 who wants only the newest state of each user gets every event about documents, in its place', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: '1' }]);
  bench.run({ kind: 'group-create', id: 'g', name: 'G', memberIds: ['ann'] });
  bench.upsert([{ id: 'ann', name: '2' }]);
  bench.run({ kind: 'group-update', id: 'g', name: 'H' });
  const conflation = new Conflation([new Interest({ name: 'x', want: { kind: 'all' }, since: 0, reach: 'server' })]);
  for (const entry of bench.entries) for (const event of batchFromLog(entry, lookupsOf(bench)).events) conflation.take(event);
  assert.ok(conflation.bytes > 0);
  const told = framesOf(conflation, { form: 'live', isPrivyTo: () => true }).flatMap((frame) =>
    [...eachText(frame)].map((text) => JSON.parse(text)),
  );
  assert.deepEqual(
    told.map(({ seq, type, sub }) => [seq, type, sub]),
    [
      [2, 'user_group.created', ['x']],
      [3, 'user.updated', ['x']],
      [4, 'user_group.updated', ['x']],
    ],
  );
});

/** What is sent of the entries after `since`, as `seq type id note`, where the note is a mark of arrival or a match. */
function conflated(bench: RulesBench, interest = new Interest({ name: '', want: { kind: 'all' }, since: 0, reach: 'server' })): string[] {
  const conflation = new Conflation([interest]);
  for (const entry of bench.entries) for (const event of batchFromLog(entry, lookupsOf(bench)).events) conflation.take(event);
  const frames = framesOf(conflation, { form: 'live', isPrivyTo: () => true });
  return frames
    .flatMap((frame) => [...eachText(frame)].map((text) => JSON.parse(text)))
    .map(({ seq, type, user, created, restored, match }) =>
      [seq, type, user.id, user.name, created && 'created', restored && 'restored', match].filter((part) => part !== undefined).join(' '),
    );
}

test('LV20 of several states of a user the last is sent, at its own position, in the order of the last ones', () => {
  const bench = new RulesBench();
  bench.upsert([
    { id: 'ann', name: '1' },
    { id: 'bob', name: '1' },
  ]);
  for (const name of ['2', '3']) bench.upsert([{ id: 'ann', name }]);
  bench.upsert([{ id: 'carl', name: '1' }]);
  bench.upsert([{ id: 'bob', name: '2' }]);
  assert.deepEqual(conflated(bench), ['4 user.updated ann 3 created', '5 user.updated carl 1 created', '6 user.updated bob 2 created']);
});

test('LV20 a user that is deleted in the end is deleted, whatever it was before; one that is restored says so', () => {
  const bench = new RulesBench();
  bench.upsert([
    { id: 'ann', name: '1' },
    { id: 'bob', name: '1' },
  ]);
  bench.delete('ann');
  bench.delete('bob');
  bench.run({ kind: 'restore', ids: ['bob'] });
  bench.upsert([{ id: 'bob', name: '2' }]);
  assert.deepEqual(conflated(bench), ['3 user.deleted ann 1', '6 user.updated bob 2 restored']);
});

test('LV20 moderation and custom events are sent one by one, and no state is moved past them', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: '1' }, { id: 'mod' }]);
  bench.upsert([{ id: 'ann', name: '2' }]);
  bench.run({ kind: 'ban', actor: { kind: 'server' }, target: 'ann', by: 'mod' });
  bench.upsert([{ id: 'ann', name: '3' }]);
  bench.upsert([{ id: 'ann', name: '4' }]);
  assert.deepEqual(conflated(bench), [
    '2 user.updated mod created',
    '3 user.updated ann 2 created',
    '4 user.banned ann 2',
    '6 user.updated ann 4',
  ]);
});

test('LV20 events before the position of a subscription are not merged into those after it', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: '1' }]);
  for (const name of ['2', '3', '4']) bench.upsert([{ id: 'ann', name }]);
  assert.deepEqual(conflated(bench, new Interest({ name: '', want: { kind: 'all' }, since: 2, reach: 'server' })), [
    '4 user.updated ann 4',
  ]);
});

test('LV20 a stretch costs what it keeps: a newer state takes the place of an older one, everything else is added', () => {
  const bench = new RulesBench();
  const conflation = new Conflation([new Interest({ name: '', want: { kind: 'all' }, since: 0, reach: 'server' })]);
  let taken = 0;
  /** The bytes that the stretch takes after these events. */
  const after = (act: () => unknown): number => {
    act();
    for (const entry of bench.entries.slice(taken))
      for (const event of batchFromLog(entry, lookupsOf(bench)).events) conflation.take(event);
    taken = bench.entries.length;
    return conflation.bytes;
  };
  assert.equal(conflation.bytes, 0);
  const named = (id: string, name: string) => () => bench.upsert([{ id, name }]);
  const user = after(named('ann', 'x'));
  assert.ok(user > roughDataBytes(bench.user('ann')), 'a frame is more than its user');
  assert.equal(after(named('bob', 'x')), 2 * user);
  assert.equal(after(named('ann', 'y')), 2 * user);
  assert.equal(after(named('ann', 'xx')), 2 * user + 6, 'a character takes up to six bytes');
  assert.equal(after(named('ann', 'x')), 2 * user);
  const doc = after(() => bench.run({ kind: 'group-create', id: 'g', name: 'G', memberIds: ['ann'] })) - 2 * user;
  assert.ok(doc > 700);
  assert.equal(
    after(() => bench.run({ kind: 'ban', actor: { kind: 'server' }, target: 'ann', by: 'bob' })),
    3 * user + doc,
  );
  assert.equal(after(named('ann', 'z')), 4 * user + doc, 'nothing is moved past a ban');
});

test('LV20 merged states enter and leave as one change, and hide a user that was in sight before all of them', () => {
  const user = (teams: string[], more: Partial<StoredUser> = {}): StoredUser => ({
    ...{ id: 'ann', rev: 1, role: 'user', teams, custom: {}, created_at: 1, updated_at: 1 },
    ...more,
  });
  /** What is told of a user that went from the first state to the last, step by step. */
  const told = (interest: Interest, ...states: readonly StoredUser[]): unknown => {
    const conflation = new Conflation([interest]);
    for (const [index, after] of states.slice(1).entries()) {
      const fact: UserFact = { t: 'user', event: 'updated', user: after };
      conflation.take(new OutgoingUserEvent({ seq: index + 1, fact, before: states[index], after }, 'user.updated', 1, false, true));
    }
    const [text] = framesOf(conflation, { form: 'live', isPrivyTo: () => true }).flatMap((frame) => [...eachText(frame)]);
    if (text === undefined) return undefined;
    const { seq, type, match } = JSON.parse(text);
    return [seq, type, ...(match === undefined ? [] : [match])];
  };
  const red = (): Interest => new Interest({ name: 's', want: { kind: 'teams', teams: new Set(['red']) }, since: 0, reach: 'server' });
  assert.deepEqual(told(red(), user([]), user(['blue']), user(['red'])), [2, 'user.updated', 'enter']);
  assert.deepEqual(told(red(), user(['red']), user([]), user(['red'])), [2, 'user.updated', 'stay']);
  assert.deepEqual(told(red(), user(['red']), user(['red', 'blue']), user([])), [2, 'user.updated', 'leave']);
  assert.equal(told(red(), user([]), user(['red']), user([])), undefined);
  const inRed = ({ teams }: StoredUser): boolean => teams.includes('red');
  const walls = (): Interest => new Interest({ name: 's', want: { kind: 'all' }, since: 0, reach: 'others', sight: inRed });
  assert.deepEqual(told(walls(), user(['red']), user(['red', 'blue']), user([])), [2, 'user.hidden']);
  assert.equal(told(walls(), user([]), user(['blue']), user([])), undefined);
});

test('LV20 a private field goes only to those that may see it, also when states are merged', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: '1', privacy_settings: { typing_indicators: { enabled: false } } }]);
  bench.upsert([{ id: 'ann', name: '2' }]);
  const conflation = new Conflation([new Interest({ name: '', want: { kind: 'all' }, since: 0, reach: 'server' })]);
  for (const entry of bench.entries) for (const event of batchFromLog(entry, lookupsOf(bench)).events) conflation.take(event);
  const told = (form: 'live' | 'io live', isPrivy: boolean): string =>
    framesOf(conflation, { form, isPrivyTo: (id) => isPrivy && id === 'ann' })
      .map(String)
      .join();
  assert.match(told('live', true), /privacy_settings/);
  assert.doesNotMatch(told('live', false), /privacy_settings/);
  assert.match(told('io live', true), /42\["event",/);
});

test('LV20 a user that was only created or restored says so once, whatever was merged into it', () => {
  const arrivals = (...steps: readonly ((bench: RulesBench) => unknown)[]): string[] => {
    const bench = new RulesBench();
    for (const step of steps) step(bench);
    const conflation = new Conflation([new Interest({ name: '', want: { kind: 'all' }, since: 0, reach: 'server' })]);
    for (const entry of bench.entries) for (const event of batchFromLog(entry, lookupsOf(bench)).events) conflation.take(event);
    const [text = ''] = framesOf(conflation, { form: 'live', isPrivyTo: () => true }).flatMap((frame) => [...eachText(frame)]);
    return text.match(/"(created|restored)":true/g) ?? [];
  };
  const named = (name: string) => (bench: RulesBench) => bench.upsert([{ id: 'ann', name }]);
  const restored = (bench: RulesBench): unknown => bench.run({ kind: 'restore', ids: ['ann'] });
  const deleted = (bench: RulesBench): unknown => bench.delete('ann');
  assert.deepEqual(arrivals(named('1')), ['"created":true']);
  assert.deepEqual(arrivals(named('1'), named('2')), ['"created":true']);
  assert.deepEqual(arrivals(named('1'), deleted, restored), ['"restored":true']);
  assert.deepEqual(arrivals(named('1'), deleted, restored, named('2')), ['"restored":true']);
  assert.deepEqual(arrivals(named('1'), deleted), []);
});

test('LV20 with several subscriptions, nothing is merged into what one of them is not to get', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: '1' }]);
  for (const name of ['2', '3', '4', '5']) bench.upsert([{ id: 'ann', name }]);
  for (const sinces of [
    [0, 3],
    [3, 0],
    [1, 3, 2],
  ]) {
    const conflation = new Conflation(
      sinces.map((since, n) => new Interest({ name: `s${n}`, want: { kind: 'all' }, since, reach: 'server' })),
    );
    for (const entry of bench.entries) for (const event of batchFromLog(entry, lookupsOf(bench)).events) conflation.take(event);
    const seqs = framesOf(conflation, { form: 'live', isPrivyTo: () => true }).flatMap((frame) =>
      [...eachText(frame)].map((text) => JSON.parse(text).seq),
    );
    const first = Math.min(...sinces) + 1;
    assert.deepEqual(seqs, [...[1, 2, 3].slice(first - 1), 5], `since ${sinces}`);
  }
  assert.equal(new Conflation([]).bytes, 0);
});
