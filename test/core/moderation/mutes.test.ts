/** Mutes, blocks and flags on the pure core: MD6–MD8, and what clients may do: MD13. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Actor } from '../../../protocol/base/actor.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { audienceOf, eventType } from '../../../protocol/live/user-events.ts';
import type { Command } from '../../../protocol/log/command.ts';
import type { FlagCommand } from '../../../protocol/moderation/flags.ts';
import type { MuteCommand } from '../../../protocol/moderation/mutes.ts';
import { renderV1, renderV2Full } from '../../../protocol/users/render.ts';
import { refusal, refusedFields } from '../../support/http/refusal.ts';
import { micros, RulesBench } from '../../support/rules-bench.ts';

const SERVER = { kind: 'server' } as const;
const as = (id: string): Actor => ({ kind: 'user', id });

class ModerationBench extends RulesBench {
  constructor() {
    super();
    this.upsert([{ id: 'ann' }, { id: 'bob' }, { id: 'cem' }, { id: 'mod', role: 'moderator' }, { id: 'gus', role: 'guest' }]);
  }

  mute(targets: readonly string[], command: Partial<MuteCommand> = {}) {
    return this.run({ kind: 'mute', actor: SERVER, by: 'ann', targets, ...command });
  }

  unmute(targets: readonly string[]) {
    return this.mute(targets, { kind: 'unmute' });
  }

  flag(command: Partial<FlagCommand> = {}) {
    return this.run({ kind: 'flag', actor: SERVER, target: 'bob', by: 'ann', itemId: `item-${this.entries.length}`, ...command });
  }

  unflag(by?: string) {
    return this.run({ kind: 'unflag', actor: SERVER, target: 'bob', ...(by === undefined ? {} : { by }) });
  }

  block(target: string, kind: 'block' | 'unblock' = 'block', by = 'ann') {
    return this.run({ kind, actor: SERVER, by, target });
  }
}

test('MD6 a mute lies on the muter, ends by itself when it has an end, and is renewed by muting again', () => {
  const bench = new ModerationBench();
  const { updated_at } = bench.user('ann');
  bench.at('2026-11-21T12:00:00Z');
  const [fact] = bench.factsOf(() => bench.mute(['bob', 'cem', 'bob'], { minutes: 10 }));
  const created_at = micros('2026-11-21T12:00:00Z');
  const expires = micros('2026-11-21T12:10:00Z');
  assert.ok(fact?.t === 'user');
  assert.deepEqual([fact.event, audienceOf(fact), fact.about], ['muted', 'self', { by: 'ann', targets: ['bob', 'cem'], expires }]);
  assert.deepEqual(bench.user('ann').mutes, [
    { id: 'bob', created_at, updated_at: created_at, expires },
    { id: 'cem', created_at, updated_at: created_at, expires },
  ]);
  assert.deepEqual([bench.user('ann').rev, bench.user('ann').updated_at], [bench.directory.seq, updated_at]);
  assert.equal(bench.user('bob').mutes, undefined);

  bench.at('2026-11-21T12:05:00Z').mute(['bob']);
  assert.deepEqual(bench.user('ann').mutes?.[0], { id: 'bob', created_at, updated_at: micros('2026-11-21T12:05:00Z') });
  assert.equal(bench.directory.expiry.next, expires);
});

test('MD6 unmute ends mutes; whom the user does not mute is no error', () => {
  const bench = new ModerationBench();
  bench.mute(['bob', 'cem']);
  const [fact] = bench.factsOf(() => bench.unmute(['bob', 'mod']));
  assert.ok(fact?.t === 'user');
  assert.deepEqual([fact.event, audienceOf(fact), fact.about], ['unmuted', 'self', { by: 'ann', targets: ['bob'] }]);
  assert.deepEqual(
    bench.factsOf(() => assert.equal(bench.unmute(['bob']).users[0]?.change, 'unchanged')),
    [],
  );
  bench.unmute(['cem']);
  assert.ok(!('mutes' in bench.user('ann')));
});

test('MD6 targets that do not exist are named beside those that do; when none does, all are errors', () => {
  const bench = new ModerationBench();
  bench.delete('cem');
  assert.deepEqual(bench.mute(['ghost', 'bob', 'cem']).missing, ['ghost', 'cem']);
  assert.deepEqual(
    bench.user('ann').mutes?.map(({ id }) => id),
    ['bob'],
  );
  for (const kind of ['mute', 'unmute'] as const) {
    const error = refusal(() => bench.mute(['ghost', 'cem'], { kind }));
    assert.equal(error.kind, 'not_found');
    assert.deepEqual(
      error.fields.map(({ path, message }) => [path, message]),
      [
        ['target_ids[ghost]', 'the user ghost does not exist'],
        ['target_ids[cem]', 'the user cem was deleted'],
      ],
    );
  }
  const unknown = refusal(() => bench.mute(['bob'], { by: 'ghost' }));
  assert.deepEqual([unknown.kind, unknown.fields[0]?.path], ['not_found', 'user_id']);
  assert.deepEqual(
    refusedFields(() => bench.mute(['bob', 'ann'])).map(({ path }) => path),
    ['target_ids[ann]'],
  );
});

test('MD6 who was deleted since is not shown among mutes and blocks, and can still be unmuted and unblocked', () => {
  const bench = new ModerationBench();
  bench.mute(['bob', 'cem']);
  bench.block('bob');
  bench.block('cem');
  bench.delete('bob', 'hard');
  const named = { user: (id: string) => bench.directory.user(id), online: (id: string) => id === 'cem' };
  const shown = renderV2Full(bench.user('ann'), { online: false, reader: 'server', named });
  assert.deepEqual(shown.blocked_user_ids, ['cem']);
  assert.ok(Array.isArray(shown.mutes));
  assert.deepEqual(
    shown.mutes.map(({ user, target }) => [user.id, target.id, target.online]),
    [['ann', 'cem', true]],
  );
  assert.deepEqual(renderV1(bench.user('ann'), { online: false, reader: 'other' }).mutes, []);
  assert.deepEqual(renderV1(bench.user('ann'), { online: false, reader: 'other' }).blocked_user_ids, []);
  assert.deepEqual(bench.unmute(['bob']).missing, []);
  bench.block('bob', 'unblock');
  assert.deepEqual([bench.user('ann').mutes?.length, bench.user('ann').blocks?.length], [1, 1]);
});

test('MD7 a block lies on the blocker, is told to nobody and leaves its revision; doing it twice changes nothing', () => {
  const bench = new ModerationBench();
  const { rev, updated_at } = bench.user('ann');
  bench.at('2026-11-21T12:00:00Z');
  const [fact] = bench.factsOf(() => bench.block('bob'));
  assert.ok(fact?.t === 'user');
  assert.equal(eventType(fact), undefined);
  assert.deepEqual(bench.user('ann').blocks, [{ id: 'bob', created_at: micros('2026-11-21T12:00:00Z') }]);
  assert.deepEqual([bench.user('ann').rev, bench.user('ann').updated_at], [rev, updated_at]);
  assert.deepEqual(
    bench.factsOf(() => bench.block('bob')),
    [],
  );
  bench.block('bob', 'unblock');
  assert.ok(!('blocks' in bench.user('ann')));
  assert.deepEqual(
    bench.factsOf(() => bench.block('bob', 'unblock')),
    [],
  );
  for (const [target, by, path] of [
    ['ghost', 'ann', 'blocked_user_id'],
    ['bob', 'ghost', 'user_id'],
  ] as const) {
    for (const kind of ['block', 'unblock'] as const) {
      const error = refusal(() => bench.block(target, kind, by));
      assert.deepEqual([error.kind, error.fields[0]?.path], ['not_found', path]);
    }
  }
  assert.equal(refusedFields(() => bench.block('ann'))[0]?.path, 'blocked_user_id');
});

test('MD8 one report from each reporter; only servers hear of it, and the user shows nothing of it', () => {
  const bench = new ModerationBench();
  const before = bench.user('bob');
  const [fact] = bench.factsOf(() => bench.flag({ reason: 'spam', custom: { at: 'wall' } }));
  assert.ok(fact?.t === 'user');
  assert.deepEqual([fact.event, audienceOf(fact), fact.about], ['flagged', 'server', { by: 'ann', reason: 'spam', total_flags: 1 }]);
  bench.flag({ by: 'cem' });
  const item = bench.user('bob').flags?.[0];
  assert.deepEqual(
    bench.factsOf(() => bench.flag({ reason: 'spam', custom: { at: 'wall' } })),
    [],
  );
  bench.flag({ reason: 'worse' });
  const { flags, rev, updated_at } = bench.user('bob');
  assert.deepEqual(
    flags?.map(({ by, reason, item_id }) => [by, reason, item_id]),
    [
      ['cem', undefined, 'item-2'],
      ['ann', 'worse', item?.item_id],
    ],
  );
  assert.deepEqual([rev, updated_at, flags?.[1]?.created_at], [bench.directory.seq, before.updated_at, item?.created_at]);
  const named = { user: (id: string) => bench.directory.user(id) };
  assert.doesNotMatch(JSON.stringify(renderV2Full(bench.user('bob'), { online: false, reader: 'server', named })), /worse|flag/);
});

test('MD8 taking a report back; what is not there is no error', () => {
  const bench = new ModerationBench();
  bench.run({ kind: 'flag', actor: SERVER, target: 'bob', itemId: 'server' });
  bench.flag();
  const [fact] = bench.factsOf(() => bench.unflag('ann'));
  assert.ok(fact?.t === 'user');
  assert.deepEqual([fact.event, audienceOf(fact), fact.about], ['unflagged', 'server', { by: 'ann', total_flags: 1 }]);
  assert.deepEqual(
    bench.factsOf(() => bench.unflag('ann')),
    [],
  );
  bench.unflag();
  assert.ok(!('flags' in bench.user('bob')));
  assert.equal(refusal(() => bench.flag({ target: 'ghost' })).kind, 'not_found');
  assert.equal(refusal(() => bench.flag({ by: 'ghost' })).fields[0]?.path, 'user_id');
});

test('MD8 bypassing moderation is an update of the user; setting it again changes nothing', () => {
  const bench = new ModerationBench();
  const bypass = (enabled: boolean) => bench.factsOf(() => bench.run({ kind: 'bypass', target: 'ann', enabled }));
  assert.equal(bypass(true).length, 1);
  assert.equal(renderV1(bench.user('ann'), { online: false, reader: 'server' }).bypass_moderation, true);
  assert.deepEqual(bypass(true), []);
  assert.equal(bypass(false).length, 1);
  assert.ok(!('bypass_moderation' in bench.user('ann')));
});

test('MD14 mutes, blocks and reports of one user are bounded', () => {
  const bench = new ModerationBench();
  const ids = Array.from({ length: LIMITS.blocksPerUser + 1 }, (_, i) => `u${i}`);
  bench.upsert(ids.map((id) => ({ id })));
  const muted = ids.slice(0, LIMITS.mutesPerUser);
  bench.mute(muted);
  assert.equal(refusedFields(() => bench.mute(['bob']))[0]?.path, 'target_ids');
  bench.mute(muted.slice(0, 3), { minutes: 1 });
  for (const id of ids.slice(0, LIMITS.blocksPerUser)) bench.block(id);
  assert.equal(refusedFields(() => bench.block('bob'))[0]?.path, 'blocked_user_id');
  for (const by of ids.slice(0, LIMITS.flagsPerUser + 1)) bench.flag({ by });
  const flags = bench.user('bob').flags ?? [];
  assert.deepEqual([flags.length, flags[0]?.by, flags.at(-1)?.by], [LIMITS.flagsPerUser, 'u1', `u${LIMITS.flagsPerUser}`]);
});

test('MD13 a client mutes, flags and blocks for itself, and bans only when its role is granted that', () => {
  const bench = new ModerationBench();
  const own: readonly Command[] = [
    { kind: 'mute', actor: as('ann'), by: 'ann', targets: ['bob'] },
    { kind: 'flag', actor: as('ann'), by: 'ann', target: 'bob', itemId: 'i' },
    { kind: 'unflag', actor: as('ann'), by: 'ann', target: 'bob' },
    { kind: 'block', actor: as('ann'), by: 'ann', target: 'bob' },
    { kind: 'ban', actor: as('mod'), by: 'mod', target: 'bob' },
    { kind: 'unban', actor: as('mod'), by: 'mod', target: 'bob' },
  ];
  for (const command of own) bench.run(command);
  const refused: readonly [Command, string][] = [
    [{ kind: 'ban', actor: as('ann'), by: 'ann', target: 'bob' }, 'BanUser'],
    [{ kind: 'unban', actor: as('gus'), by: 'gus', target: 'bob' }, 'BanUser'],
    [{ kind: 'ban', actor: as('mod'), by: 'ann', target: 'bob' }, 'BanUser'],
    [{ kind: 'mute', actor: as('ann'), by: 'bob', targets: ['cem'] }, 'MuteUser'],
    [{ kind: 'flag', actor: as('ann'), target: 'bob', itemId: 'i' }, 'FlagUser'],
    [{ kind: 'unblock', actor: as('ann'), by: 'bob', target: 'ann' }, 'BlockUser'],
  ];
  for (const [command, action] of refused) {
    const error = refusal(() => bench.run(command));
    assert.equal(error.kind, 'not_allowed');
    assert.match(error.message, new RegExp(`^User '\\w+' with role '\\w+' is not allowed to perform action ${action}$`));
  }
  assert.equal(refusal(() => bench.run({ kind: 'mute', actor: as('ghost'), by: 'ghost', targets: ['bob'] })).kind, 'not_found');
});

test('MD13 grants of the application decide: what a role is given, and what it is left without', () => {
  const bench = new ModerationBench();
  bench.settings({ grants: { user: ['ban-user'], moderator: [] } });
  bench.run({ kind: 'ban', actor: as('ann'), by: 'ann', target: 'bob' });
  for (const command of [
    { kind: 'ban', actor: as('mod'), by: 'mod', target: 'ann' },
    { kind: 'mute', actor: as('ann'), by: 'ann', targets: ['bob'] },
    { kind: 'block', actor: as('ann'), by: 'ann', target: 'bob' },
    { kind: 'flag', actor: as('ann'), by: 'ann', target: 'bob', itemId: 'i' },
  ] as const) {
    assert.equal(refusal(() => bench.run(command)).kind, 'not_allowed');
  }
});

test('MD13 where teams are walls, a client reaches nobody behind them', () => {
  const bench = new ModerationBench();
  bench.upsert([
    { id: 'red', role: 'moderator', teams: ['red'] },
    { id: 'ruby', teams: ['red', 'blue'] },
    { id: 'blue', teams: ['blue'] },
    { id: 'both', teams: ['red', 'blue'], teams_role: { red: 'moderator' } },
  ]);
  bench.settings({ multi_tenant_enabled: true });
  bench.run({ kind: 'ban', actor: as('red'), by: 'red', target: 'ruby' });
  for (const target of ['blue', 'ann']) {
    const error = refusal(() => bench.run({ kind: 'ban', actor: as('red'), by: 'red', target }));
    assert.deepEqual([error.kind, error.message], ['not_found', `the user ${target} does not exist`]);
  }
  assert.deepEqual(bench.run({ kind: 'mute', actor: as('red'), by: 'red', targets: ['blue', 'ruby'] }).missing, ['blue']);
  // A moderator in one of its teams is one there and nowhere else.
  bench.run({ kind: 'ban', actor: as('both'), by: 'both', target: 'red' });
  const error = refusal(() => bench.run({ kind: 'ban', actor: as('both'), by: 'both', target: 'blue' }));
  assert.deepEqual([error.kind, error.fields[0]?.path], ['not_allowed', 'target_user_id']);
  bench.run({ kind: 'ban', actor: SERVER, by: 'red', target: 'blue' });
});
