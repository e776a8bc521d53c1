/** PV6: the rights of the sender of a command, whatever endpoint made it. MD18 where hard-deleted ids may be used again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../daemon/core/decide.ts';
import { Directory } from '../../daemon/core/directory/directory.ts';
import { Draft } from '../../daemon/core/directory/draft.ts';
import type { Command, PlainCommand } from '../../protocol/log/command.ts';
import type { Origin } from '../../protocol/log/entry.ts';
import { HARD_OPTIONS } from '../../protocol/users/delete-options.ts';
import { refusal } from '../support/http/refusal.ts';
import { RulesBench } from '../support/rules-bench.ts';

const ANN: Origin = { source: 'client', by: 'ann' };
const ANONYMOUS: Origin = { source: 'client' };
const SERVER = { kind: 'server' } as const;
const BOB = { kind: 'user', id: 'bob' } as const;

const activity = (origin: string, actor: string, feeds = [origin]) => ({
  id: 'a1',
  feeds,
  origin,
  time: 1,
  data: { actor, verb: 'v', object: 'o' },
});

/** Commands that a client must not send. */
const FOREIGN: readonly Command[] = [
  { kind: 'upsert', actor: SERVER, users: [{ id: 'ann', custom: {}, role: 'admin' }], problems: [] },
  { kind: 'patch', actor: SERVER, patches: [], problems: [] },
  { kind: 'upsert', actor: BOB, users: [{ id: 'bob', custom: {} }], problems: [] },
  { kind: 'connect', id: 'bob', details: { custom: {} } },
  { kind: 'active', ids: ['ann'] },
  { kind: 'delete', ids: ['bob'], mode: 'hard', options: HARD_OPTIONS },
  { kind: 'delete', ids: ['ann', 'bob'], mode: 'soft', options: {} },
  { kind: 'deactivate', ids: ['ann'], options: {} },
  { kind: 'reactivate', ids: ['ann'], options: {} },
  { kind: 'restore', ids: ['ann'] },
  { kind: 'custom-event', id: 'ann', type: 'x', custom: {} },
  { kind: 'ban', actor: SERVER, target: 'bob' },
  { kind: 'unban', actor: SERVER, target: 'bob' },
  { kind: 'mute', actor: SERVER, by: 'ann', targets: ['bob'] },
  { kind: 'flag', actor: BOB, target: 'ann', itemId: 'i', by: 'bob' },
  { kind: 'unflag', actor: SERVER, target: 'bob' },
  { kind: 'block', actor: BOB, by: 'bob', target: 'ann' },
  { kind: 'bypass', target: 'ann', enabled: true },
  { kind: 'expire' },
  { kind: 'device-add', by: 'bob', device: { id: 'd', push_provider: 'apn' } },
  { kind: 'device-remove', by: 'bob', deviceId: 'd' },
  { kind: 'push', changes: [{ id: 'bob', set: {} }] },
  { kind: 'settings', set: {} },
  { kind: 'docs', changes: [] },
  { kind: 'activity-add', activities: [activity('user:bob', 'SU:bob')] },
  { kind: 'activity-add', activities: [activity('user:ann', 'SU:bob')] },
  { kind: 'activity-add', activities: [activity('user:ann', 'SU:ann', ['user:ann', 'user:bob'])] },
  { kind: 'activity-remove', feed: 'user:bob', by: { id: 'a1' } },
  { kind: 'follow', source: 'timeline:bob', target: 'user:ann' },
  { kind: 'unfollow', source: 'timeline:bob', target: 'user:ann' },
  { kind: 'unmute', actor: SERVER, by: 'ann', targets: ['bob'] },
  { kind: 'unblock', actor: SERVER, by: 'ann', target: 'bob' },
  { kind: 'role-create', name: 'boss' },
  { kind: 'role-delete', name: 'boss' },
  { kind: 'group-create', id: 'g', name: 'g', memberIds: [] },
  { kind: 'group-update', id: 'g' },
  { kind: 'group-add', id: 'g', memberIds: ['ann'] },
  { kind: 'group-remove', id: 'g', memberIds: ['ann'] },
  { kind: 'group-delete', id: 'g' },
  { kind: 'permission', act: 'delete', id: 'p' },
];

/** Commands of a client about itself. */
const OWN: readonly Command[] = [
  { kind: 'patch', actor: { kind: 'user', id: 'ann' }, patches: [], problems: [] },
  { kind: 'device-add', by: 'ann', device: { id: 'd', push_provider: 'apn' } },
  { kind: 'push', changes: [{ id: 'ann', set: {} }] },
  { kind: 'activity-add', activities: [activity('user:ann', 'SU:ann')] },
  { kind: 'follow', source: 'timeline:ann', target: 'user:bob' },
  { kind: 'mute', actor: { kind: 'user', id: 'ann' }, by: 'ann', targets: ['bob'] },
  { kind: 'delete', ids: ['ann'], mode: 'hard', options: HARD_OPTIONS },
];

function bench(): RulesBench {
  const made = new RulesBench({ reuseHardDeleted: true });
  made.upsert([{ id: 'ann' }, { id: 'bob' }]);
  return made;
}

function sent(on: RulesBench, origin: Origin, command: Command): Draft {
  const draft = new Draft(on.directory);
  draft.begin(origin);
  decide(draft, command, on.now, on.policy);
  return draft;
}

test('PV6 a client sends only what is about itself, also under an idempotency key', () => {
  const directory = bench();
  for (const command of FOREIGN) {
    const once: Command = { kind: 'once', key: 'k', fingerprint: 'f', command: command as PlainCommand };
    for (const one of [command, once]) {
      assert.equal(refusal(() => sent(directory, ANN, one)).kind, 'not_allowed', JSON.stringify(command));
      assert.equal(refusal(() => sent(directory, ANONYMOUS, one)).kind, 'not_allowed', JSON.stringify(command));
    }
  }
  for (const command of OWN) {
    assert.doesNotThrow(() => sent(directory, ANN, command), JSON.stringify(command));
    assert.doesNotThrow(() => sent(directory, { source: 'live', by: 'ann' }, command), JSON.stringify(command));
    assert.equal(refusal(() => sent(directory, ANONYMOUS, command)).kind, 'not_allowed', JSON.stringify(command));
  }
});

test('PV6 a client that was deactivated or deleted since it was admitted sends nothing more', () => {
  for (const kind of ['deactivate', 'delete'] as const) {
    const directory = new RulesBench();
    directory.upsert([{ id: 'ann' }, { id: 'bob' }]);
    directory.run(kind === 'delete' ? { kind, ids: ['ann'], mode: 'soft', options: {} } : { kind, ids: ['ann'], options: {} });
    for (const command of OWN) {
      const error = refusal(() => sent(directory, ANN, command));
      assert.equal(error.kind, kind === 'delete' ? 'not_found' : 'not_allowed', JSON.stringify(command));
    }
  }
});

test('PV6 a refusal says whether the command is for servers, for somebody else, or for users at all', () => {
  const directory = bench();
  const said = (origin: Origin, command: Command): string => refusal(() => sent(directory, origin, command)).message;
  for (const command of FOREIGN) assert.match(said(ANONYMOUS, command), /^an anonymous user cannot do this$/);
  assert.equal(said(ANN, { kind: 'active', ids: ['ann'] }), 'the user ann cannot do what only a server may do');
  for (const actor of [SERVER]) {
    for (const kind of ['mute', 'unmute'] as const) {
      assert.equal(said(ANN, { kind, actor, by: 'ann', targets: ['bob'] }), 'the user ann cannot do what only a server may do');
    }
    for (const kind of ['block', 'unblock'] as const) {
      assert.equal(said(ANN, { kind, actor, by: 'ann', target: 'bob' }), 'the user ann cannot do what only a server may do');
    }
  }
  assert.equal(said(ANN, { kind: 'device-remove', by: 'bob', deviceId: 'd' }), 'the user ann may act only for itself');
  directory.run({ kind: 'deactivate', ids: ['ann'], options: {} });
  assert.equal(said(ANN, { kind: 'device-remove', by: 'ann', deviceId: 'd' }), 'the user ann was deactivated');
});

test('GU5 a guest is made by a server, a client and an anonymous caller', () => {
  for (const origin of [undefined, ANN, ANONYMOUS, { source: 'server' } as const]) {
    const directory = bench();
    const draft = new Draft(directory.directory);
    if (origin !== undefined) draft.begin(origin);
    const { users } = decide(draft, { kind: 'guest', input: { id: 'guest-1', custom: {} } }, directory.now, directory.policy);
    assert.deepEqual(
      users.map(({ user }) => [user.id, user.role]),
      [['guest-1', 'guest']],
    );
  }
});

test('MD18 whoever deletes itself to be rid of a ban is still banned when it connects again', () => {
  const directory = bench();
  directory.run({ kind: 'ban', actor: SERVER, target: 'ann', by: 'bob', minutes: 5 });
  const banned = directory.user('ann').bans;
  const { facts } = sent(directory, ANN, { kind: 'delete', ids: ['ann'], mode: 'hard', options: HARD_OPTIONS });
  directory.directory.apply({ id: 'x', time: directory.now, first: directory.directory.seq + 1, facts });
  assert.equal(directory.directory.user('ann'), undefined);
  const view = directory.directory.freeze();
  const copy = new Directory(view.position);
  copy.load(JSON.parse(JSON.stringify([...view.lines()])));
  assert.deepEqual(copy.record('ann'), directory.directory.record('ann'), 'a snapshot keeps it');
  view.release();
  directory.connect('ann', { name: 'Ann' });
  assert.deepEqual(directory.user('ann').bans, banned);
  assert.deepEqual(directory.directory.expiry.dueBy(directory.now + 6 * 60_000_000, 10), ['ann']);
});
