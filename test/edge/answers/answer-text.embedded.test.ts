/** BU16: how long the answers become that show many users beside what they list. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { type HttpWorld, userToken } from '../../support/http/fake-backend.ts';
import { create, ROOT } from '../../support/http/feeds-kit.ts';
import { ok, payload, users, worldWith } from '../../support/http/moderation-kit.ts';

const LONG = 'x'.repeat(9_900);
const COUNT = 400;

/** `ann`, `mod` and 400 others, each as long as can be. */
async function worldOfLongUsers(): Promise<HttpWorld> {
  const world = await worldWith();
  const all = [{ id: 'ann' }, { id: 'mod', role: 'moderator' }, ...Array.from({ length: COUNT }, (_, index) => ({ id: `u${index}` }))];
  for (let from = 0; from < all.length; from += 100) {
    const sent = Object.fromEntries(all.slice(from, from + 100).map((user) => [user.id, { ...user, custom: { bio: LONG } }]));
    await ok(world, 'POST', '/api/v2/users', { body: { users: sent } });
  }
  return world;
}

test('BU16 blocks: all of them, with the fields of a user, in bounded length', async () => {
  const world = await worldOfLongUsers();
  const token = userToken('ann');
  for (let index = 0; index < COUNT; index++)
    await ok(world, 'POST', '/users/block', { body: { blocked_user_id: `u${index}`, user_id: 'ann' } });
  for (const path of ['/users/block', '/api/v2/users/block']) {
    const { body, text } = await ok(world, 'GET', path, { token });
    assert.equal(body.blocks.length, COUNT);
    assert.ok(text.length > LIMITS.embeddedBytes * 0.9 && text.length < LIMITS.embeddedBytes * 1.5, `${text.length} bytes`);
    const [first, last] = [body.blocks[0], body.blocks.at(-1)];
    assert.deepEqual([last.user.id, last.blocked_user.id], ['ann', `u${COUNT - 1}`]);
    assert.ok(JSON.stringify(first.user).includes(LONG) && JSON.stringify(first.blocked_user).includes(LONG));
    assert.ok(!JSON.stringify(last).includes(LONG));
  }
});

test('BU16 mutes: those of a record, and those of an answer', async () => {
  const world = await worldOfLongUsers();
  const token = userToken('ann');
  for (let from = 0; from < COUNT; from += 100) {
    const target_ids = Array.from({ length: 100 }, (_, index) => `u${from + index}`);
    const { body, text } = await ok(world, 'POST', '/moderation/mute', { body: { target_ids }, token });
    assert.equal(body.mutes.length, 100);
    assert.ok(text.length < (LIMITS.embeddedBytes + LIMITS.embeddedInMutesBytes) * 1.3, `${text.length} bytes`);
  }
  for (const dialect of ['v1', 'v2'] as const) {
    const ann = await users(world, dialect, 'ann');
    assert.equal(ann.mutes.length, COUNT);
    const bytes = JSON.stringify(ann.mutes).length;
    assert.ok(bytes > LIMITS.embeddedInMutesBytes * 0.9 && bytes < LIMITS.embeddedInMutesBytes * 1.5, `${bytes} bytes`);
    assert.equal(ann.mutes.at(-1).target.id, `u${COUNT - 1}`);
  }
});

test('BU16 bans: whoever made them is not shown in full a hundred times', async () => {
  const world = await worldOfLongUsers();
  for (let index = 0; index < 300; index++) {
    await ok(world, 'POST', '/users/block', { body: { blocked_user_id: `u${index}`, user_id: 'mod' } });
    if (index < 100) await ok(world, 'POST', '/moderation/ban', { body: { target_user_id: `u${index}`, banned_by_id: 'mod' } });
  }
  const { body, text } = await ok(world, 'GET', '/query_banned_users', { ...payload({ limit: 100 }), token: userToken('mod') });
  assert.equal(body.bans.length, 100);
  assert.ok(text.length < LIMITS.embeddedBytes * 1.2, `${text.length} bytes`);
  assert.equal(body.bans.at(-1).banned_by.id, 'mod');
});

test('BU16 an enriched page of a feed ends early and the next goes on; activities by name keep their references', async () => {
  const world = await worldWith();
  await create(world.send, 'eve', { bio: LONG });
  const references = Object.fromEntries(Array.from({ length: 18 }, (_, index) => [`r${index}`, 'SU:eve']));
  const activities = Array.from({ length: 100 }, () => ({ actor: 'SU:eve', verb: 'p', object: 'SU:eve', ...references }));
  const added = await world.send('POST', `${ROOT}/feed/user/eve/`, { body: { activities } });
  const ids = added.body.activities.map(({ id }: { id: string }) => id);
  const seen: string[] = [];
  let query: Record<string, string> = { limit: '100' };
  for (let pages = 1; ; pages++) {
    const { body, text } = await world.send('GET', `${ROOT}/enrich/feed/user/eve/`, { query });
    assert.ok(text.length < LIMITS.embeddedBytes * 1.1, `${text.length} bytes`);
    for (const { id, actor, r17 } of body.results) {
      seen.push(id);
      assert.deepEqual([actor.data.bio, r17.data.bio], [LONG, LONG]);
    }
    if (body.next === '') break;
    assert.ok(pages < 20 && body.results.length > 5);
    query = Object.fromEntries(new URL(body.next, 'http://x').searchParams);
  }
  assert.deepEqual(seen, [...ids].reverse());
  const { body, text } = await world.send('GET', `${ROOT}/enrich/activities/`, { query: { ids: ids.join(',') } });
  assert.ok(text.length < LIMITS.embeddedBytes * 1.1, `${text.length} bytes`);
  assert.deepEqual([body.results.length, body.results[0].actor.id, body.results.at(-1).actor], [100, 'eve', 'SU:eve']);
});
