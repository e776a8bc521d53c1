/** Guests (GU1–GU4) and events of the application's own (CE1–CE3), on the pure core and on what reads requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { eventType } from '../../../protocol/live/user-events.ts';
import { decodeCustomEvent, decodeGuest } from '../../../protocol/users/guests.ts';
import { refusal, refusedFields } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const PREFIX = 'guest-01234567-89ab-cdef-0123-456789abcdef';

function guest(bench: RulesBench, body: unknown, actor: 'server' | 'user' = 'server', prefix = PREFIX) {
  const { users } = bench.run(decodeGuest('v2', body, actor, prefix));
  const [first] = users;
  assert.ok(first);
  assert.equal(first.change, 'created');
  return first.user;
}

test('GU1 a guest of a server has the id it names, as long as that is free, and never takes somebody over', () => {
  const bench = new RulesBench();
  assert.equal(guest(bench, { user: { id: 'tommaso' } }).id, 'tommaso');
  bench.upsert([{ id: 'ann', name: 'Ann', role: 'admin' }]);
  const ann = bench.user('ann');
  const other = guest(bench, { user: { id: 'ann', name: 'Not Ann' } });
  assert.equal(other.id, `${PREFIX}-ann`);
  assert.equal(bench.user('ann'), ann);
  for (const mode of ['soft', 'hard'] as const) {
    bench.upsert([{ id: mode }]);
    bench.delete(mode, mode);
    assert.equal(guest(bench, { user: { id: mode } }).id, `${PREFIX}-${mode}`, 'the id of a deleted user is burned');
  }
});

test('GU1 a client and an anonymous caller always get an id with a random part, also where the one asked for is free', () => {
  const bench = new RulesBench();
  assert.equal(guest(bench, { user: { id: 'bob' } }, 'user').id, `${PREFIX}-bob`);
  assert.equal(bench.directory.user('bob'), undefined);
});

test('GU1 without an id the guest gets one, and null and the empty text are no id', () => {
  for (const [index, user] of [{}, [], { id: null }, { id: '' }].entries()) {
    const bench = new RulesBench();
    assert.equal(guest(bench, { user }, index % 2 === 0 ? 'server' : 'user').id, PREFIX);
  }
});

test('GU1 an id that does not fit behind the prefix is refused, naming what would fit; one that is taken even so is a conflict', () => {
  const longest = 'x'.repeat(LIMITS.idChars - PREFIX.length - 1);
  assert.equal(guest(new RulesBench(), { user: { id: longest } }, 'user').id.length, LIMITS.idChars);
  const [field] = refusedFields(() => decodeGuest('v2', { user: { id: `${longest}x` } }, 'user', PREFIX));
  assert.equal(field?.path, 'user.id');
  assert.match(field?.message ?? '', new RegExp(`${longest.length} characters`));
  const bench = new RulesBench();
  const full = 'y'.repeat(LIMITS.idChars);
  assert.equal(guest(bench, { user: { id: full } }).id, full);
  const taken = refusal(() => guest(bench, { user: { id: full } }));
  assert.deepEqual([taken.kind, taken.fields[0]?.path], ['conflict', 'user.id']);
  guest(bench, { user: { id: 'a' } });
  guest(bench, { user: { id: 'a' } });
  assert.equal(refusal(() => guest(bench, { user: { id: 'a' } })).kind, 'conflict');
});

test('GU2 the role is guest whatever the request says, and only a server gives teams', () => {
  const bench = new RulesBench();
  assert.equal(guest(bench, { user: { id: 'a', role: 'admin' } }).role, 'guest');
  assert.equal(guest(bench, { user: { id: 'b', role: 'admin' } }, 'user').role, 'guest');
  assert.deepEqual(guest(bench, { user: { id: 'c', teams: ['red'] } }).teams, ['red']);
  const refused = refusal(() => decodeGuest('v2', { user: { id: 'd', teams: ['red'], teams_role: { red: 'admin' } } }, 'user', PREFIX));
  assert.equal(refused.kind, 'not_allowed');
  assert.deepEqual(
    refused.fields.map(({ path }) => path),
    ['user.teams', 'user.teams_role'],
  );
  assert.equal(guest(bench, { user: { id: 'e', teams: [], teams_role: [] } }, 'user').role, 'guest');
});

test('GU2 guests are refused where the application has none, with the setting that says so', () => {
  const bench = new RulesBench();
  for (const setting of ['guest_user_creation_disabled', 'multi_tenant_enabled'] as const) {
    bench.settings({ [setting]: true });
    const error = refusal(() => guest(bench, { user: { id: 'a' } }));
    assert.equal(error.kind, 'not_allowed');
    assert.ok(error.message.includes(setting), error.message);
    bench.settings({ [setting]: null });
  }
  assert.equal(guest(bench, { user: { id: 'a' } }).id, 'a');
});

test('GU3 a guest counts as active from its creation, and its data and name obey the rules of every user', () => {
  const bench = new RulesBench();
  bench.settings({ enforce_unique_usernames: 'app' });
  const created = guest(bench, { user: { id: 'a', name: 'Ann', custom: { color: 'blue' } } });
  assert.deepEqual([created.last_active, created.created_at, created.custom], [bench.now, bench.now, { color: 'blue' }]);
  assert.deepEqual(bench.directory.usage.get('2026-11'), { users: 1, guests: 1 });
  const taken = refusal(() => guest(bench, { user: { id: 'b', name: 'ann' } }));
  assert.deepEqual([taken.kind, taken.fields[0]?.path], ['duplicate_username', 'user.name']);
  const data = { user: { id: 'c', custom: { text: 'x'.repeat(LIMITS.clientUserBytes) } } };
  assert.match(refusedFields(() => decodeGuest('v2', data, 'user', PREFIX))[0]?.message ?? '', /5120/);
  assert.equal(guest(bench, data).id, 'c');
});

test('GU4 a guest that connects is the user it was, stays a guest, and cannot become anything else', () => {
  const bench = new RulesBench();
  guest(bench, { user: { id: 'a', name: 'Ann' } });
  const { users } = bench.connect('a', { name: 'Ann', role: 'guest' });
  assert.equal(users[0]?.change, 'unchanged');
  assert.equal(refusal(() => bench.connect('a', { role: 'user' })).kind, 'not_allowed');
  assert.deepEqual(bench.directory.usage.get('2026-11'), { users: 1, guests: 1 });
});

test('CE1 an event is stored with its data and the user as it is, and changes nothing', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: 'Ann' }]);
  const ann = bench.user('ann');
  const facts = bench.factsOf(() => bench.run(decodeCustomEvent('ann', { event: { type: 'wave', custom: { to: 'all' } } })));
  assert.deepEqual(facts, [{ t: 'custom', user: ann, type: 'wave', custom: { to: 'all' } }]);
  const [fact] = facts;
  assert.ok(fact?.t === 'custom');
  assert.equal(eventType(fact), 'wave');
  assert.equal(bench.user('ann'), ann);
});

test('CE1 there is no event to a user that is not there', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'gone' }]);
  bench.delete('gone');
  for (const [id, text] of [
    ['nobody', /does not exist/],
    ['gone', /was deleted/],
  ] as const) {
    const error = refusal(() => bench.run(decodeCustomEvent(id, { event: { type: 'wave' } })));
    assert.equal(error.kind, 'not_found');
    assert.match(error.message, text);
  }
});

test('CE2 data lies beside the type or under custom, what the server sets is no data, and null and empty texts are', () => {
  const custom = (event: object) => decodeCustomEvent('ann', { event }).custom;
  assert.deepEqual(custom({ type: 'wave', a: 1, b: '', c: null, created_at: '0001-01-01T00:00:00Z' }), { a: 1, b: '', c: null });
  assert.deepEqual(custom({ type: 'wave', custom: { a: 1, type: 'inner', created_at: 'x' } }), { a: 1, type: 'inner', created_at: 'x' });
  assert.deepEqual(custom({ type: 'wave', a: 1, b: 1, custom: { a: 2 } }), { a: 2, b: 1 });
  for (const none of [null, [], {}]) assert.deepEqual(custom({ type: 'wave', custom: none }), {});
});

test('CE3 types: a dot, nothing, too much and reserved names are refused', () => {
  for (const type of [
    'user.updated',
    'a.b',
    '.',
    '',
    ' ',
    'x'.repeat(LIMITS.eventTypeChars + 1),
    '__proto__',
    'constructor',
    7,
    null,
    undefined,
  ]) {
    const fields = refusedFields(() => decodeCustomEvent('ann', { event: { type } }));
    assert.deepEqual(
      fields.map(({ path }) => path),
      ['event.type'],
      String(type),
    );
  }
  assert.equal(decodeCustomEvent('ann', { event: { type: 'x'.repeat(LIMITS.eventTypeChars) } }).type.length, LIMITS.eventTypeChars);
});

test('CE3 data: reserved names, deep nesting and more than 5,120 bytes are refused, each with its place', () => {
  const deep = JSON.parse('['.repeat(LIMITS.customDepth) + ']'.repeat(LIMITS.customDepth));
  const hostile = JSON.parse('{"type":"wave","__proto__":1,"a":{"constructor":1}}');
  const paths = (event: object) => refusedFields(() => decodeCustomEvent('ann', { event })).map(({ path }) => path);
  assert.deepEqual(paths(hostile), ['event.__proto__', 'event.a.constructor']);
  assert.equal(paths({ type: 'wave', deep }).length, 1);
  const filler = (bytes: number) => ({ type: 'wave', a: 'é'.repeat((bytes - '{"a":""}'.length) / 2) });
  assert.deepEqual(paths(filler(LIMITS.eventBytes + 2)), ['event']);
  assert.equal(decodeCustomEvent('ann', { event: filler(LIMITS.eventBytes) }).type, 'wave');
  for (const event of [undefined, null, 'wave', 7, [7]]) {
    assert.equal(refusedFields(() => decodeCustomEvent('ann', { event }))[0]?.path, 'event', JSON.stringify(event));
  }
  assert.equal(refusedFields(() => decodeCustomEvent('a b', { event: { type: 'wave' } }))[0]?.path, 'user_id');
});
