/** Devices and push preferences, on the pure core: DV. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../daemon/core/decide.ts';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import { decodeDevice, decodePush, type PushCommand } from '../../../protocol/app/devices.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { Device } from '../../../protocol/users/user.ts';
import { DEFAULT_POLICY } from '../../support/default-policy.ts';
import { refusal, refusedFields } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

class DeviceBench extends RulesBench {
  add(by: string, id: string, more: Partial<Device> = {}): Outcome {
    return this.run({ kind: 'device-add', by, device: { id, push_provider: 'apn', ...more } });
  }

  remove(by: string, deviceId: string): Outcome {
    return this.run({ kind: 'device-remove', by, deviceId });
  }

  ids(user: string): string[] {
    return (this.user(user).devices ?? []).map(({ id }) => id);
  }

  push(...changes: PushCommand['changes']): Outcome {
    return this.run({ kind: 'push', changes });
  }
}

function withUsers(...ids: readonly string[]): DeviceBench {
  const bench = new DeviceBench();
  bench.upsert(ids.map((id) => ({ id })));
  return bench;
}

const SERVER = { kind: 'server' } as const;
const paths = (act: () => unknown): string[] => refusedFields(act).map(({ path }) => path);

test('DV1 a device is added and removed silently: revision and time of change stay', () => {
  const bench = withUsers('ann');
  const { rev, updated_at } = bench.user('ann');
  const facts = bench.factsOf(() => bench.add('ann', 'phone', { push_provider_name: 'main', hardware_id: 'h', voip: true }));
  assert.deepEqual(
    facts.map((fact) => (fact.t === 'user' ? fact.event : fact.t)),
    ['silent'],
  );
  assert.deepEqual(bench.user('ann').devices, [
    { id: 'phone', push_provider: 'apn', push_provider_name: 'main', hardware_id: 'h', voip: true, created_at: bench.now },
  ]);
  assert.deepEqual([bench.user('ann').rev, bench.user('ann').updated_at], [rev, updated_at]);
  bench.remove('ann', 'phone');
  assert.equal('devices' in bench.user('ann'), false);
  assert.deepEqual([bench.user('ann').rev, bench.user('ann').updated_at], [rev, updated_at]);
});

test('DV2 registering the same device again changes nothing; with other details it is replaced where it stands', () => {
  const bench = withUsers('ann');
  bench.add('ann', 'a');
  const since = bench.user('ann').devices?.[0]?.created_at;
  bench.add('ann', 'b');
  assert.deepEqual(
    bench.factsOf(() => bench.add('ann', 'a')),
    [],
  );
  bench.add('ann', 'a', { push_provider: 'firebase' });
  assert.deepEqual(bench.ids('ann'), ['a', 'b']);
  assert.deepEqual(bench.user('ann').devices?.[0], { id: 'a', push_provider: 'firebase', created_at: since });
});

test('DV3 25 devices; one more drops the oldest', () => {
  const bench = withUsers('ann');
  const ids = Array.from({ length: LIMITS.devicesPerUser + 2 }, (_, i) => `d${i}`);
  assert.equal(LIMITS.devicesPerUser, 25);
  for (const id of ids) bench.add('ann', id);
  assert.deepEqual(bench.ids('ann'), ids.slice(2));
});

test('DV4 a device moves: whoever had it has it no longer, also within one batch', () => {
  const bench = withUsers('ann', 'bob', 'cem');
  bench.add('ann', 'x');
  bench.add('ann', 'y');
  bench.add('bob', 'x');
  assert.deepEqual([bench.ids('ann'), bench.ids('bob')], [['y'], ['x']]);
  const draft = new Draft(bench.directory);
  for (const by of ['ann', 'cem', 'bob', 'cem']) {
    decide(draft, { kind: 'device-add', by, device: { id: 'x', push_provider: 'apn' } }, bench.now, DEFAULT_POLICY);
    assert.deepEqual(
      [...draft.deviceHolders('x')].map(({ id }) => id),
      [by],
    );
  }
  bench.directory.apply({ id: 'batch', time: bench.now, first: bench.directory.seq + 1, facts: draft.facts });
  assert.deepEqual([bench.ids('ann'), bench.ids('bob'), bench.ids('cem')], [['y'], [], ['x']]);
});

test('DV5 a user that is restored comes back without the devices that were given to others meanwhile', () => {
  const bench = withUsers('ann', 'bob');
  bench.add('ann', 'x');
  bench.add('ann', 'y');
  bench.delete('ann');
  bench.add('bob', 'x');
  bench.run({ kind: 'restore', ids: ['ann'] });
  assert.deepEqual([bench.ids('ann'), bench.ids('bob')], [['y'], ['x']]);
});

test('DV6 a user or device that does not exist is not found', () => {
  const bench = withUsers('ann', 'gone');
  bench.delete('gone');
  assert.equal(refusal(() => bench.add('gone', 'x')).message, 'the user gone was deleted');
  assert.equal(refusal(() => bench.add('zoe', 'x')).message, 'the user zoe does not exist');
  bench.upsert([{ id: 'bob' }]);
  bench.add('bob', 'x');
  assert.equal(refusal(() => bench.remove('ann', 'x')).kind, 'not_found');
  assert.deepEqual(bench.ids('bob'), ['x']);
});

test('DV7 devices and preferences outlive an upsert and a snapshot, and a device still moves after it', () => {
  const bench = withUsers('ann', 'bob');
  bench.add('ann', 'x');
  bench.push({ id: 'ann', set: { chat_level: 'none' } }, { id: 'ann', cid: 'messaging:1', set: { chat_level: 'all' } });
  bench.upsert([{ id: 'ann', name: 'Ann' }]);
  const view = bench.directory.freeze();
  const copy = new Directory(view.position);
  copy.load([...view.lines()]);
  assert.deepEqual(copy.user('ann'), bench.user('ann'));
  assert.deepEqual(copy.user('ann')?.push, { chat_level: 'none', channels: { 'messaging:1': { chat_level: 'all' } } });
  const draft = new Draft(copy);
  decide(draft, { kind: 'device-add', by: 'bob', device: { id: 'x', push_provider: 'apn' } }, bench.now, DEFAULT_POLICY);
  assert.deepEqual(
    draft.facts.map((fact) => (fact.t === 'user' ? fact.user.id : fact.t)),
    ['bob', 'ann'],
  );
});

test('DV8 device requests: four providers, what Go sends for nothing, and everything wrong by name', () => {
  for (const push_provider of ['firebase', 'apn', 'huawei', 'xiaomi']) {
    assert.deepEqual(decodeDevice({ id: 'x', push_provider }), { device: { id: 'x', push_provider }, named: undefined });
  }
  const sent = { id: 'x', push_provider: 'apn', push_provider_name: '', hardware_id: null, user_id: '', voip_token: false, user: [] };
  assert.deepEqual(decodeDevice(sent), { device: { id: 'x', push_provider: 'apn', voip: false }, named: undefined });
  assert.equal(decodeDevice({ id: 'x', push_provider: 'apn', user: { id: 'ann' } }).named, 'ann');
  assert.equal(decodeDevice({ id: 'x', push_provider: 'apn', user_id: 'ann', user: { id: 'ann' } }).named, 'ann');
  assert.deepEqual(
    paths(() => decodeDevice({ id: 'x', push_provider: 'apn', user_id: 'bob', user: { id: 'ann' } })),
    ['user.id'],
  );
  assert.deepEqual(paths(() => decodeDevice({})).sort(), ['id', 'push_provider']);
  assert.deepEqual(paths(() => decodeDevice({ id: '', push_provider: 'sms' })).sort(), ['id', 'push_provider']);
  assert.deepEqual(
    paths(() => decodeDevice({ id: 'x'.repeat(1_025), push_provider: 'apn' })),
    ['id'],
  );
  const wrong = { id: 1, push_provider: 2, push_provider_name: 3, hardware_id: 4, voip_token: 'yes', user_id: 5, user: 'ann' };
  assert.deepEqual(paths(() => decodeDevice(wrong)).sort(), Object.keys(wrong).sort());
});

test('DV9 preferences merge by name, null removes one, and what changes nothing is no fact', () => {
  const bench = withUsers('ann');
  const { rev } = bench.user('ann');
  bench.push({ id: 'ann', set: { chat_level: 'mentions', call_level: 'none', disabled_until: 5 } });
  bench.push({ id: 'ann', set: { call_level: 'all', chat_preferences: { a: 1 }, feeds_level: 'all' } });
  const held = { chat_level: 'mentions', call_level: 'all', disabled_until: 5, chat_preferences: { a: 1 }, feeds_level: 'all' };
  assert.deepEqual(bench.user('ann').push, held);
  assert.deepEqual(
    bench.factsOf(() => bench.push({ id: 'ann', set: { call_level: 'all' } }, { id: 'ann', set: {} })),
    [],
  );
  bench.push({ id: 'ann', set: { disabled_until: null, chat_preferences: { b: 2 } } });
  assert.deepEqual(bench.user('ann').push, { chat_level: 'mentions', call_level: 'all', feeds_level: 'all', chat_preferences: { b: 2 } });
  assert.equal(bench.user('ann').rev, rev);
});

test('DV10 preferences of channels stand apart; a channel without any is not kept', () => {
  const bench = withUsers('ann', 'bob');
  bench.push(
    { id: 'ann', set: { chat_level: 'all' } },
    { id: 'ann', cid: 'm:1', set: { chat_level: 'none', disabled_until: 5 } },
    { id: 'bob', cid: 'm:1', set: { chat_level: 'mentions' } },
    { id: 'ann', cid: 'm:1', set: { disabled_until: null } },
  );
  assert.deepEqual(bench.user('ann').push, { chat_level: 'all', channels: { 'm:1': { chat_level: 'none' } } });
  assert.deepEqual(bench.user('bob').push, { channels: { 'm:1': { chat_level: 'mentions' } } });
  bench.push({ id: 'bob', cid: 'm:2', set: { disabled_until: 5 } });
  bench.push({ id: 'bob', cid: 'm:2', set: { disabled_until: null } });
  assert.deepEqual(bench.user('bob').push, { channels: { 'm:1': { chat_level: 'mentions' } } });
});

test('DV11 preferences are set for all users of a request or for none', () => {
  const bench = withUsers('ann', 'gone');
  bench.delete('gone');
  const set = { chat_level: 'none' };
  const refused = refusal(() => bench.push({ id: 'ann', set }, { id: 'gone', set }, { id: 'zoe', set }));
  assert.equal(refused.kind, 'not_found');
  assert.deepEqual(
    refused.fields.map(({ path }) => path),
    ['preferences[1].user_id', 'preferences[2].user_id'],
  );
  assert.equal(bench.user('ann').push, undefined);
});

test('DV12 100 channels per user; those that only were off for a time that is over make room', () => {
  const bench = withUsers('ann');
  const over = bench.now - 1;
  bench.push({ id: 'ann', cid: 'm:old', set: { disabled_until: over } });
  bench.push(...Array.from({ length: 99 }, (_, i) => ({ id: 'ann', cid: `m:${i}`, set: { chat_level: 'none', disabled_until: over } })));
  const channels = () => Object.keys(bench.user('ann').push?.channels ?? {});
  assert.equal(channels().length, LIMITS.pushChannelsPerUser);
  bench.push({ id: 'ann', cid: 'm:new', set: { chat_level: 'none' } });
  assert.equal(channels().length, 100);
  assert.ok(!channels().includes('m:old') && channels().includes('m:new'));
  assert.deepEqual(
    paths(() => bench.push({ id: 'ann', set: { chat_level: 'all' } }, { id: 'ann', cid: 'm:more', set: { chat_level: 'all' } })),
    ['preferences[1].channel_cid'],
  );
  assert.equal(bench.user('ann').push?.chat_level, undefined);
  bench.push({ id: 'ann', cid: 'm:new', set: { chat_level: 'all' } });
});

test('DV12 a channel makes room when its only preference is a pause that is over, to the microsecond', () => {
  for (const [entry, makesRoom] of [
    [(now: number) => ({ disabled_until: now }), true],
    [(now: number) => ({ disabled_until: now + 1 }), false],
    [(now: number) => ({ disabled_until: now, chat_level: 'none' as const }), false],
    [() => ({ chat_level: 'none' as const }), false],
  ] as const) {
    const bench = withUsers('ann');
    const now = bench.now + 2_000;
    bench.push(
      ...Array.from({ length: 100 }, (_, n) => ({ id: 'ann', cid: `m:${n}`, set: n === 0 ? entry(now) : { chat_level: 'none' as const } })),
    );
    const act = () => bench.push({ id: 'ann', cid: 'm:new', set: { chat_level: 'none' } });
    if (!makesRoom) assert.deepEqual(paths(act), ['preferences[0].channel_cid']);
    else assert.equal(act().users[0]?.user.push?.channels?.['m:0'], undefined);
  }
});

test('DV9 each preference of a user is set and removed by itself; without any, there is no field', () => {
  const whole = {
    chat_level: 'all',
    call_level: 'all',
    feeds_level: 'all',
    disabled_until: 5,
    chat_preferences: { a: 1 },
    feeds_preferences: { b: 2 },
  };
  for (const [name, value] of Object.entries(whole)) {
    const bench = withUsers('ann');
    assert.deepEqual(
      bench.factsOf(() => bench.push({ id: 'ann', set: { [name]: null } })),
      [],
    );
    bench.push({ id: 'ann', set: whole as never });
    assert.deepEqual(bench.user('ann').push, whole);
    bench.push({ id: 'ann', set: { [name]: null } });
    assert.deepEqual(
      Object.keys(bench.user('ann').push ?? {}),
      Object.keys(whole).filter((other) => other !== name),
    );
    bench.push({ id: 'ann', set: { [name]: value } as never });
    bench.push({ id: 'ann', set: Object.fromEntries(Object.keys(whole).map((other) => [other, null])) as never });
    assert.ok(!('push' in bench.user('ann')));
  }
});

test('DV2 a device that an import brings keeps its time, also when it is registered again', () => {
  const bench = withUsers('ann');
  bench.run({ kind: 'device-add', by: 'ann', device: { id: 'd', push_provider: 'apn', created_at: 5 } });
  bench.add('ann', 'd', { voip: true });
  assert.deepEqual(bench.user('ann').devices, [{ id: 'd', push_provider: 'apn', voip: true, created_at: 5 }]);
});

test('DV13 requests for preferences: levels, times, and what Go and PHP send for nothing', () => {
  const one = (item: unknown) => decodePush({ preferences: [item] }, SERVER).changes[0];
  assert.deepEqual(one({ user_id: 'ann', chat_level: 'mentions', call_level: 'default', feeds_level: 'none' }), {
    id: 'ann',
    set: { chat_level: 'mentions', call_level: 'default', feeds_level: 'none' },
  });
  const empty = {
    user_id: 'ann',
    channel_cid: '',
    chat_level: '',
    call_level: null,
    disabled_until: '0001-01-01T00:00:00Z',
    remove_disable: false,
    chat_preferences: null,
  };
  assert.deepEqual(one(empty), { id: 'ann', set: {} });
  assert.deepEqual(one({ user_id: 'ann', chat_preferences: [] }), { id: 'ann', set: { chat_preferences: {} } });
  assert.deepEqual(one({ user_id: 'ann', disabled_until: '1970-01-01T00:00:01Z' })?.set, { disabled_until: 1_000_000 });
  assert.deepEqual(one({ user_id: 'ann', disabled_until: 1_000_000_000 })?.set, { disabled_until: 1_000_000 });
  assert.deepEqual(one({ user_id: 'ann', remove_disable: true, channel_cid: 'messaging:!members-x_1' }), {
    id: 'ann',
    cid: 'messaging:!members-x_1',
    set: { disabled_until: null },
  });
});

test('DV14 requests for preferences: everything wrong by name', () => {
  const wrong = (...preferences: unknown[]) => paths(() => decodePush({ preferences }, SERVER)).sort();
  const at = 'preferences[0]';
  for (const body of [{}, { preferences: [] }, { preferences: null }, { preferences: 'x' }, { preferences: {} }]) {
    assert.deepEqual(
      paths(() => decodePush(body, SERVER)),
      ['preferences'],
      JSON.stringify(body),
    );
  }
  assert.deepEqual(wrong(...Array(101).fill({ user_id: 'ann' })), ['preferences']);
  assert.deepEqual(wrong('x', null, {}), [at, 'preferences[1]']);
  assert.deepEqual(wrong({}, { user_id: 'a b' }), [`${at}.user_id`, 'preferences[1].user_id']);
  assert.deepEqual(wrong({ user_id: 'ann', chat_level: 'loud', call_level: 'mentions', feeds_level: 1 }), [
    `${at}.call_level`,
    `${at}.chat_level`,
    `${at}.feeds_level`,
  ]);
  for (const disabled_until of ['soon', '9999-01-01T00:00:00Z', -5]) {
    assert.deepEqual(wrong({ user_id: 'ann', disabled_until }), [`${at}.disabled_until`], String(disabled_until));
  }
  assert.deepEqual(wrong({ user_id: 'ann', disabled_until: '2030-01-01T00:00:00Z', remove_disable: true }), [`${at}.remove_disable`]);
  for (const channel_cid of ['x', 'a:', ':b', 'a b:c', `a:${'b'.repeat(320)}`, '__proto__']) {
    assert.deepEqual(wrong({ user_id: 'ann', channel_cid }), [`${at}.channel_cid`], channel_cid);
  }
  assert.deepEqual(wrong({ user_id: 'ann', channel_cid: 'a:b', call_level: 'all', feeds_level: 'all', feeds_preferences: {} }), [
    `${at}.call_level`,
    `${at}.feeds_level`,
    `${at}.feeds_preferences`,
  ]);
  assert.deepEqual(wrong({ user_id: 'ann', chat_preferences: 'x', feeds_preferences: [1] }), [
    `${at}.chat_preferences`,
    `${at}.feeds_preferences`,
  ]);
  assert.deepEqual(wrong({ user_id: 'ann', chat_preferences: { a: 'x'.repeat(1_024) } }), [`${at}.chat_preferences`]);
  assert.deepEqual(wrong({ user_id: 'ann', chat_preferences: JSON.parse('{"a":{"__proto__":1}}') }), [
    `${at}.chat_preferences.a.__proto__`,
  ]);
});

test('DV15 a client names itself or nobody', () => {
  const ann = { kind: 'user', id: 'ann' } as const;
  const preferences = [{ chat_level: 'all' }, { user_id: 'ann', channel_cid: 'm:1' }];
  assert.deepEqual(
    decodePush({ preferences }, ann).changes.map(({ id }) => id),
    ['ann', 'ann'],
  );
  const refused = refusal(() => decodePush({ preferences: [{ user_id: 'bob' }, {}, { user_id: 'cem' }] }, ann));
  assert.equal(refused.kind, 'not_allowed');
  assert.deepEqual(
    refused.fields.map(({ path }) => path),
    ['preferences[0].user_id', 'preferences[2].user_id'],
  );
});
