/** DW5–DW7: what a connection that resumes would be sent, held against what one that does resume is sent. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDataDirectory } from '../../../store/data-dir.ts';
import type { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { World } from '../../support/world.ts';

const isUserEvent = ({ type, seq }: Frame): boolean => typeof type === 'string' && type.startsWith('user.') && seq !== undefined;

/** The events of a client, once it has caught up, and the bytes of their frames. */
async function caughtUp(client: LiveClient): Promise<{ events: Frame[]; bytes: number }> {
  await client.until(({ type, caught_up }) => type === 'health.check' && caught_up === true);
  const events = client.frames.filter(isUserEvent);
  const frameBytes = (event: Frame): number => {
    const length = Buffer.byteLength(JSON.stringify(event));
    return length + (length < 126 ? 2 : length < 65_536 ? 4 : 10);
  };
  return { events, bytes: events.reduce((sum, event) => sum + frameBytes(event), 0) };
}

async function filled(t: Parameters<typeof World.start>[0], flags: Record<string, string> = {}): Promise<World> {
  const world = await World.start(t, { flags });
  await world.upsert({ id: 'ann', teams: ['red'] }, { id: 'bob', teams: ['blue'] }, { id: 'cem', name: 'Cem' });
  await world.http('PATCH', '/api/v2/users', { users: [{ id: 'ann', set: { name: 'Anne' } }] });
  await world.http('PATCH', '/api/v2/users', { users: [{ id: 'ann', set: { name: 'Anna' } }] });
  await world.http('POST', '/api/v2/moderation/mute', { target_ids: ['bob'], user_id: 'ann' });
  await world.http('PATCH', '/api/v2/users', { users: [{ id: 'bob', set: { teams: ['red'] } }] });
  await world.http('DELETE', '/users/cem');
  return world;
}

const SUBS = [
  [{ sub: 'all', all: true }],
  [{ sub: 'ids', ids: ['ann', 'cem'] }],
  [
    { sub: 'red', teams: ['red'] },
    { sub: 'called', filter: { name: { $exists: true } }, presence: true },
  ],
];

test('DW5 a rehearsal names exactly the events that a resume brings: count, bytes, first, last, types', async (t) => {
  const world = await filled(t);
  const { epoch } = world.daemon.roster.position;
  for (const subs of SUBS) {
    for (const [seq, conflate] of [
      [0, false],
      [0, true],
      [4, false],
    ] as const) {
      const resume = { epoch, seq };
      const question = { resume, subs, ...(conflate ? { conflate } : {}) };
      const { status, body } = await world.http('POST', '/debug/resume', question);
      assert.equal(status, 200, JSON.stringify(body));
      const client = await world.subscriber({ ...question, subs: subs.map((sub) => ({ ...sub, snapshot: false })) });
      const { events, bytes } = await caughtUp(client);
      const types: Record<string, number> = {};
      for (const { type } of events) types[type] = (types[type] ?? 0) + 1;
      const named = (event: Frame) => ({ seq: event.seq, type: event.type, user_id: event.user.id });
      const what = `${JSON.stringify(question)} ${JSON.stringify(events)}`;
      assert.deepEqual([body.result, body.reason], ['events', 'kept'], what);
      assert.deepEqual([body.events.count, body.events.bytes, body.events.by_type], [events.length, bytes, types], what);
      assert.deepEqual([body.events.first, body.events.last], [named(events[0]), named(events.at(-1))], what);
      assert.deepEqual([body.events.up_to, body.events.is_whole], [body.position.seq, true]);
      assert.equal(body.presence, subs.length === 2);
    }
  }
});

test('DW5 it asks as a user, who gets what that user gets', async (t) => {
  const world = await filled(t);
  const { epoch, seq } = world.daemon.roster.position;
  const subs = [{ sub: 'b', ids: ['bob'], snapshot: false }];
  const question = { resume: { epoch, seq: 3 }, subs, user_id: 'ann' };
  const { body } = await world.http('POST', '/api/v2/debug/resume', question);
  assert.equal(world.daemon.roster.position.seq, seq, 'DW5 nothing was written');
  assert.deepEqual(body.events.by_type, { 'user.updated': 3, 'user.muted': 1 });
  assert.equal((await world.http('POST', '/debug/resume', { ...question, user_id: 'nobody' })).status, 404);
  const all = await world.http('POST', '/debug/resume', { ...question, subs: [{ sub: 'x' }] });
  assert.match(all.body.message, /exactly one of ids, teams, filter or all/);
  const twice = await world.http('POST', '/debug/resume', { ...question, subs: [...subs, ...subs] });
  assert.match(twice.body.message, /a name of its own/);
  assert.equal((await world.http('POST', '/debug/resume', { subs })).body.code, 4);
});

test('DW6 where it would begin anew, it says why and how large the snapshot is', async (t) => {
  const world = await filled(t);
  const { epoch, seq } = world.daemon.roster.position;
  const ask = async (resume: object, more: object = {}) =>
    (await world.http('POST', '/debug/resume', { resume, subs: [...(SUBS[0] ?? []), { sub: 'red', teams: ['red'] }], ...more })).body;
  const now = await ask({ epoch, seq });
  assert.deepEqual([now.result, now.reason, now.events.count], ['nothing', 'up_to_date', 0]);
  const other = await ask({ epoch: 'other', seq: 1 });
  assert.deepEqual([other.result, other.reason], ['snapshot', 'other_epoch']);
  assert.deepEqual(other.snapshot, [
    { sub: 'all', users: 2 },
    { sub: 'red', users: 2 },
  ]);
  const late = await ask({ epoch, seq: seq + 5 });
  assert.deepEqual([late.result, late.reason], ['snapshot', 'never_given']);
  await world.http('PATCH', '/app', { multi_tenant_enabled: true });
  const walls = await ask({ epoch, seq: 1 }, { user_id: 'ann', subs: [{ sub: 'ids', ids: ['bob'] }] });
  assert.deepEqual([walls.result, walls.reason, walls.snapshot], ['snapshot', 'sight_changed', [{ sub: 'ids', users: 1 }]]);
});

test('DW7 it says how far back a resume reaches, and which setting would have kept the position', async (t) => {
  const world = await filled(t, { 'retention-changes': '4', 'snapshot-changes': '100' });
  const { epoch, seq } = world.daemon.roster.position;
  const { body } = await world.http('POST', '/debug/resume', { resume: { epoch, seq: 0 }, subs: SUBS[0] });
  assert.deepEqual([body.retention.after, body.retention.changes], [0, seq], 'one segment is never cut');
  const byKey = Object.fromEntries(body.settings.map((setting: { key: string }) => [setting.key, setting]));
  assert.deepEqual(byKey.retention_changes, { key: 'retention_changes', value: 4, needed: seq, is_enough: false });
  assert.equal(byKey.retention_bytes.value, 1024 ** 3);
  assert.equal(byKey.retention_bytes.needed, body.retention.bytes, 'all that is kept is needed');
  assert.ok(byKey.retention_bytes.is_enough && byKey.retention_age_h.is_enough);
  assert.ok(body.retention.hours >= 0 && body.retention.hours < 1);
});

test('DW6 DW7 of a position that was cut off it says so, as a client that resumes there finds out, and what would have kept it', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-cut-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const world = await World.start(t, {
    data,
    flags: { 'retention-changes': '50', 'snapshot-changes': '100', 'history-bytes': '64KiB' },
    openStore: (_, onEvent, __, onStored) =>
      openDataDirectory(data, { onEvent, journal: { onStored, segmentBytes: 4_096, recentBytes: 4_096, retention: { facts: 50 } } }),
  });
  const { roster } = world.daemon;
  const ids = Array.from({ length: 20 }, (_, n) => `u${n}`);
  for (let round = 0; roster.keptAfter === 0 || round < 20; round++) {
    assert.ok(round < 200, 'the history is never cut');
    await world.upsert(...ids.map((id) => ({ id, name: `Name ${round}`, filler: 'x'.repeat(100) })));
  }
  const { epoch } = roster.position;
  const ask = async (seq: number) => (await world.http('POST', '/debug/resume', { resume: { epoch, seq }, subs: SUBS[0] })).body;
  const cut = await ask(1);
  assert.deepEqual([cut.result, cut.reason, cut.snapshot], ['snapshot', 'trimmed', [{ sub: 'all', users: 20 }]]);
  assert.match(cut.text, new RegExp(`begins after ${cut.retention.after}\\.`));
  const resumed = await world.subscriber({ resume: { epoch, seq: 1 }, subs: SUBS[0] });
  assert.equal((await resumed.until(({ type }) => type === 'connection.ok')).resumed, false);
  const changes = cut.settings.find(({ key }: { key: string }) => key === 'retention_changes');
  assert.deepEqual([changes.value, changes.needed, changes.is_enough], [50, cut.position.seq - 1, false]);
  const bytes = cut.settings.find(({ key }: { key: string }) => key === 'retention_bytes');
  assert.ok(bytes.needed > cut.retention.bytes && bytes.is_enough, 'more than is kept now');
  // What was written may still be cut further: asked again, until it was not meanwhile.
  let [asked, kept] = [cut.retention.after, await ask(cut.retention.after)];
  while (kept.retention.after !== asked) [asked, kept] = [kept.retention.after, await ask(kept.retention.after)];
  assert.deepEqual([kept.reason, kept.events.count], ['kept', kept.position.seq - asked]);
});
