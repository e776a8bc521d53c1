/** PV4 over live connections: the private fields of a user in snapshots, events and presence. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame } from '../../support/live/received.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

const PRIVATE = ['bypass_moderation', 'privacy_settings', 'revoke_tokens_issued_before', 'teams_role'];
const SINCE = Math.floor(Date.parse('2026-01-01T00:00:00Z') / 1000);

const shown = (user: object): string[] => PRIVATE.filter((field) => Object.hasOwn(user, field));
const aboutBob = ({ user }: Frame): boolean => user?.id === 'bob';

async function wholeUsers(world: World): Promise<void> {
  const whole = { teams: ['red'], teams_role: { red: 'admin' }, privacy_settings: { read_receipts: { enabled: false } } };
  await world.upsert({ id: 'ann', ...whole }, { id: 'bob', ...whole });
  for (const id of ['ann', 'bob']) {
    await world.http('POST', '/api/v2/moderation/bypass', { target_user_id: id, enabled: true });
    await world.http('PATCH', '/users', { users: [{ id, set: { revoke_tokens_issued_before: '2025-01-01T00:00:00Z' } }] });
  }
}

for (const conflate of [false, true]) {
  test(`PV4 private fields are sent to servers and to the user itself, live and from the past (conflate: ${conflate})`, async (t) => {
    const world = await World.start(t);
    await wholeUsers(world);
    const subs = [{ sub: 'all', all: true, presence: true }];
    const connect = { subs, conflate };
    const tokenOf = (id: string) => userToken(id, { iat: SINCE });
    const open = async (token: string, more: object = {}) => {
      const client = await world.open();
      const opened = await client.request({ op: 'connect', api_key: API_KEY, token, ...connect, ...more });
      return { client, opened };
    };
    const ann = await open(tokenOf('ann'));
    const server = await open(serverToken());
    const phone = await world.open(
      `/connect?${new URLSearchParams({ json: '{"user_details":{}}', api_key: API_KEY, authorization: tokenOf('ann') })}`,
    );
    const first = await phone.until(({ type }) => type === 'health.check');
    assert.deepEqual(shown(first.me), PRIVATE);
    const found = await fetch(
      `${world.daemon.url}/users?${new URLSearchParams({ api_key: API_KEY, connection_id: first.connection_id, payload: '{"presence":true}' })}`,
      { headers: { authorization: tokenOf('ann'), 'stream-auth-type': 'jwt' } },
    );
    assert.equal(found.status, 200);
    assert.deepEqual(shown(ann.opened.me), PRIVATE);
    const users = (frame: Frame) => new Map<string, object>(frame.users.map((user: { id: string }) => [user.id, user]));
    const mine = users(await ann.client.until(({ users: page }) => page !== undefined));
    assert.deepEqual([shown(mine.get('ann') ?? {}), shown(mine.get('bob') ?? {})], [PRIVATE, []]);
    const all = users(await server.client.until(({ users: page }) => page !== undefined));
    assert.deepEqual([shown(all.get('ann') ?? {}), shown(all.get('bob') ?? {})], [PRIVATE, PRIVATE]);

    const { epoch, seq } = world.daemon.roster.position;
    await world.upsert({ id: 'bob', name: 'Bob' }, { id: 'ann', name: 'Ann' });
    const bob = await world.chat('bob', {}, { token: tokenOf('bob') });
    for (const type of ['user.updated', 'user.presence.changed']) {
      const about = (frame: Frame): boolean => aboutBob(frame) && frame.type === type;
      assert.deepEqual(shown((await ann.client.until(about)).user), [], `${type} to another client`);
      assert.deepEqual(shown((await phone.until(about)).user), [], `${type} over /connect`);
      assert.deepEqual(shown((await server.client.until(about)).user), PRIVATE, `${type} to a server`);
    }
    for (const client of [ann.client, phone, server.client]) {
      const own = await client.until(({ type, user }) => type === 'user.updated' && user.id === 'ann');
      assert.deepEqual(shown(own.user), PRIVATE);
    }
    bob.terminate();
    for (const [token, wanted] of [
      [tokenOf('ann'), []],
      [serverToken(), PRIVATE],
    ] as const) {
      const { client, opened } = await open(token, { resume: { epoch, seq } });
      assert.equal(opened.resumed, true);
      assert.deepEqual(shown((await client.until(({ type, user }) => type === 'user.updated' && user.id === 'bob')).user), wanted);
      assert.deepEqual(shown((await client.until(({ type, user }) => type === 'user.updated' && user.id === 'ann')).user), PRIVATE);
    }
  });
}
