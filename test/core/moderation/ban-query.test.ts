/** Lists of bans, on the core: MD11, MD12. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BanPage, runBanQuery } from '../../../daemon/core/moderation/ban-query.ts';
import { type BanQuery, parseBanQuery } from '../../../protocol/moderation/ban-query.ts';
import type { Ban, StoredUser } from '../../../protocol/users/user.ts';

const ban = (created_at: number, more: Partial<Ban> = {}): Ban => ({ created_at, ...more });

function userWith(id: string, bans: readonly Ban[]): StoredUser {
  return { id, rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1, bans: [...bans] };
}

/** Which users were looked at, and the page with the number of pauses. */
function listed(users: readonly StoredUser[], query: BanQuery, mayShow?: (user: StoredUser, ban: Ban) => boolean) {
  const byId = new Map(users.map((user) => [user.id, user]));
  const looked: string[] = [];
  const user = (id: string): StoredUser | undefined => {
    looked.push(id);
    return byId.get(id);
  };
  const bans = { ids: () => [...byId.keys()] };
  const walk = runBanQuery({ user, bans } as never, query, 1_000, mayShow);
  for (let pauses = 0; ; pauses++) {
    const { done, value } = walk.next();
    if (done === true) return { page: value, pauses, looked };
  }
}

const timesOf = ({ bans }: BanPage): number[] => bans.map(({ ban: { created_at } }) => created_at);
const query = (sent: Record<string, unknown> = {}): BanQuery => parseBanQuery(sent);

test('MD11 a page is that part of all matching bans in order, and the total counts all of them', () => {
  const users = Array.from({ length: 40 }, (_, n) =>
    userWith(
      `u${n}`,
      Array.from({ length: n % 3 }, (_, k) => ban((n * 7919 + k * 31) % 1_000, { cid: `c${k}` })),
    ),
  );
  const all = users.flatMap(({ bans = [] }) => bans.map(({ created_at }) => created_at)).sort((a, b) => b - a);
  for (const [offset, limit] of [
    [0, 5],
    [3, 10],
    [30, 30],
    [100, 5],
    [0, 100],
  ] as const) {
    const { page } = listed(users, query({ offset, limit }));
    assert.deepEqual([timesOf(page), page.total], [all.slice(offset, offset + limit), all.length]);
  }
  const oldest = listed(users, query({ limit: 5, sort: [{ field: 'created_at', direction: 1 }] }));
  assert.deepEqual(timesOf(oldest.page), [...all].reverse().slice(0, 5));
});

test('MD11 a page is the same however many bans there are behind it', () => {
  const users = Array.from({ length: 20 }, (_, n) =>
    userWith(
      `u${n}`,
      Array.from({ length: 100 }, (_, k) => ban(((n * 100 + k) * 37) % 2_003, { cid: `c${k}` })),
    ),
  );
  const all = users.flatMap(({ bans = [] }) => bans.map(({ created_at }) => created_at)).sort((a, b) => b - a);
  const { page } = listed(users, query({ offset: 7, limit: 20 }));
  assert.deepEqual([timesOf(page), page.total], [all.slice(7, 27), 2_000]);
});

test('MD11 only users with bans are looked at, and of a query that names users only these, each once', () => {
  const users = [userWith('ann', [ban(3)]), userWith('bob', [ban(2), ban(4, { cid: 'm:a' })]), userWith('cem', [ban(1)])];
  const asked = (filter_conditions: unknown) => {
    const { page, looked } = listed(users, query({ filter_conditions }));
    return [timesOf(page), page.total, looked];
  };
  assert.deepEqual(asked({}), [[4, 3, 2, 1], 4, ['ann', 'bob', 'cem']]);
  assert.deepEqual(asked({ user_id: 'bob' }), [[4, 2], 2, ['bob']]);
  assert.deepEqual(asked({ user_id: { $in: ['cem', 'nobody', 'ann', 'cem'] } }), [[3, 1], 2, ['cem', 'nobody', 'ann']]);
  assert.deepEqual(asked({ user_id: { $gt: 'ann' } }), [[4, 2, 1], 3, ['ann', 'bob', 'cem']]);
  assert.deepEqual(asked({ reason: 'bob' }), [[], 0, ['ann', 'bob', 'cem']]);
  assert.deepEqual(asked({ channel_cid: 'm:a', user_id: 'bob' }), [[4], 1, ['bob']]);
  // A ban that is known of a user who has none any more.
  const { page } = listed([{ ...userWith('ann', []), bans: undefined } as never, ...users.slice(1)], query());
  assert.deepEqual(timesOf(page), [4, 2, 1]);
});

test('MD12 what the caller may not see is neither shown nor counted', () => {
  const users = [
    userWith('ann', [ban(3), ban(5, { by: 'mod', future: true })]),
    userWith('bob', [ban(2), ban(4, { cid: 'm:a', shadow: true })]),
  ];
  const { page } = listed(users, query(), (user, { shadow }) => user.id !== 'ann' && shadow !== true);
  assert.deepEqual([timesOf(page), page.total], [[2], 1]);
  assert.equal(listed(users, query()).page.total, 3);
});

test('BU1 a list of bans pauses after every 256 bans and users', () => {
  const one = Array.from({ length: 127 }, (_, n) => userWith(`u${n}`, [ban(n)]));
  assert.equal(listed(one, query()).pauses, 0);
  assert.equal(listed([...one, userWith('last', [ban(1)])], query()).pauses, 1);
  assert.equal(
    listed(
      [
        userWith(
          'many',
          Array.from({ length: 254 }, (_, n) => ban(n, { cid: `c${n}` })),
        ),
      ],
      query(),
    ).pauses,
    0,
  );
  assert.equal(
    listed(
      [
        userWith(
          'many',
          Array.from({ length: 255 }, (_, n) => ban(n, { cid: `c${n}` })),
        ),
      ],
      query(),
    ).pauses,
    1,
  );
  assert.equal(listed([], query({ filter_conditions: { user_id: { $in: Array.from({ length: 100 }, (_, n) => `u${n}`) } } })).pauses, 0);
  const twice = Array.from({ length: 512 }, (_, n) => userWith(`u${n}`, [ban(n)]));
  assert.equal(listed(twice, query()).pauses, 4);
});
