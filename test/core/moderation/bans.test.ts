/** Bans on the pure core: MD1–MD5, and what servers and others are shown of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { audienceOf } from '../../../protocol/live/user-events.ts';
import type { Fact } from '../../../protocol/log/entry.ts';
import type { BanCommand, UnbanCommand } from '../../../protocol/moderation/bans.ts';
import { parseFilter } from '../../../protocol/users/finding/filter.ts';
import { compileFilter } from '../../../protocol/users/finding/filter-match.ts';
import { parseQuery, refuseHiddenFields } from '../../../protocol/users/finding/query.ts';
import { renderLive, renderV1, renderV2 } from '../../../protocol/users/render.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { refusal, refusedFields } from '../../support/http/refusal.ts';
import { micros, RulesBench } from '../../support/rules-bench.ts';

const SERVER = { kind: 'server' } as const;

class BanBench extends RulesBench {
  constructor() {
    super();
    this.upsert([{ id: 'ann' }, { id: 'bob' }, { id: 'mod', role: 'moderator' }, { id: 'max', role: 'moderator' }]);
  }

  ban(command: Partial<BanCommand> = {}) {
    return this.run({ kind: 'ban', actor: SERVER, target: 'ann', ...command });
  }

  unban(command: Partial<UnbanCommand> = {}) {
    return this.run({ kind: 'unban', actor: SERVER, target: 'ann', ...command });
  }
}

function asServer(user: StoredUser) {
  return renderV2(user, { online: false, reader: 'server' });
}

function asOthers(user: StoredUser) {
  return renderV2(user, { online: false, reader: 'other' });
}

/** What is told, to whom, and of which bans. */
function told(facts: readonly Fact[]) {
  return facts.map((fact) => (fact.t === 'user' ? [fact.event, audienceOf(fact), fact.about] : [fact.t]));
}

test('MD1 a ban of the application sets banned and its end; the revision grows, updated_at stays', () => {
  const bench = new BanBench();
  const before = bench.user('ann');
  bench.at('2026-11-21T12:00:00Z');
  const facts = bench.factsOf(() => bench.ban({ by: 'mod', reason: 'spam', minutes: 90, ip: true, deleteMessages: 'pruning' }));
  const expires = micros('2026-11-21T13:30:00Z');
  const about = { by: 'mod', reason: 'spam', expires, ip_ban: true, delete_messages: 'pruning' };
  assert.deepEqual(told(facts), [['banned', 'all', about]]);
  const ann = bench.user('ann');
  assert.deepEqual(ann.bans, [{ by: 'mod', reason: 'spam', created_at: micros('2026-11-21T12:00:00Z'), expires, ip: true }]);
  assert.equal(ann.rev, bench.directory.seq);
  assert.equal(ann.updated_at, before.updated_at);
  for (const shown of [asOthers(ann), asServer(ann)]) {
    assert.deepEqual([shown.banned, shown.shadow_banned, shown.ban_expires], [true, false, expires * 1000]);
  }
  const { banned, ban_expires } = renderV1(ann, { online: false, reader: 'other' });
  assert.deepEqual([banned, ban_expires], [true, '2026-11-21T13:30:00.000000Z']);
  const live = renderLive(ann, { online: false, reader: 'other' });
  assert.deepEqual([live.banned, live.ban_expires], [true, '2026-11-21T13:30:00.000000Z']);
});

test('MD1 a shadow ban sets shadow_banned alone, and only servers are shown it', () => {
  const bench = new BanBench();
  bench.ban({ shadow: true, minutes: 5 });
  const ann = bench.user('ann');
  const server = asServer(ann);
  assert.deepEqual([server.banned, server.shadow_banned, typeof server.ban_expires], [false, true, 'number']);
  const others = asOthers(ann);
  assert.deepEqual([others.banned, others.shadow_banned, 'ban_expires' in others], [false, false, false]);
  const own = renderV1(ann, { online: true, reader: 'self', named: { user: () => ann } });
  assert.deepEqual([own.banned, own.shadow_banned, 'ban_expires' in own], [false, false, false]);
  const live = renderLive(ann, { online: true, reader: 'other' });
  assert.deepEqual([live.banned, 'ban_expires' in live], [false, false]);
});

test('MD1 whoever is banned, and whoever bans, must exist', () => {
  const bench = new BanBench();
  bench.delete('bob');
  for (const [command, field, message] of [
    [{ target: 'ghost' }, 'target_user_id', 'the user ghost does not exist'],
    [{ target: 'bob' }, 'target_user_id', 'the user bob was deleted'],
    [{ by: 'ghost' }, 'banned_by_id', 'the user ghost does not exist'],
  ] as const) {
    const error = refusal(() => bench.ban(command));
    assert.deepEqual([error.kind, error.message, error.fields[0]?.path], ['not_found', message, field]);
  }
  const error = refusal(() => bench.unban({ target: 'ghost' }));
  assert.deepEqual([error.kind, error.message], ['not_found', 'the user ghost does not exist']);
  assert.equal(bench.user('ann').bans, undefined);
});

test('MD2 the last ban of a scope counts: the application, each channel, the future channels of each moderator', () => {
  const bench = new BanBench();
  bench.ban({ reason: 'first', minutes: 5 });
  bench.ban({ reason: 'second' });
  bench.ban({ cid: 'messaging:a', reason: 'a', by: 'mod', future: true });
  bench.ban({ cid: 'messaging:b', reason: 'b', by: 'max', future: true });
  bench.ban({ cid: 'messaging:a', reason: 'again', by: 'mod', future: true });
  const scopes = (bench.user('ann').bans ?? []).map(({ cid, by, reason, future }) => [cid ?? '', by ?? '', reason ?? '', future ?? false]);
  assert.deepEqual(scopes.sort(), [
    ['', '', 'second', false],
    ['', 'max', 'b', true],
    ['', 'mod', 'again', true],
    ['messaging:a', 'mod', 'again', false],
    ['messaging:b', 'max', 'b', false],
  ]);
  assert.equal(asOthers(bench.user('ann')).ban_expires, undefined);
});

test('MD2 a channel ban is kept and told, and is no ban of the user', () => {
  const bench = new BanBench();
  const facts = bench.factsOf(() => bench.ban({ cid: 'messaging:a', by: 'mod', future: true }));
  assert.deepEqual(told(facts), [['banned', 'all', { by: 'mod', cid: 'messaging:a', future_channels: true }]]);
  const ann = bench.user('ann');
  assert.deepEqual([asServer(ann).banned, asServer(ann).shadow_banned], [false, false]);
  assert.equal(ann.bans?.length, 2);
  assert.deepEqual(
    refusedFields(() => bench.ban({ cid: 'messaging:a', future: true })).map(({ path }) => path),
    ['banned_by_id'],
  );
});

test('MD3 unban lifts one scope; lifting what is not there is no error and no fact', () => {
  const bench = new BanBench();
  bench.ban();
  bench.ban({ cid: 'messaging:a' });
  const facts = bench.factsOf(() => bench.unban({ by: 'mod' }));
  assert.deepEqual(told(facts), [['unbanned', 'all', { by: 'mod' }]]);
  assert.equal(bench.user('ann').rev, bench.directory.seq);
  assert.deepEqual(
    bench.user('ann').bans?.map(({ cid }) => cid),
    ['messaging:a'],
  );
  const nothing = bench.factsOf(() => assert.equal(bench.unban().users[0]?.change, 'unchanged'));
  assert.deepEqual(nothing, []);
  assert.deepEqual(
    bench.factsOf(() => bench.unban({ cid: 'messaging:b' })),
    [],
  );
  bench.unban({ cid: 'messaging:a' });
  assert.ok(!('bans' in bench.user('ann')));
});

test('MD3 asked to lift a shadow ban, unban leaves any other; asked for none in particular, it lifts both kinds', () => {
  const bench = new BanBench();
  bench.ban();
  assert.deepEqual(
    bench.factsOf(() => bench.unban({ shadow: true })),
    [],
  );
  bench.ban({ shadow: true });
  bench.unban({ shadow: true });
  assert.equal(bench.user('ann').bans, undefined);
  bench.ban({ shadow: true });
  bench.unban();
  assert.equal(bench.user('ann').bans, undefined);
});

test('MD3 bans from future channels are lifted when that is asked for: those of one moderator, or all', () => {
  const bench = new BanBench();
  const future = () => (bench.user('ann').bans ?? []).filter((ban) => ban.future === true).map(({ by }) => by);
  bench.ban({ cid: 'm:a', by: 'mod', future: true });
  bench.ban({ cid: 'm:b', by: 'max', future: true });
  bench.unban({ cid: 'm:a' });
  assert.deepEqual(future(), ['mod', 'max']);
  const facts = bench.factsOf(() => bench.unban({ cid: 'm:b', future: true, futureOf: 'max' }));
  assert.deepEqual(told(facts), [['unbanned', 'all', { cid: 'm:b', future_channels: true }]]);
  assert.deepEqual(future(), ['mod']);
  bench.unban({ future: true });
  assert.deepEqual(future(), []);
});

test('MD4 shadow bans are told to servers alone; a ban that all saw ends for them before a shadow ban replaces it', () => {
  const bench = new BanBench();
  assert.deepEqual(told(bench.factsOf(() => bench.ban({ shadow: true }))), [['banned', 'server', { shadow: true }]]);
  assert.deepEqual(told(bench.factsOf(() => bench.unban())), [['unbanned', 'server', { shadow: true }]]);
  bench.ban({ cid: 'm:a' });
  bench.ban({ by: 'mod' });
  const facts = bench.factsOf(() => bench.ban({ by: 'max', shadow: true }));
  assert.deepEqual(told(facts), [
    ['unbanned', 'all', { by: 'max' }],
    ['banned', 'server', { by: 'max', shadow: true }],
  ]);
  const [ended, banned] = facts.map((fact) => (fact.t === 'user' ? fact.user : undefined));
  assert.ok(ended !== undefined && banned !== undefined);
  assert.deepEqual([asServer(ended).banned, asServer(ended).shadow_banned, ended.rev], [false, false, bench.directory.seq - 1]);
  assert.deepEqual([asServer(banned).shadow_banned, banned.rev], [true, bench.directory.seq]);
  assert.equal(banned.bans?.length, 2);
  // The other way round, all are told of the new ban, and never hear of the old one.
  assert.deepEqual(told(bench.factsOf(() => bench.ban())), [['banned', 'all', {}]]);
});

test('MD4 a client cannot find shadow bans by searching; servers can', () => {
  const bench = new BanBench();
  bench.ban({ shadow: true });
  bench.ban({ target: 'bob' });
  const found = (filter: object) =>
    [...bench.directory.users()].filter((user) => compileFilter(parseFilter(filter))(user, false)).map(({ id }) => id);
  assert.deepEqual(found({ banned: true }), ['bob']);
  assert.deepEqual(found({ shadow_banned: true }), ['ann']);
  for (const query of [
    { filter_conditions: { shadow_banned: true } },
    { filter_conditions: { $or: [{ id: 'x' }, { $not: { shadow_banned: { $ne: false } } }] } },
    { sort: [{ field: 'shadow_banned' }] },
  ]) {
    assert.equal(refusedFields(() => refuseHiddenFields(parseQuery(query)))[0]?.path, 'shadow_banned');
  }
  refuseHiddenFields(parseQuery({ filter_conditions: { banned: true }, sort: [{ field: 'name' }] }));
});

test('MD5 bans stay through upsert, deactivation, soft delete and restore; pruning and hard delete end them', () => {
  const bench = new BanBench();
  bench.ban({ minutes: 5 });
  bench.upsert([{ id: 'ann', name: 'Ann' }]);
  bench.run({ kind: 'deactivate', ids: ['ann'], options: {} });
  bench.run({ kind: 'reactivate', ids: ['ann'], options: {} });
  assert.equal(bench.user('ann').bans?.length, 1);
  assert.deepEqual([bench.directory.bans.size, bench.directory.expiry.size], [1, 1]);
  bench.delete('ann');
  assert.deepEqual([bench.directory.bans.size, bench.directory.expiry.size], [0, 0]);
  assert.equal(refusal(() => bench.unban()).kind, 'not_found');
  bench.run({ kind: 'restore', ids: ['ann'] });
  assert.equal(bench.user('ann').bans?.length, 1);
  assert.deepEqual([bench.directory.bans.size, bench.directory.expiry.size], [1, 1]);
  bench.delete('ann', 'pruning');
  assert.ok(!('bans' in (bench.directory.record('ann') ?? {})));
  bench.ban({ target: 'bob' });
  bench.delete('bob', 'hard');
  assert.deepEqual(Object.keys(bench.directory.record('bob') ?? {}).sort(), ['gone_at', 'id']);
  assert.equal(bench.directory.bans.size, 0);
});

test('MD14 one user has so many bans and no more; a ban that replaces one always fits', () => {
  const bench = new BanBench();
  for (let i = 0; i < LIMITS.bansPerUser; i++) bench.ban({ cid: `m:${i}` });
  const [field] = refusedFields(() => bench.ban());
  assert.deepEqual([field?.path, /250 bans/.test(field?.message ?? '')], ['target_user_id', true]);
  bench.ban({ cid: 'm:7', reason: 'again' });
  assert.equal(bench.user('ann').bans?.length, LIMITS.bansPerUser);
});

test('MD2 bans from future channels that a server made without a name are one scope, apart from those of moderators', () => {
  const bench = new BanBench();
  const future = (by: string | undefined, reason: string) => ({ created_at: 1, future: true, reason, ...(by === undefined ? {} : { by }) });
  // The bans of an import may name nobody.
  const bans = [future(undefined, 'a'), future('mod', 'b'), { created_at: 1, reason: 'app' }];
  bench.directory.apply({
    id: 'x',
    time: 1,
    first: bench.directory.seq + 1,
    facts: [{ t: 'user', event: 'silent', user: { ...bench.user('ann'), bans } }],
  });
  bench.ban({ cid: 'app', by: 'mod', future: true, reason: 'c' });
  assert.deepEqual(
    bench.user('ann').bans?.map(({ reason }) => reason),
    ['a', 'app', 'c', 'c'],
  );
  bench.ban({ reason: 'd' });
  assert.deepEqual(
    bench.user('ann').bans?.map(({ reason, cid }) => [reason, cid]),
    [
      ['a', undefined],
      ['c', 'app'],
      ['c', undefined],
      ['d', undefined],
    ],
  );
});

test('MD4 a shadow ban ends before itself only the visible ban of its scope, never one from future channels or another shadow ban', () => {
  const ended = (...bans: Partial<BanCommand>[]): unknown[] => {
    const bench = new BanBench();
    for (const one of bans.slice(0, -1)) bench.ban(one);
    return bench.factsOf(() => bench.ban(bans.at(-1))).map((fact) => (fact.t === 'user' ? fact.event : fact.t));
  };
  assert.deepEqual(ended({}, { shadow: true }), ['unbanned', 'banned']);
  assert.deepEqual(ended({}, {}), ['banned']);
  assert.deepEqual(ended({ shadow: true }, { shadow: true }), ['banned']);
  assert.deepEqual(ended({ shadow: true }, {}), ['banned']);
  assert.deepEqual(ended({ cid: 'm:a' }, { shadow: true }), ['banned']);
  assert.deepEqual(ended({ cid: 'm:a', by: 'mod', future: true }, { cid: 'm:b', by: 'mod', future: true, shadow: true }), ['banned']);
  assert.deepEqual(ended({ cid: 'm:a', by: 'mod', future: true }, { cid: 'm:a', by: 'mod', future: true, shadow: true }), [
    'unbanned',
    'banned',
  ]);
});

test('MD4 an unban of shadow bans alone is told to servers; one that ends any other ban to all', () => {
  const bench = new BanBench();
  bench.ban({ cid: 'm:a', by: 'mod', future: true, shadow: true });
  bench.ban({ cid: 'm:b', by: 'max', future: true });
  const [unban] = told(bench.factsOf(() => bench.unban({ cid: 'm:a', future: true })));
  assert.deepEqual(unban, ['unbanned', 'all', { cid: 'm:a', future_channels: true }]);
});
