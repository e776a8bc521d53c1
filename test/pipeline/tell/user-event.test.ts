/** The events of an entry: their order (DE5), their receivers, their size, and the forms in which they are sent (HB2, PV7). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachText } from '../../../daemon/pipeline/tell/frame.ts';
import { HIDDEN } from '../../../daemon/pipeline/tell/told.ts';
import { batchFromLog, batchOf, isAboutUser } from '../../../daemon/pipeline/tell/user-event.ts';
import { toNanos, toRfc3339 } from '../../../protocol/base/time.ts';
import type { DocFact } from '../../../protocol/log/documents.ts';
import type { CustomFact, DeletedFact, Entry, Fact, UserFact } from '../../../protocol/log/entry.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { AT, benchOf, importTask, lookupsOf } from '../../support/document-kit.ts';
import { RulesBench } from '../../support/rules-bench.ts';

test('DE5 events of one entry stand in the order of their facts', () => {
  const bench = benchOf('ann', 'bob');
  const [first] = bench.entries;
  const user = first?.facts[0];
  assert.ok(user?.t === 'user');
  const step: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: importTask(), event: { type: 'import.updated' } };
  const silent: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: null };
  const batch = batchFromLog({ id: 'e', time: AT, first: 7, facts: [step, user, silent, step, user] }, lookupsOf(bench));
  assert.deepEqual(
    batch.events.map(({ seq, type, id }) => [seq, type, id]),
    [
      [7, 'import.updated', 'i1'],
      [8, 'user.updated', 'ann'],
      [10, 'import.updated', 'i1'],
      [11, 'user.updated', 'ann'],
    ],
  );
  assert.deepEqual([batch.first, batch.last], [7, 11]);
});

test('PV7 all receivers share the bytes of an event; a user with private fields has one more form, for other clients', () => {
  const bench = benchOf('ann', 'bob');
  bench.upsert([{ id: 'bob', privacy_settings: { typing_indicators: { enabled: false } } }]);
  const [ann, bob] = [bench.user('ann'), bench.user('bob')].map((user) => {
    const [event] = batchFromLog({ id: 'e', time: AT, first: 7, facts: [{ t: 'user', event: 'updated', user }] }, lookupsOf(bench)).events;
    assert.ok(event !== undefined);
    return event;
  });
  for (const form of ['live', 'live-ns', 'v1', 'io live'] as const) {
    assert.equal(ann?.frame(form, '', true), ann?.frame(form, '', false), 'the very same buffer');
    assert.equal(bob?.frame(form, '', true), bob?.frame(form, '', true));
    assert.match(bob?.text(form, '', true) ?? '', /privacy_settings/);
    assert.doesNotMatch(bob?.text(form, '', false) ?? '', /privacy_settings/);
  }
});

const userOf = (id: string, more: Partial<StoredUser> = {}): StoredUser => ({
  ...{ id, rev: 1, role: 'user', teams: [], custom: {}, created_at: AT, updated_at: AT },
  ...more,
});

/** The only event of these facts about one user, as it is sent when they were just applied. */
function eventOf(fact: UserFact | DeletedFact | CustomFact, { online = false, before = fact.user as StoredUser | undefined } = {}) {
  const lookups = { ...lookupsOf(new RulesBench()), online: () => online };
  const { events } = batchOf({ id: 'e', time: AT, first: 7, facts: [fact] }, [{ seq: 7, fact, before, after: fact.user }], lookups);
  const [event] = events;
  assert.ok(event !== undefined && isAboutUser(event) && events.length === 1);
  return event;
}

test('HB1 an entry that was just applied has an event for each change that has one, with both states of the user', () => {
  const [before, after] = [userOf('ann', { name: '1' }), userOf('ann', { name: '2' })];
  const silent: UserFact = { t: 'user', event: 'silent', user: after };
  const updated: UserFact = { t: 'user', event: 'updated', user: after };
  const app: Fact = { t: 'app', app: { enforce_unique_usernames: 'no' } };
  const step: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: importTask(), event: { type: 'import.updated' } };
  const entry: Entry = { id: 'e', time: AT, first: 7, facts: [silent, step, app, updated] };
  const changes = [
    { seq: 7, fact: silent, before, after },
    { seq: 10, fact: updated, before, after },
  ];
  const lookups = { ...lookupsOf(new RulesBench()), online: (id: string) => id === 'ann' };
  const batch = batchOf(entry, changes, lookups);
  assert.deepEqual([batch.first, batch.last, batch.events.map(({ seq }) => seq)], [7, 10, [8, 10]]);
  const event = batch.events[1];
  assert.ok(event !== undefined && isAboutUser(event));
  assert.deepEqual([event.before, event.after, event.knowsBefore, event.online], [before, after, true, true]);
  // From the log, the same events come without the state before.
  const [, again] = batchFromLog(entry, lookups).events;
  assert.ok(again !== undefined && isAboutUser(again));
  assert.deepEqual([again.seq, again.before, again.after, again.knowsBefore, again.online], [10, undefined, after, false, true]);
});

test('HB5 the memory that a batch takes grows with its events and their data, also those about documents', () => {
  const lookups = lookupsOf(new RulesBench());
  const bytesOf = (facts: readonly Fact[]): number => {
    const changes = facts.flatMap((fact, index) =>
      fact.t === 'user' ? [{ seq: index + 1, fact, before: undefined, after: fact.user }] : [],
    );
    return batchOf({ id: 'e', time: AT, first: 1, facts }, changes, lookups).bytes;
  };
  const user = (name: string): Fact => ({ t: 'user', event: 'updated', user: userOf('ann', { name }) });
  const step: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: importTask(), event: { type: 'import.updated' } };
  const empty = bytesOf([]);
  assert.ok(empty > 0);
  const one = bytesOf([user('')]) - empty;
  assert.ok(one > 700, `${one}`);
  assert.equal(bytesOf([user(''), user('')]) - empty, 2 * one);
  assert.equal(bytesOf([user('x'.repeat(100))]) - empty, one + 600);
  const doc = bytesOf([step]) - empty;
  assert.equal(doc, 700 + 2 * JSON.stringify(step).length);
  assert.equal(bytesOf([user(''), step, step]) - empty, one + 2 * doc);
});

test('LV20 only states that everyone hears of may be replaced by a later one, and only a creation or a return is an arrival', () => {
  const user = userOf('ann');
  const told = (['created', 'updated', 'restored', 'deactivated', 'reactivated', 'banned', 'unbanned', 'muted', 'flagged'] as const).map(
    (event) => {
      const { isState, arrival } = eventOf({ t: 'user', event, user });
      return [event, isState, arrival];
    },
  );
  assert.deepEqual(told, [
    ['created', true, 'created'],
    ['updated', true, undefined],
    ['restored', true, 'restored'],
    ['deactivated', true, undefined],
    ['reactivated', true, undefined],
    ['banned', false, undefined],
    ['unbanned', false, undefined],
    ['muted', false, undefined],
    ['flagged', false, undefined],
  ]);
  const deleted = eventOf({ t: 'deleted', mode: 'soft', user: { ...user, deleted_at: AT } } as DeletedFact);
  assert.deepEqual([deleted.isState, deleted.arrival, deleted.type], [true, undefined, 'user.deleted']);
  const custom = eventOf({ t: 'custom', type: 'user.updated', custom: {}, user } as CustomFact);
  assert.deepEqual([custom.isState, custom.arrival, custom.audience], [false, undefined, 'self']);
});

test('LV44 an event of a user that went out of sight has its type, place, time and id, and nothing else', () => {
  const event = eventOf({ t: 'user', event: 'updated', user: userOf('ann', { name: 'Ann' }) });
  const expected = { type: 'user.hidden', seq: 7, user: { id: 'ann' } };
  for (const [form, created_at] of [
    ['live', toRfc3339(AT)],
    ['live-ns', toNanos(AT)],
    ['v1', toRfc3339(AT)],
  ] as const) {
    assert.deepEqual(JSON.parse(event.text(form, HIDDEN, true)), { ...expected, created_at });
  }
  assert.deepEqual(JSON.parse(event.text('io live-ns', HIDDEN, true).slice(2)), ['event', { ...expected, created_at: toNanos(AT) }]);
});

test('LV56 an event shows a user as online only while others may see it', () => {
  const shown = (more: Partial<StoredUser>, online = true): unknown =>
    JSON.parse(eventOf({ t: 'user', event: 'updated', user: userOf('ann', more) }, { online }).text('live', '', true)).user.online;
  assert.deepEqual([shown({}), shown({}, false)], [true, false]);
  for (const more of [{ invisible: true }, { deactivated_at: AT }, { deleted_at: AT }]) assert.notEqual(shown(more), true);
});

test('HB2 each form, decoration and reader has one frame, which is made again after a release', () => {
  const event = eventOf({
    t: 'user',
    event: 'updated',
    user: userOf('ann', { privacy_settings: { typing_indicators: { enabled: false } } }),
  });
  const ways = [
    ['live', '', true],
    ['live', ',"sub":["a"]', true],
    ['live', '', false],
    ['v1', '', true],
  ] as const;
  const first = ways.map(([form, decoration, isPrivy]) => event.frame(form, decoration, isPrivy));
  const again = ways.map(([form, decoration, isPrivy]) => event.frame(form, decoration, isPrivy));
  for (const [index, [form, decoration, isPrivy]] of ways.entries()) {
    assert.equal(again[index], first[index]);
    assert.deepEqual([...eachText(first[index] ?? Buffer.alloc(0))], [event.text(form, decoration, isPrivy)]);
  }
  assert.equal(new Set(first.map(String)).size, ways.length);
  // More than that would be memory without a bound.
  assert.notEqual(event.frame('live-ns', '', true), event.frame('live-ns', '', true));
  event.release();
  assert.notEqual(event.frame('live', '', true), first[0]);
  assert.deepEqual(event.frame('live', '', true), first[0]);
});

test('HB2 the JSON of an event is made once for each dialect and reader, and again only after a release', () => {
  let made = 0;
  const custom = { note: { toJSON: () => ++made } } as unknown as StoredUser['custom'];
  const event = eventOf({ t: 'user', event: 'updated', user: userOf('ann', { custom }) });
  for (const decoration of ['', ',"sub":["a"]', ',"sub":["b"]']) {
    event.text('live', decoration, true);
    event.frame('io live', decoration, false);
  }
  assert.equal(made, 1);
  event.text('v1', '', true);
  event.text('live', '', true);
  assert.equal(made, 2);
  event.release();
  event.text('live', '', true);
  assert.equal(made, 3);
});
