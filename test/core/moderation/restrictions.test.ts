/** What all acts of moderation have in common: MD13, TN8. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAmong, type ModerationRight } from '../../../daemon/core/moderation/restrictions.ts';
import type { Actor } from '../../../protocol/base/actor.ts';
import type { OnceCommand } from '../../../protocol/log/command.ts';
import { refusal } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const as = (id: string): Actor => ({ kind: 'user', id });

/** Every act of a client against `target`, with the field that names the target, the right that it needs and its published name. */
const ACTS: readonly [string, ModerationRight, string, (by: string, target: string) => OnceCommand['command']][] = [
  ['target_user_id', 'ban-user', 'BanUser', (by, target) => ({ kind: 'ban', actor: as(by), by, target })],
  ['target_user_id', 'ban-user', 'BanUser', (by, target) => ({ kind: 'unban', actor: as(by), by, target })],
  ['target_ids[T]', 'mute-user', 'MuteUser', (by, target) => ({ kind: 'mute', actor: as(by), by, targets: [target] })],
  ['target_ids[T]', 'mute-user', 'MuteUser', (by, target) => ({ kind: 'unmute', actor: as(by), by, targets: [target] })],
  ['target_user_id', 'flag-user', 'FlagUser', (by, target) => ({ kind: 'flag', actor: as(by), by, target, itemId: 'i' })],
  ['target_user_id', 'flag-user', 'FlagUser', (by, target) => ({ kind: 'unflag', actor: as(by), by, target })],
  ['blocked_user_id', 'block-user', 'BlockUser', (by, target) => ({ kind: 'block', actor: as(by), by, target })],
  ['blocked_user_id', 'block-user', 'BlockUser', (by, target) => ({ kind: 'unblock', actor: as(by), by, target })],
];

function bench(): RulesBench {
  const made = new RulesBench();
  made.upsert([
    { id: 'mod', role: 'moderator', teams: ['red'] },
    { id: 'ann', teams: ['red'] },
    { id: 'blue', teams: ['blue'] },
    { id: 'loner' },
    { id: 'alone', role: 'moderator' },
  ]);
  return made;
}

test('TN8 a client that was deactivated, or does not exist, does nothing to others, whatever the act', () => {
  const directory = bench();
  directory.run({ kind: 'deactivate', ids: ['mod'], options: {} });
  for (const [, , , act] of ACTS) {
    const error = refusal(() => directory.run(act('mod', 'ann')));
    assert.deepEqual([error.kind, error.message], ['not_allowed', 'the user mod was deactivated']);
    const ghost = refusal(() => directory.run(act('ghost', 'ann')));
    assert.deepEqual([ghost.kind, ghost.fields[0]?.path], ['not_found', 'user_id']);
  }
});

test('MD13 each act needs its own right, and is refused by its published name', () => {
  const rights = [...new Set(ACTS.map(([, right]) => right))];
  for (const [, right, action, act] of ACTS) {
    const directory = bench();
    const message = `User 'mod' with role 'moderator' is not allowed to perform action ${action}`;
    directory.settings({ grants: { moderator: rights.filter((other) => other !== right) } });
    for (const target of ['ann', 'mod']) {
      const error = refusal(() => directory.run(act('mod', target)));
      assert.deepEqual([error.kind, error.message], ['not_allowed', message]);
    }
    directory.settings({ grants: { moderator: [right] } });
    directory.run(act('mod', 'ann'));
    // For somebody else, nobody acts.
    const foreign = { ...act('mod', 'blue'), by: 'ann' } as OnceCommand['command'];
    assert.equal(refusal(() => directory.run(foreign)).message, message);
  }
});

test('MD13 behind walls a target does not exist for a client; in a team where it lacks the right, it is refused', () => {
  for (const [field, right, action, act] of ACTS) {
    const directory = bench();
    directory.settings({ multi_tenant_enabled: true });
    for (const target of ['blue', 'loner', 'ghost']) {
      const error = refusal(() => directory.run(act('mod', target)));
      assert.deepEqual([error.kind, error.fields[0]?.path], ['not_found', field.replace('T', target)], `${action} ${target}`);
      assert.equal(error.fields[0]?.message, `the user ${target} does not exist`);
    }
    directory.run(act('mod', 'ann'));
    // Somebody without a team reaches those without one.
    directory.run(act('alone', 'loner'));
    assert.equal(refusal(() => directory.run(act('alone', 'ann'))).kind, 'not_found');
    directory.upsert(
      [
        { id: 'mod', teams: ['red', 'blue'], teams_role: { blue: 'nobody' } },
        { id: 'both', teams: ['red', 'blue'] },
      ].map((user) => (user.id === 'mod' ? { ...user, teams_role: { blue: 'guest' } } : user)),
    );
    directory.settings({ grants: { guest: [] } });
    directory.run(act('mod', 'both'));
    const error = refusal(() => directory.run(act('mod', 'blue')));
    assert.deepEqual([error.kind, error.fields[0]?.path], ['not_allowed', field.replace('T', 'blue')], right);
  }
});

test('MD13 within reach is who is in one of the teams; of an empty reach, exactly who is in none', () => {
  assert.deepEqual([isAmong(['a', 'b'], ['b', 'c']), isAmong(['a'], ['b']), isAmong([], ['b'])], [true, false, false]);
  assert.deepEqual([isAmong([], []), isAmong(['a'], [])], [true, false]);
});
