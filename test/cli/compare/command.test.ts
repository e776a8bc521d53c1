/** CY4–CY6: `rosterd compare`. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { digest } from '../../../protocol/base/digest.ts';
import { folder, run } from '../../support/cli-run.ts';
import { API_KEY, API_SECRET, World } from '../../support/world.ts';

const CREDENTIALS = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET };
const USERS = 1_200;

interface Held {
  readonly id: string;
  rev: number;
  [field: string]: unknown;
}

test('CY4 CY5 CY6 compare proves a copy equal or stale, and names what differs', async (t) => {
  const cwd = folder(t);
  const world = await World.start(t);
  for (let at = 0; at < USERS; at += 100) {
    await world.upsert(
      ...Array.from({ length: 100 }, (_, n) => ({ id: `u${at + n}`, name: `User ${at + n}`, teams: [n % 2 ? 'odd' : 'even'] })),
    );
  }
  const held = (): Held[] => [...world.daemon.roster.directory.users()].map(({ id, rev }) => ({ id, rev }));
  const { epoch } = world.daemon.roster.position;
  const file = (name: string, text: string): string => {
    writeFileSync(join(cwd, name), text);
    return name;
  };
  const lines = (users: readonly object[]): string => users.map((user) => `${JSON.stringify(user)}\n`).join('');
  const compare = (...args: string[]) => run(cwd, ['compare', ...args, '--url', world.daemon.url], CREDENTIALS);

  const at = world.daemon.roster.position;
  const same = await compare(file('same.ndjson', lines(held().reverse())));
  assert.deepEqual([same.code, same.err], [0, ''], same.out);
  assert.match(same.out, /^equal\n/);
  assert.ok(same.out.includes(digest(held())), 'the digest is that of the client library');
  assert.equal((await compare('--digest', digest(held()))).code, 0);

  const stale = held();
  for (const user of stale) if (user.id === 'u7') user.rev = 3;
  const wrong = [...stale.filter(({ id }) => id !== 'u9'), { id: 'ghost', rev: 5 }];
  const found = await compare(file('stale.json', JSON.stringify(wrong, null, 1)), '--json');
  assert.equal(found.code, 1);
  const [verdict, ...differences] = found.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .reverse();
  assert.deepEqual(
    differences.sort((a, b) => (a.id < b.id ? -1 : 1)),
    [
      { id: 'ghost', how: 'missing_here', copy_rev: 5, note: 'there is and was no such user' },
      { id: 'u7', how: 'older', rev: 8, copy_rev: 3 },
      { id: 'u9', how: 'missing_there', rev: 10 },
    ],
  );
  assert.ok(verdict.parts_differing <= 3 && verdict.parts > 3, `${verdict.parts_differing} of ${verdict.parts} parts were listed`);

  // The directory moves on: what changed, came and went after the position of the copy is no false alarm.
  const before = held();
  await world.upsert({ id: 'u1', name: 'Renamed' }, { id: 'new' });
  await world.http('DELETE', '/users/u2');
  await world.http('DELETE', '/users/u3?hard_delete=true');
  const moved = await compare(file('moved.ndjson', lines([at, ...before, { end: true }])));
  assert.deepEqual([moved.code, moved.err], [0, ''], moved.out);
  assert.match(moved.out, /changed since +4 users/);
  const now = await compare(file('now.ndjson', lines(before)));
  assert.equal(now.code, 1);
  assert.match(now.out, /1 missing there, 2 missing here, 1 older/);
  const late = await compare('--digest', digest(before), '--position', `${epoch}:${at.seq}`);
  assert.equal(late.code, 1);
  assert.match(late.err, /2 users changed after/);

  const whole = {
    users: { u4: { id: 'u4', rev: 5, name: 'User 4', teams: ['even'] }, u6: { id: 'u6', rev: 7, name: 'Rot', teams: ['even'] } },
  };
  const fields = await compare(file('whole.json', JSON.stringify(whole)), '--team', 'even', '--show', '3');
  assert.equal(fields.code, 1);
  assert.match(fields.err, /more differences; --show/);
  const one = await compare(file('one.ndjson', lines([...held().filter(({ id }) => id !== 'u6'), whole.users.u6])));
  assert.match(one.out, /differs +u6: revision 7 in the directory\n {4}name: "User 6" in the directory, "Rot" in the copy/);
});

test('CY6 compare refuses what is no copy, and says where', async (t) => {
  const cwd = folder(t);
  const world = await World.start(t);
  const compare = (...args: string[]) => run(cwd, ['compare', ...args, '--url', world.daemon.url], CREDENTIALS);
  for (const [text, reason] of [
    ['', /the copy is empty/],
    ['{"id":"ann","rev":1}\n{"name":"x"}\n', /line 2 has no id of a user/],
    ['{"id":"ann","rev":1}\n{"id":"ann","rev":2}\n', /line 2: the user ann is there twice/],
    ['{"id":"ann","rev":1.5}\n', /line 1: rev must be a whole number/],
    ['[1]', /user 1 is no JSON object/],
    ['{"epoch":"other","seq":1}\n{"id":"ann","rev":1}\n', /another history/],
  ] as const) {
    writeFileSync(join(cwd, 'copy'), text);
    const { code, err } = await compare('copy');
    assert.equal(code, 1, text);
    assert.match(err, reason);
  }
  assert.equal((await compare('absent.ndjson')).code, 1);
  assert.equal((await compare()).code, 2);
  assert.equal((await compare('copy', '--position', 'x')).code, 2);
});
