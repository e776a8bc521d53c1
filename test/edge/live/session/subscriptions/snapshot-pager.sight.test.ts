/** PV1, BU12: what a page of a snapshot shows and costs does not depend on users out of sight. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Budget } from '../../../../../daemon/base/slices.ts';
import { Directory } from '../../../../../daemon/core/directory/directory.ts';
import { SnapshotPager } from '../../../../../daemon/edge/live/session/subscriptions/snapshot-pager.ts';
import type { Want } from '../../../../../daemon/pipeline/tell/interest.ts';
import { SharedFilter } from '../../../../../daemon/pipeline/tell/shared-filter.ts';
import { parseFilter } from '../../../../../protocol/users/finding/filter.ts';
import type { StoredUser } from '../../../../../protocol/users/user.ts';

const userOf = (id: string, teams: string[]): StoredUser => ({
  ...{ id, rev: 1, role: 'user', teams, custom: {}, created_at: 1, updated_at: 1 },
});

/** What a client of team red gets of ten users in sight, with so many others before, between and behind them. */
async function pages(want: Want, hidden: number, limit: number) {
  const directory = new Directory({ epoch: 'test', seq: 0 });
  const others = (name: string) => Array.from({ length: hidden }, (_, n) => userOf(`${name}${n}`, ['blue']));
  const seen = (from: number) => Array.from({ length: 5 }, (_, n) => userOf(`u${from + n}`, n === 2 ? ['red', 'blue'] : ['red']));
  directory.load([...others('a'), ...seen(0), ...others('b'), ...seen(5), ...others('c')].map((user) => ({ user })));
  let spent = 0;
  let unseen = 0;
  const budget: Budget = {
    caller: 'ann',
    spend: (units) => {
      spent += units;
    },
    note: (units) => {
      unseen += units;
    },
    isSlowed: () => false,
  };
  const view = directory.freezeRecords();
  const sight = ({ teams }: StoredUser): boolean => teams.includes('red');
  const pager = new SnapshotPager({ view, want, limit, online: () => false, sight, budget });
  const got: unknown[] = [];
  for (let isLast = false; !isLast; ) {
    const page = await pager.next();
    isLast = page.isLast;
    got.push([page.users.map(({ id }) => id).join(), isLast, spent]);
  }
  pager.release();
  return { got, unseen };
}

test('PV1 BU12 which page is the last, and what each costs, is the same whoever else there is', async () => {
  const wants: Want[] = [
    { kind: 'teams', teams: new Set(['red']) },
    { kind: 'teams', teams: new Set(['blue']) },
    { kind: 'all' },
    { kind: 'filter', filter: new SharedFilter(parseFilter({ teams: 'red' }), 100) },
  ];
  for (const want of wants)
    for (const limit of [1, 2, 5, 10, 11]) {
      const alone = await pages(want, 0, limit);
      for (const hidden of [1, 3, 1_000]) {
        const { got, unseen } = await pages(want, hidden, limit);
        assert.deepEqual(got, alone.got, `${want.kind} by ${limit} beside ${hidden}`);
        assert.ok(unseen > 0);
      }
    }
  assert.equal((await pages({ kind: 'all' }, 3, 10)).got.length, 1, 'a page that holds everyone in sight is the last');
});
