/** DW3, DW4: why a connection that is open, behind or gone was sent an event, or was not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import type { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { World } from '../../support/world.ts';

const idOf = async (client: LiveClient): Promise<string> =>
  (await client.until((frame) => frame.connection_id !== undefined)).connection_id;

const aboutOf = (body: Frame, about: string): Frame => body.steps.find((step: Frame) => step.about === about);

test('DW3 the answer says step by step what decided: audience, begin, conflation, queue, consumer', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  const { epoch, seq } = world.daemon.roster.position;
  const client = await world.subscriber({ durable: 'mirror', subs: [{ sub: 'all', all: true }] });
  await client.request({ op: 'ping' });
  await world.upsert({ id: 'ann', name: 'Ann' });
  await client.until((frame) => frame.seq === seq + 2);
  const why = async (event: number, connection: string) =>
    (await world.http('GET', `/debug/why?event=${event}&connection=${connection}`)).body;
  const id = await idOf(client);
  const sent = await why(seq + 2, id);
  assert.deepEqual([sent.delivered, sent.event.user_id], ['sent', 'ann']);
  assert.match(aboutOf(sent, 'begin').text, /^It began at #\d+, without a position to resume from/);
  assert.match(aboutOf(sent, 'queue').text, /^It is up to date: 0 of at most 1,048,576 bytes/);
  assert.match(aboutOf(sent, 'consumer').text, /acknowledged only up to #\d+: it gets this event again/);
  client.send({ op: 'ack', seq: seq + 2 });
  await eventually(async () => /acknowledged everything/.test(aboutOf(await why(seq + 2, id), 'consumer').text), 'the acknowledgement');
  const early = await why(1, id);
  assert.equal(early.delivered, 'not_sent');
  assert.deepEqual([aboutOf(early, 'begin').is_reached, aboutOf(early, 'audience').is_reached], [false, true]);
  const again = await world.subscriber({ resume: { epoch, seq: 0 }, conflate: true, subs: [{ sub: 'all', all: true, snapshot: false }] });
  const conflated = await why(1, await idOf(again));
  assert.match(aboutOf(conflated, 'begin').text, /^It resumed after #0/);
  assert.match(
    aboutOf(conflated, 'conflation').text,
    new RegExp(`a later event \\(up to #${seq + 2}\\) may have come in place of this one`),
  );
  await world.http('POST', '/api/v2/moderation/mute', { target_ids: ['bob'], user_id: 'ann' });
  const chat = await world.chat('bob');
  const muted = await why(world.daemon.roster.position.seq - 1, await idOf(chat));
  assert.equal(muted.delivered, 'not_sent');
  assert.deepEqual(aboutOf(sent, 'subscriptions'), {
    about: 'subscriptions',
    is_reached: true,
    text: '1 of its 1 subscription asks for the event.',
  });
});

test('DW4 of a connection that ended lately it says when, why and where, and what it was sent', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  const chat = await world.chat('bob');
  await chat.request({ op: 'sub', sub: 'ann', ids: ['ann'] });
  const id = await idOf(chat);
  await world.upsert({ id: 'ann', name: 'Ann' });
  const seen = world.daemon.roster.position.seq;
  await chat.until((frame) => frame.seq === seen);
  chat.terminate();
  const list = async (query = '?user_id=bob') => (await world.http('GET', `/debug/connections${query}`)).body.connections;
  await eventually(async () => (await list())[0].closed_at !== undefined, 'the end');
  const [ended] = await list();
  assert.deepEqual(
    [ended.connection_id, ended.user_id, ended.close_code, ended.resumed, ended.subs, ended.position],
    [id, 'bob', null, false, ['(self)', 'ann'], seen],
  );
  await world.upsert({ id: 'ann', name: 'Anna' });
  const later = world.daemon.roster.position.seq;
  const why = async (event: number) => (await world.http('GET', `/api/v2/debug/why?event=${event}&connection=${id}`)).body;
  const before = await why(seen);
  assert.equal(before.delivered, 'sent');
  const after = await why(later);
  assert.equal(after.delivered, 'not_sent');
  assert.match(
    aboutOf(after, 'end').text,
    new RegExp(`by its peer, or the network, at position #${seen}\\. A client that resumes from there is sent it\\.`),
  );
  // The daemon ends it: then its reason is known.
  const second = await world.chat('bob');
  await world.http('POST', '/api/v2/users/bob/deactivate', {});
  await second.closed;
  await eventually(
    async () => (await list()).some(({ close_code }: Frame) => close_code === 4403 || close_code === 4404 || close_code === 4401),
    'the reason',
  );
  const server = await world.subscriber();
  const servers = await list('');
  assert.deepEqual([servers.length, servers[0].connection_id, servers[0].user_id], [1, await idOf(server), null]);
  assert.equal((await world.http('GET', '/debug/connections?user_id=a%20b')).status, 400);
});
