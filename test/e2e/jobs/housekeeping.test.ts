/** JB: what time alone brings about, in a real daemon. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { UserFact } from '../../../protocol/log/entry.ts';
import { eventually } from '../../support/eventually.ts';
import { writeFacts } from '../../support/unattended.ts';
import { World } from '../../support/world.ts';

test('JB6 bans end by themselves: at the start those that ended meanwhile, later ones at their time', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-house-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const first = await World.start(t, { data });
  await first.stop();
  const { seq } = first.daemon.roster.directory;
  const now = Date.now() * 1_000;
  const banned = (id: string, rev: number, expires: number): UserFact => ({
    t: 'user',
    event: 'banned',
    user: { id, rev, role: 'user', teams: [], custom: {}, created_at: now, updated_at: now, bans: [{ created_at: now, expires }] },
  });
  const soon = now + 8_000_000;
  await writeFacts(data, [
    banned('over', seq + 1, now - 1_000_000),
    banned('soon', seq + 2, soon),
    banned('late', seq + 3, now + 3_600_000_000),
  ]);

  const second = await World.start(t, { data });
  const { directory } = second.daemon.roster;
  const subscriber = await second.subscriber({ subs: [{ sub: 'all', all: true, snapshot: false }] });
  const bans = () => ['over', 'soon', 'late'].map((id) => directory.user(id)?.bans?.length ?? 0);
  await eventually(() => bans()[0] === 0);
  assert.deepEqual(bans(), [0, 1, 1]);
  const event = await subscriber.next((frame) => frame.type === 'user.unbanned' && (frame.user as { id: string }).id === 'soon');
  const lateMs = Date.now() - soon / 1_000;
  // The next round is an hour later.
  assert.ok(lateMs >= 0 && lateMs < 30_000, `the ban ended ${lateMs} ms after its time`);
  assert.equal(typeof event.seq, 'number');
  assert.deepEqual(bans(), [0, 0, 1]);
});

test('JB7 old exports and uploads are removed at the start', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-house-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const first = await World.start(t, { data });
  await first.stop();
  const upload = '11111111-2222-3333-4444-555555555555~users.jsonl';
  for (const [folder, name, ageH] of [
    ['exports', 'old.jsonl', 3],
    ['exports', 'new.jsonl', 1],
    ['uploads', upload, 8 * 24],
    ['uploads', upload.replace('1', '2'), 6 * 24],
  ] as const) {
    const path = join(data, folder, name);
    await writeFile(path, 'x');
    const then = new Date(Date.now() - ageH * 3_600_000);
    await utimes(path, then, then);
  }
  await World.start(t, { data, flags: { 'exports-keep-h': '2' } });
  const left = async (folder: string): Promise<number> => (await readdir(join(data, folder))).length;
  await eventually(async () => (await left('exports')) <= 1 && (await left('uploads')) <= 1);
  assert.deepEqual(await readdir(join(data, 'exports')), ['new.jsonl']);
  assert.deepEqual(await readdir(join(data, 'uploads')), [upload.replace('1', '2')]);
});
