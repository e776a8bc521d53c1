/** PR5, HB2: what a presence change looks like in each form. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachText } from '../../../daemon/pipeline/tell/frame.ts';
import { PresenceChange } from '../../../daemon/pipeline/tell/presence-change.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

const AT = 1_772_600_767_000_000;
const user: StoredUser = {
  ...{ id: 'ann', rev: 3, role: 'user', teams: [], custom: { color: 'blue' }, created_at: AT - 5_000_000, updated_at: AT - 4_000_000 },
};

test('PR5 a presence change has its time, its position and its user in the form of the connection', () => {
  const change = new PresenceChange(user, true, AT, 9);
  assert.deepEqual([change.id, change.before, change.after, change.online], ['ann', user, user, true]);
  for (const form of ['live', 'live-ns', 'v1', 'io live', 'io live-ns', 'io v1'] as const) {
    const text = change.text(form, ',"sub":["s"]', true);
    const packed = form.startsWith('io ');
    const event = packed ? JSON.parse(text.slice(2))[1] : JSON.parse(text);
    assert.equal(text.startsWith('42["event",'), packed);
    const isNs = form.endsWith('-ns');
    const time = (us: number): unknown => (isNs ? us * 1_000 : new Date(us / 1_000).toISOString());
    const sameTime = (told: unknown, us: number): void =>
      assert.equal(isNs ? told : Date.parse(String(told)), isNs ? us * 1_000 : us / 1_000, `${form}: ${told} is not ${time(us)}`);
    assert.deepEqual(
      [event.type, event.seq, event.sub, event.user.id, event.user.online],
      ['user.presence.changed', 9, ['s'], 'ann', true],
    );
    sameTime(event.created_at, AT);
    sameTime(event.user.created_at, user.created_at);
    sameTime(event.user.updated_at, user.updated_at);
    assert.deepEqual(event.user.custom ?? { color: event.user.color }, { color: 'blue' });
    assert.deepEqual([...eachText(change.frame(form, ',"sub":["s"]', true))], [text]);
  }
  assert.equal(JSON.parse(new PresenceChange(user, false, AT, 9).text('live', '', false)).user.online, false);
});

test('PR5 PV7 a presence change is made once for each form, and shows private fields only to those that may see them', () => {
  let made = 0;
  const custom = { note: { toJSON: () => ++made } } as unknown as StoredUser['custom'];
  const plain = new PresenceChange({ ...user, custom }, true, AT, 9);
  for (const isPrivy of [true, false]) for (const form of ['live', 'io live'] as const) plain.text(form, '', isPrivy);
  assert.equal(made, 1);
  const guarded = new PresenceChange({ ...user, privacy_settings: { typing_indicators: { enabled: false } } }, true, AT, 9);
  for (const form of ['live', 'v1'] as const) {
    for (let round = 0; round < 2; round++) {
      assert.match(guarded.text(form, '', true), /privacy_settings/);
      assert.doesNotMatch(guarded.text(form, '', false), /privacy_settings/);
    }
  }
});
